"""Where a completion ends: functions from the text so far to the place where it is cut."""

import re
from collections.abc import Callable, Sequence

Stop = Callable[[str], int | None]
"""Given the text generated so far: the index at which to cut it, or None to go on."""

_COLUMN_ZERO = re.compile(r"\n(?=([^\s)\]}]))")


def code_stop(text: str) -> int | None:
    """End of a function's body: a newline followed by a non-space, after the body has begun.

    Not an end: a comment at column zero before the first line of the body (models write one between the docstring
    and the code), and a closing bracket at column zero, which belongs to the statement before it. Whatever the text
    has before its first newline continues the prompt's last line and is no body.
    """
    for match in _COLUMN_ZERO.finditer(text):
        if match[1] == "#" and not _has_body(text[: match.start()]):
            continue
        return match.start()
    return None


def _has_body(text: str) -> bool:
    lines = text.split("\n")[1:]
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def string_stop(strings: Sequence[str]) -> Stop:
    """Cut before the first occurrence of any of `strings`."""

    def stop(text: str) -> int | None:
        places = [place for place in (text.find(string) for string in strings) if place >= 0]
        return min(places) if places else None

    return stop
