"""One event stream: what happens in a run is an event, written to events.jsonl and shown to whoever watches.

An event is a flat mapping with "event" and, where there is one, "stage". Nothing else in Hornbook prints progress. On a
terminal the newest event of the running stage is one live line, as much of it as is most worth knowing in the width
that there is; elsewhere there is a line when a stage starts and ends and one every `QUIET_SECONDS` between, so that a
log stays readable.
"""

import json
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.padding import Padding
from rich.text import Text

from pipeline.core.events import Event

QUIET_SECONDS = 15.0
"""Seconds between two progress lines of one stage where stderr is not a terminal."""


class Watcher:
    """Shows events on stderr; a context manager, so that the live line is always cleared."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self._console = console
        self._json = as_json
        self._live: Live | None = None
        self._last_line = 0.0

    def __enter__(self) -> "Watcher":
        if _draws(self._console) and not self._json:
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
        if not describe(event):
            return
        if self._live is not None:
            if event["event"] in _LASTING:
                self._live.update(Text())
                self._console.print(_lasting(event, self._console.width))
            else:
                self._live.update(_LiveLine(event))
        elif event["event"] in (*_LASTING, "loading") or time.monotonic() - self._last_line >= QUIET_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(describe(event), markup=False, highlight=False, soft_wrap=True)


def _draws(console: Console) -> bool:
    """Whether lines can be drawn over: on a terminal that is not a dumb one, whatever a variable says of colours."""
    return console.is_terminal and not console.is_dumb_terminal and console.file.isatty()


class _LiveLine:
    """The newest event in the terminal's width at the moment of drawing; what waits says for how long it has."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._since = time.monotonic()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        event = self._event
        if event["event"] == "loading":
            event = {**event, "seconds": time.monotonic() - self._since}
        yield Text(fitted(event, options.max_width), no_wrap=True)


_LASTING = {"stage-reused", "stage-finished", "note", "warning"}


def _lasting(event: Event, width: int) -> Any:
    """A line that stays: what is told in words is wrapped, counts are cut to the width."""
    if event["event"] in ("note", "warning"):
        return Padding(Text(_one_line(event["text"])), (0, 0, 0, 2), expand=False)
    return Text(fitted(event, width), no_wrap=True)


class Part(NamedTuple):
    """A part of a progress line. rank: the larger, the sooner it is left out where there is no room. short: what is
    said in its place then, "" for nothing."""

    rank: int
    text: str
    short: str = ""


def describe(event: Event) -> str:
    """One line of text for a person; "" for an event that is not worth one."""
    if event["event"] in ("note", "warning"):
        return f"  {_one_line(event['text'])}"
    head, between, parts = _described(event)
    return head + between.join(part.text for part in parts)


def fitted(event: Event, width: int) -> str:
    """`describe` in at most `width` columns (a wide character takes two): parts of a high rank are left out, and what
    is still too long is cut."""
    if event["event"] in ("note", "warning"):
        return _cut(describe(event), width)
    head, between, parts = _described(event)
    while len(parts) > 1 and cell_len(head + between.join(part.text for part in parts)) > width:
        last = max(range(len(parts)), key=lambda place: (parts[place].rank, place))
        shorter = [Part(parts[last].rank - 1, parts[last].short)] if parts[last].short else []
        parts = [*parts[:last], *shorter, *parts[last + 1 :]]
    return _cut(head + between.join(part.text for part in parts), width)


def _cut(line: str, width: int) -> str:
    if cell_len(line) <= width:
        return line
    return set_cell_size(line, max(0, width - 1)).rstrip() + "…" if width > 0 else ""


