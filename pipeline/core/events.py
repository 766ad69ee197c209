"""What happens, told to whoever watches: the progress line, a run's log, a program that calls us."""

from collections.abc import Callable, Mapping
from typing import Any

Event = Mapping[str, Any]
"""One thing that happened. "event" names its kind, "stage" where; the rest is the kind's own, said where it is sent."""

OnEvent = Callable[[Event], None]


def silent(*_: object) -> None:
    """The listener of what nobody watches."""
