"""What came of a program before it is a verdict: assertions held against values, exceptions, how processes end."""

import errno
import functools
import os
import signal
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from pipeline.sandbox import codec
from pipeline.sandbox.reduce import SIGNS, Assertion, Irreducible, Reduced, evaluate, reduce, text_of
from pipeline.sandbox.show import error_text, shown
from pipeline.sandbox.types import Limits

_BLOCKED_ERRNOS = frozenset({errno.EPERM, errno.EACCES, errno.EROFS})
"""What seccomp, landlock and permissions, and the read-only view answer."""
NO_FORM = "which cannot be compared outside the program's process"


class Outcome(NamedTuple):
    """A verdict before it is a record."""

    verdict: str
    detail: str


class End(NamedTuple):
    """How a process ended: wait status, the limit that was met or "", CPU seconds."""

    status: int
    met: str
    cpu: float

    @property
    def code(self) -> int:
        """Exit status, or minus the signal."""
        return os.waitstatus_to_exitcode(self.status)


class ServerLost(Exception):
    """The fork-server is gone; this worker cannot go on."""


class _TooLong(BaseException):
    """The judge has worked on what a program sent for as long as the program may."""


def in_time(take: Callable[..., Outcome | None]) -> Callable[..., Outcome | None]:
    """A method of a session that reads what its program sent, ended where it takes more than the CPU time of one.

    What a value is made of is the program's choice, and so is how long it takes to compare: many fractions to add.
    Between two steps of Python the judge can be stopped; single ones are bounded where values are made (kinds.py).
    """

    @functools.wraps(take)
    def taken(session: Any, *arguments: Any) -> Outcome | None:
        seconds, running = session.judge.limits.cpu_seconds, True

        def late(*_: Any) -> None:
            if running:
                raise _TooLong

        try:
            signal.signal(signal.SIGPROF, late)
            signal.setitimer(signal.ITIMER_PROF, seconds)
            outcome = take(session, *arguments)
            running = False
            return outcome
        except _TooLong:
            return Outcome("timeout-cpu", f"what it returned took more than {seconds:g} CPU s to compare")
        finally:
            running = False
            signal.setitimer(signal.ITIMER_PROF, 0.0)

    return taken


@lru_cache(maxsize=64)
def plan(test: str, entry_point: str) -> Reduced | None:
    """The reduced test, or None where it has to run in a process of its own. Raises SyntaxError."""
    try:
        return reduce(test, entry_point)
    except (Irreducible, RecursionError, KeyError, TypeError):
        return None


@lru_cache(maxsize=64)
def tests_something(test: str, entry_point: str) -> bool:
    """Whether a reduced test depends on what the function returns."""
    reduced = plan(test, entry_point)
    return reduced is not None and reduced.depends()


def judge_assertion(assertion: Assertion, results: list[Any], constants: list[Any]) -> Outcome | None:
    """None where a reduced assertion holds on `results`, else how it does not."""
    left = right = None
    try:
        left = evaluate(assertion.left, results, constants)
        if assertion.right is None:
            if left:
                return None
            return Outcome("failed", f"assert {text_of(assertion)}: got {shown(left)}")
        right = evaluate(assertion.right, results, constants)
        if SIGNS[assertion.sign](left, right):
            return None
    except codec.OpaqueUsed as error:
        verdict = "failed" if error.wrong else "uncomparable"
        return Outcome(verdict, f"assert {text_of(assertion)}: got {error}, {NO_FORM}")
    except Exception as error:
        return Outcome("failed", f"assert {text_of(assertion)}: {type(error).__name__}: {str(error)[:200]}")
    wanted = shown(right) if assertion.sign == "==" else f"{assertion.sign} {shown(right)}"
    return Outcome("failed", f"assert {text_of(assertion)}: expected {wanted}, got {shown(left)}")


def unforeseen(error: Exception) -> Outcome:
    """The verdict where the judge itself failed over a program or its test: on these alone, and the worker lives on."""
    return Outcome("uncomparable", f"the judge could not compare it: {type(error).__name__}: {str(error)[:200]}")


def raised(where: str, description: Any) -> Outcome:
    """The verdict on a program that ended with an exception, from the child's description of it."""
    bases, _, _, line, number = description
    text = f"{where}{error_text(description)}" + (f" (line {int(line)})" if line else "")
    if "MemoryError" in bases or number == errno.ENOMEM:
        return Outcome("memory", text)
    if "PermissionError" in bases or number in _BLOCKED_ERRNOS:
        return Outcome("blocked", text)
    return Outcome("failed", text)


def of_ends(ends: Mapping[int, End], limits: Limits) -> Outcome:
    """The verdict where a process ended, or was ended, before it had answered. ends: by role, 0 for the program."""
    for role, end in sorted(ends.items()):
        who = "the test" if role else "the program"
        if end.met == "cpu" or (end.code == -signal.SIGKILL and end.cpu >= limits.cpu_seconds):
            return Outcome("timeout-cpu", f"{who} used more than {limits.cpu_seconds:g} CPU s")
        if end.met == "idle":
            return Outcome("timeout-wall", f"slept more than {limits.idle_seconds:g} s")
        if end.met == "wall":
            return Outcome("timeout-wall", f"ran longer than {limits.wall_seconds:g} s")
        if end.met == "output":
            return Outcome("output", f"wrote more than {limits.output_kb:,} KiB")
        if end.code == -signal.SIGSYS:
            return Outcome("blocked", f"{who} made a system call that the sandbox refuses")
        if end.met == "layer":
            return Outcome("infrastructure", "a layer could not be put on in the fork")
    for _, end in sorted(ends.items()):
        if end.code < 0 and end.code != -signal.SIGKILL:
            return Outcome("crash", f"ended by {signal.Signals(-end.code).name}")
        if end.code >= 0:
            return Outcome("early-exit", f"exited with status {end.code} before it had answered")
    return Outcome("crash", "ended by SIGKILL")
