"""SIGTERM ends a command the way Ctrl-C does: what is under way is drained, what is finished is kept."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def terminable() -> Iterator[None]:
    """While it lasts, SIGTERM raises KeyboardInterrupt. Outside the main thread, which alone may set it, nothing is."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled({signal.SIGTERM: stop}):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """While it lasts, SIGINT and SIGTERM are ignored: for the last words of a command that one of them has ended."""
    with _handled({signal.SIGINT: signal.SIG_IGN, signal.SIGTERM: signal.SIG_IGN}):
        yield


@contextmanager
def _handled(handlers: dict[signal.Signals, Any]) -> Iterator[None]:
    previous: dict[signal.Signals, Any] = {}
    try:
        for number, handler in handlers.items():
            previous[number] = signal.signal(number, handler)
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
