"""One event stream: what happens in a run is an event, written to events.jsonl and shown to whoever watches.

An event is a flat mapping with "event" and, where there is one, "stage". Nothing else in Hornbook prints progress. On a
terminal the newest event of the running stage is one live line; elsewhere there is a line when a stage starts and ends
and one every `QUIET_SECONDS` between, so that a log stays readable.
"""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.text import Text

Event = Mapping[str, Any]

QUIET_SECONDS = 15.0
"""Seconds between two progress lines of one stage where stderr is not a terminal."""


class EventLog:
    """Appends events to a JSON Lines file, each with the time in Unix seconds, and hands them on."""

    def __init__(self, path: Path, watch: Callable[[Event], None]) -> None:
        self._path = path
        self._watch = watch

    def __call__(self, event: Event) -> None:
        line = json.dumps({"time": round(time.time(), 3), **event}, default=str)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
        self._watch(event)


class Watcher:
    """Shows events on stderr; a context manager, so that the live line is always cleared."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self._console = console
        self._json = as_json
        self._live: Live | None = None
        self._last_line = 0.0

    def __enter__(self) -> "Watcher":
        if self._console.is_terminal and not self._json:
            self._live = Live(Text(), console=self._console, refresh_per_second=8, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        if self._json:
            self._console.print(json.dumps(event, default=str), markup=False, highlight=False, soft_wrap=True)
            return
        line = describe(event)
        if not line:
            return
        if event["event"] in _LASTING:
            self._last_line = time.monotonic()
            if self._live is not None:
                self._live.update(Text())
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        elif self._live is not None:
            self._live.update(Text(line))
        elif time.monotonic() - self._last_line >= QUIET_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)


_LASTING = {"stage-reused", "stage-finished", "note", "warning"}


def describe(event: Event) -> str:
    """One line of text for a person; "" for an event that is not worth one."""
    kind, stage = event["event"], str(event.get("stage", ""))
    if kind == "stage-started":
        return f"  {stage:<15} ..."
    if kind == "stage-reused":
        return f"  {stage:<15} {_counts(event)}  stored"
    if kind == "stage-finished":
        return f"  {stage:<15} {_counts(event)}  {event['seconds']:.1f} s"
    if kind in ("note", "warning"):
        return f"  {event['text']}"
    if kind == "teacher":
        return f"  {stage:<15} {_conversation(event)}"
    done = f"{event['done']:,} of {event['total']:,}" if "done" in event and event.get("total") else ""
    measured = [done] if done else []
    measured += [f"{name.replace('_', ' ')} {_number(value)}" for name, value in event.items() if name not in _HIDDEN]
    return f"  {stage:<15} {', '.join(measured)}"


_HIDDEN = {"event", "stage", "done", "total", "time"}


def _conversation(event: Event) -> str:
    """How far the asking of teachers is; see `pipeline.teacher.progress` for the event's keys."""
    done, total, kept = event["done"], event["total"], event["kept"]
    parts = [f"{done:,} of {total:,} ({done / total:.0%})" if total else f"{done:,}"]
    parts += [f"{kept / done:.0%} kept"] if done else []
    parts += [f"{event['reused']:,} from the journal"] if event["reused"] else []
    speeds = f"{_number(event['requests_per_second'])} requests/s, {_number(event['tokens_per_second'])} tokens/s"
    parts += [speeds, f"{event['in_flight']:,} in flight", f"{event['rate_limited']:,} 429s"]
    parts += [f"{event['tokens']:,} tokens, ${event['usd']:,.4f}"]
    left = event["eta_seconds"]
    parts += [event["doing"]] if event.get("doing") else []
    if left is not None and done != total:
        parts += [f"{left:.0f} s left" if left < 100 else f"{left / 60:.0f} min left"]
    return ", ".join(parts)


def _counts(event: Event) -> str:
    dropped = sum(event.get("dropped", {}).values())
    reasons = ", ".join(
        f"{reason} {n:,}" for reason, n in sorted(event.get("dropped", {}).items(), key=lambda i: -i[1])
    )
    return f"{event.get('kept', 0):>6,} kept" + (f"  {dropped:,} dropped ({reasons})" if dropped else "")


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
