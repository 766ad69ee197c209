"""Program and test in one process: for tests that replace what the program reads and writes, or look at it closely.

A test that captures output, replaces `input`, sets seeds or the environment, hands over iterators and files, awaits a
coroutine or looks at a signature has to share a process with what it tests. This is the second, sealed mode; a program
is judged so only after the first (tester.py, or the judge alone) has not found it right, and the verdict says so.

Nothing in this process decides. What stands between a program and a pass that it does not deserve:

- The gate (gate.py): the judge reads the program before it runs, and lets it in only if its text has no way to reach a
  frame, a namespace but its own, a file descriptor, or a name of the standard library to change, and defines no object
  that decides what it equals. So it cannot reach the channel, nor the test.
- What the judge withholds (checks.sealed): the constants that results are compared with are not in this process. The
  values that came out travel to the judge in the encoding, and the judge compares and answers.
- The comparisons with such a constant that no whole run of the test can leave out (due.py) have to have come out right
  at the judge before it believes that the test held.
- Every comparison is sent, and the judge compares again itself where both sides have an encoding. What has none (a
  match object, a view, an object of the program) is taken as compared here.
- The test is run against sentinels, as everywhere, and has to fail with one.

What this does not stop is what is said of tester.py, and that values which a test computes or keeps in variables are in
this process.
"""

import builtins
import sys
from collections.abc import Callable
from typing import Any

from pipeline.sandbox import checks, codec, pytest_api, remote, wire
from pipeline.sandbox.checks import Checks, Failure
from pipeline.sandbox.reduce import SIGNS
from pipeline.sandbox.trial import Trial, depends

_open = builtins.open
_UNSENT = {"h": ["", "deeply nested", {}]}


def guard() -> None:
    """Before the program loads: files are opened by name, never by descriptor."""

    def opened(file: Any, *arguments: Any, **named: Any) -> Any:
        if isinstance(file, int):
            raise PermissionError(1, "a descriptor is not opened beside a test")
        return _open(file, *arguments, **named)

    builtins.open = opened


class _Asking(Checks):
    """Has the judge decide every comparison."""

    def __init__(self, channel: int) -> None:
        super().__init__()
        self.channel = channel

    def sealed(self, sign: str, left: Any, right: Any, place: int, withheld: str) -> None:
        self.ran += 1
        held: bool | None = None
        if not withheld:
            held = bool(SIGNS[sign](left, right)) if sign else bool(left)
        wire.send(self.channel, codec.dump(["compared", sign, place, withheld, _tree(left), _tree(right), held]))
        if codec.load(wire.receive(self.channel)) is not True:
            raise Failure(f"comparison {place + 1}")
        self.inside = False


def _tree(value: Any) -> Any:
    try:
        return codec.encode(value, remote.builtin_class_or_opaque)
    except Exception:  # too deep, or with methods that fail: it is then compared here
        return _UNSENT


def run(
    namespace: dict[str, Any], order: dict[str, Any], channel: int, describe: Callable[[BaseException], list[Any]]
) -> list[Any]:
    """Run the sealed test in `order` against the program in `namespace`; how it ended, for the judge."""
    checks.count_unittest()
    sys.modules["pytest"] = pytest_api
    mine = _Asking(channel)
    try:
        trial = Trial(order["test"], order["entry_point"], "", lambda name: remote.look_up(namespace, name), True)
        trial.run(mine)
        if not mine.ran:
            return ["empty", "; ".join(mine.notes)]
        if not order["known"]:
            wire.send(channel, codec.dump(["mutating"]))
            if not depends(trial.mutated, lambda: _Asking(channel)):
                return ["empty", "it holds whatever the function returns"]
        return ["held"]
    except AssertionError as error:
        return ["broke", str(error)[:600]]
    except BaseException as error:
        return ["raised", describe(error), False]
