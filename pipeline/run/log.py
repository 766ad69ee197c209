"""events.jsonl: what happened in a run, one event a line."""

import json
import time
from pathlib import Path

from pipeline.core.events import Event, OnEvent


class EventLog:
    """Appends events to a JSON Lines file, each with the time in Unix seconds, and hands them on."""

    def __init__(self, path: Path, watch: OnEvent) -> None:
        self._path = path
        self._watch = watch

    def __call__(self, event: Event) -> None:
        line = json.dumps({"time": round(time.time(), 3), **event}, default=str)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._watch(event)