def _one_line(text: object) -> str:
    """`text` without line breaks and control characters, which would draw elsewhere."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)).rstrip()


def _described(event: Event) -> tuple[str, str, list[Part]]:
    """How the line begins, what stands between its parts, and the parts, all of it printable."""
    head, between, parts = _parts(event)
    return head, between, [part._replace(text=_one_line(part.text)) for part in parts]


def _parts(event: Event) -> tuple[str, str, list[Part]]:
    kind, head = event["event"], f"  {_one_line(event.get('stage', '')):<15} "
    if kind == "stage-started":
        return head, "", [Part(0, "...")]
    if kind in ("stage-reused", "stage-finished"):
        ended = "stored" if kind == "stage-reused" else f"{event['seconds']:.1f} s"
        return head, "  ", [Part(0, f"{event.get('kept', 0):>6,} kept"), *_dropped(event), Part(1, ended)]
    if kind == "loading":
        waited = f", {event['seconds']:.0f} s" if event.get("seconds", 0) >= 1 else ""
        return head, "", [Part(0, f"loading {event['what']}{waited}")]
    if kind == "found":
        return head, "", [Part(0, f"{len(event['at']):,} answers of {event['benchmark']} from before")]
    if kind == "teacher":
        return head, ", ", _conversation(event)
    if kind == "servers":
        return head, "; ", [Part(place, _server(one)) for place, one in enumerate(event["servers"])]
    if kind == "train" and "steps" in event:
        return head, ", ", _training(event)
    done, total = event.get("done", event.get("step")), event.get("total", event.get("steps"))
    parts = [Part(0, _share(done, total))] if done is not None and total else []
    hidden = _HIDDEN | ({"step", "steps"} if parts else set())
    measured = [(name.replace("_", " "), value) for name, value in event.items() if name not in hidden]
    return head, ", ", [*parts, *(Part(1, f"{name} {_number(value)}") for name, value in measured)]


_HIDDEN = {"event", "stage", "done", "total", "time", "folder"}


def _share(done: int, total: int) -> str:
    return f"{done:,} of {total:,} ({int(100 * done / total)}%)"


def _left(seconds: float) -> str:
    if seconds >= 7200:
        return f"{seconds / 3600:.1f} h left"
    return f"{seconds:.0f} s left" if seconds < 100 else f"{seconds / 60:.0f} min left"


def _training(event: Event) -> list[Part]:
    """How far training is; see `pipeline.stages.student.stage` for the event's keys."""
    step, steps = event["step"], event["steps"]
    parts = [Part(0, _share(step, steps))]
    parts += [Part(5, str(event["phase"]))] if event.get("phase") else []
    parts += [Part(3, f"loss {event['loss']:.3f}")] if event.get("loss") is not None else []
    parts += [Part(2, f"{event['tokens_per_second']:,.0f} tokens/s")] if event.get("tokens_per_second") else []
    parts += [Part(2, f"{event['images_per_second']:,.0f} images/s")] if event.get("images_per_second") else []
    rest = (("lr", "lr"), ("grad_norm", "gradient norm"), ("mfu", "MFU"))
    parts += [Part(6, f"{said} {_number(event[name])}") for name, said in rest if event.get(name) is not None]
    left = event.get("eta_seconds")
    return [*parts, Part(1, _left(left))] if left is not None and step < steps else parts


def _conversation(event: Event) -> list[Part]:
    """How far the asking of teachers is; see `pipeline.teacher.progress` for the event's keys."""
    done, total, kept = event["done"], event["total"], event["kept"]
    parts = [Part(0, f"{done:,} of {total:,} ({done / total:.0%})" if total else f"{done:,}")]
    parts += [Part(5, f"{kept / done:.0%} kept")] if done else []
    parts += [Part(6, f"{event['reused']:,} from the journal")] if event["reused"] else []
    parts += [Part(4, f"{_number(event['requests_per_second'])} requests/s")]
    parts += [Part(5, f"{_number(event['tokens_per_second'])} tokens/s")]
    parts += [Part(7, f"{event['in_flight']:,} in flight")]
    parts += [Part(3 if event["rate_limited"] else 8, f"{event['rate_limited']:,} 429s")]
    parts += [Part(6, f"{event['tokens']:,} tokens"), Part(2 if event["usd"] else 8, f"${event['usd']:,.4f}")]
    left = event["eta_seconds"]
    parts += [Part(1, event["doing"])] if event.get("doing") else []
    return [*parts, Part(1, _left(left))] if left is not None and done != total else parts


def _server(figures: Mapping[str, Any]) -> str:
    """How one of several servers does; see `pipeline.teacher.sites` for the keys."""
    rate = figures["tokens"] / (figures["busy_seconds"] or 1)
    state = "left out" if figures["out"] else f"{figures['in_flight']:,} in flight"
    return f"{figures['server']} {figures['answered']:,} answered, {_number(rate)} tokens/s, {state}"


def _dropped(event: Event) -> list[Part]:
    dropped = sorted(event.get("dropped", {}).items(), key=lambda item: -item[1])
    if not dropped:
        return []
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in dropped)
    count = f"{sum(n for _, n in dropped):,} dropped"
    return [Part(3, f"{count} ({reasons})", count)]


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
