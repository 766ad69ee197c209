"""SIGTERM ends a command the way Ctrl-C does: what is under way is drained, what is finished is kept.

A chain of generators that hands on what was made or paid for loses nothing to a signal where its consumer takes items
by `undivided` and all between are `mapped`: the source learns of the signal, gives what it has, and raises.
"""

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

A = TypeVar("A")
B = TypeVar("B")


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


def undivided(source: Iterator[A]) -> Iterator[A]:
    """The items of `source`. Ctrl-C and SIGTERM that come while one is worked on are raised in `source` when the next
    one is asked for, so that no item is lost half-way."""
    stop: KeyboardInterrupt | None = None
    while True:
        try:
            item = _next(source, stop)
        except StopIteration:
            return
        with _noted() as noted:
            yield item
        stop = KeyboardInterrupt() if noted else None


@contextmanager
def _noted() -> Iterator[list[int]]:
    """While it lasts, SIGINT and SIGTERM are noted in the list, where they would else be handled."""
    noted: list[int] = []
    heard = [one for one in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(one))]
    with _handled({one: lambda number, frame: noted.append(number) for one in heard}):
        yield noted


def mapped(source: Iterator[A], each: Callable[[A], B | None]) -> Iterator[B]:
    """What `each` makes of the items of `source`, None left out. A KeyboardInterrupt that `undivided` raises here is
    raised in `source`."""
    stop: KeyboardInterrupt | None = None
    while True:
        try:
            made = each(_next(source, stop))
        except StopIteration:
            return
        stop = None
        try:
            if made is not None:
                yield made
        except KeyboardInterrupt as error:
            stop = error


def all_of(items: Iterable[A]) -> Iterator[A]:
    """All of them, and only then a KeyboardInterrupt that `undivided` has raised here."""
    stop: KeyboardInterrupt | None = None
    for item in items:
        try:
            yield item
        except KeyboardInterrupt as error:
            stop = error
    if stop is not None:
        raise stop


def _next(source: Iterator[A], stop: KeyboardInterrupt | None) -> A:
    """The next item, `stop` raised in the source first, or here where it takes none."""
    if stop is None:
        return next(source)
    throw: Callable[[BaseException], A] | None = getattr(source, "throw", None)
    if throw is None:
        raise stop
    return throw(stop)


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
