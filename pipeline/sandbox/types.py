"""What goes into the sandbox and what comes out: `Program`, `Limits`, `Verdict`, `Layer`."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from pipeline.core.errors import SandboxUnavailable

VerdictName = Literal[
    "passed",
    "failed",
    "no-test",
    "syntax-error",
    "timeout-cpu",
    "timeout-wall",
    "memory",
    "crash",
    "early-exit",
    "output",
    "blocked",
    "uncomparable",
    "infrastructure",
]
VERDICTS: frozenset[str] = frozenset(get_args(VerdictName))
"""The closed set of verdicts.

passed: every assertion and example held. failed: one did not, or the program or test raised. no-test:
the test held but compared nothing that depends on the function's result. syntax-error: the program
does not compile. timeout-cpu: it used more CPU time than allowed; this is what decides on a busy machine. timeout-wall:
it slept longer than allowed, or met the loose wall limit. memory: it met the address space limit. crash: a
signal ended it. early-exit: it ended itself before it had answered. output: it wrote or returned more than allowed.
blocked: it ended on an action that the sandbox refuses.
uncomparable: an assertion looked into an object of a type that has no form in which values leave the program's process
(codec.py, kinds.py), or the judge itself failed over it, so that it is not known whether it holds. infrastructure: the
sandbox failed, after retries; this says nothing about the program.
"""

Judged = Literal["values", "apart", "together", ""]
"""How a test judged: "values": reduced to calls, the judge compares what they return. "apart": the test in a process of
its own. "together": both in one process, sealed (together.py). "": there was no test.
"""
Mode = Literal["strong", "weak"]


@dataclass(frozen=True, slots=True)
class Example:
    """Statements to run after the program has loaded, in its namespace.

    source: one doctest example or a whole block of code. want: the text it must print or show, as doctest states it
    (a traceback for an expected exception); None where it only has to run. options: doctest's, each as "+ELLIPSIS" or
    "-ELLIPSIS"; white space is normalised and `...` stands for anything unless they say otherwise.
    """

    source: str
    want: str | None = None
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """An untrusted program and how it is judged.

    source: the whole candidate (prelude, prompt and completion). entry_point: the function under test. test: a
    `check(candidate)` function (HumanEval), asserts on `entry_point` (MBPP), or `unittest.TestCase` classes; "" to
    require only that the program loads. examples: run after the test, in order. needs_test: whether a test that
    compares nothing is a fault ("no-test"), or as good as "". observe: whether the examples are run to see what they
    show, whatever that is, and none is wanted.
    """

    id: str
    source: str
    entry_point: str = ""
    test: str = ""
    examples: tuple[Example, ...] = ()
    needs_test: bool = True
    observe: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """What an example showed: text, as the prompt would print it; raised: the exception's type and message, or ""."""

    text: str
    raised: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use.

    cpu_seconds: CPU time, all threads. idle_seconds: wall time it may spend asleep in all, or waiting for input that
    never comes; time in which it is ready to run and waits for a CPU does not count (idle.py). wall_seconds: loose
    backstop, far above what a busy machine needs. memory_mb: address space beyond the interpreter's own, MiB; four
    times that for a test in its own process. output_kb: bytes written to stdout and stderr, and the same for values
    returned to the judge, KiB; 16 times that for a value returned to a test in its own process. tmp_mb and files: size
    and number of files of its working directory. threads: most threads.
    """

    cpu_seconds: float = 5.0
    wall_seconds: float = 120.0
    idle_seconds: float = 10.0
    memory_mb: int = 512
    output_kb: int = 4096
    tmp_mb: int = 16
    files: int = 1024
    threads: int = 64

    def as_dict(self) -> dict[str, Any]:
        """The fields by name, for the manifest and the worker's configuration."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a program.

    detail: which assertion, the value expected and the value got, or why it ended; never a secret, for a person.
    cpu_seconds: CPU time of the program and, where the test ran in a process of its own, of the test. judged: how the
    test was held against the program, see `Judged`. observed: of a program with `observe`, what its examples showed, in
    order, up to where it ended; the program's own words, which may be lies.
    """

    program_id: str
    verdict: VerdictName
    detail: str = ""
    cpu_seconds: float = 0.0
    wall_seconds: float = 0.0
    judged: Judged = ""
    observed: tuple[Output, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything that was asserted held."""
        return self.verdict == "passed"


def reached(verdict: Verdict, doing: str) -> Verdict:
    """`verdict`, where there is one. Raises SandboxUnavailable for `infrastructure`, which says nothing of a program.

    doing: what the sandbox was to do, with the program's name.
    """
    if verdict.verdict == "infrastructure":
        raise SandboxUnavailable(
            f"the sandbox could not {doing}: {verdict.detail}",
            hint="run `hornbook doctor`; the run can be resumed",
        )
    return verdict


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of isolation, whether this machine offers it, and if not, what the kernel answered."""

    name: str
    available: bool
    detail: str = ""
