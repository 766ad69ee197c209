"""events.jsonl: what happened in a run, one event a line."""

import time
from pathlib import Path

from pipeline.core.events import Event, OnEvent
from pipeline.store import jsonl


class EventLog:
    """Appends events to a JSON Lines file, each with the time in Unix seconds, and hands them on."""

    def __init__(self, path: Path, watch: OnEvent) -> None:
        self._path = path
        self._watch = watch

    def __call__(self, event: Event) -> None:
        jsonl.append(self._path, {"time": round(time.time(), 3), **event}, default=str)
        self._watch(event)
