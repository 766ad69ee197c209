"""How each of a teacher's servers did, over all calls of a run: from its events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ServerView:
    """One of several servers of a teacher.

    answered, failed: requests. tokens: of its answers. busy_seconds: time in which it had something to answer.
    """

    server: str
    answered: int
    failed: int
    tokens: int
    busy_seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Of the time in which it had something to answer."""
        return self.tokens / self.busy_seconds if self.busy_seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """One entry of a teacher's `servers` in report.json."""
        return {
            "server": self.server,
            "answered": self.answered,
            "failed": self.failed,
            "tokens": self.tokens,
            "busy_seconds": round(self.busy_seconds, 3),
            "tokens_per_second": round(self.tokens_per_second, 1),
        }


def servers(events: Iterable[Mapping[str, Any]]) -> dict[str, tuple[ServerView, ...]]:
    """By teacher, its servers in the order of their addresses.

    events: those of kind "servers". The last one of each conversation counts: it has the sums since that began.
    """
    last = {(event["teacher"], event.get("stage"), event["began"]): event["servers"] for event in events}
    sums: dict[str, dict[str, ServerView]] = {}
    for (teacher, _, _), figures in last.items():
        found = sums.setdefault(teacher, {})
        for one in figures:
            before = found.get(one["server"]) or ServerView(one["server"], 0, 0, 0, 0.0)
            found[one["server"]] = ServerView(
                one["server"],
                before.answered + one["answered"],
                before.failed + one["failed"],
                before.tokens + one["tokens"],
                before.busy_seconds + one["busy_seconds"],
            )
    return {teacher: tuple(found[name] for name in sorted(found)) for teacher, found in sums.items()}
