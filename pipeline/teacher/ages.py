"""When answers were given: the model behind a URL and a name may change, and nothing in a request shows it."""

from collections.abc import Collection
from datetime import UTC, datetime

DAY = 86_400


def day(seconds: int) -> str:
    """The day of a time in seconds since the epoch, as "2026-11-28" in UTC; "" for 0, which is not known."""
    return datetime.fromtimestamp(seconds, UTC).date().isoformat() if seconds else ""


def told_ages(times: Collection[int], of: int, now: int) -> str:
    """What is to be said of answers that were given before, "" where there are none.

    times: of each, in seconds since the epoch, 0 where that is not known. of: all answers, new ones too.
    """
    if not times:
        return ""
    known = [time for time in times if time]
    text = f"{len(times)} of {of} answers were given before"
    if known:
        first, last = day(min(known)), day(max(known))
        days = max(0, now - min(known)) // DAY
        age = "today" if not days else "1 day ago" if days == 1 else f"{days} days ago"
        text += f", on {first} ({age})" if first == last else f", from {first} ({age}) to {last}"
    if len(known) < len(times):
        text += f", {len(times) - len(known)} of them on a day that was not written down"
    return f"{text}; --fresh asks for them again"
