"""Runs untrusted Python and says what became of it.

Four processes, each trusted less than the one before::

    Sandbox (pool.py)         the pipeline: hands out programs, collects verdicts, restarts what dies
      judge (judge.py)        one per worker; knows the expected values, never runs the program
        server (server.py)    pid 1 of its own namespaces; forks, limits and kills; never sees a program or a test
          program (child.py)  one fork per program: computes values and sends them, knows nothing that is expected
          test (tester.py)    a second fork where a test cannot be reduced to values: calls the program by message

The verdict is made from values in a strict encoding of exact types, builtin (codec.py) or of the standard library
(kinds.py), so a lying `__eq__`, a patched `unittest`, an early exit, printed success markers or a walk up the stack
pass nothing: there is nothing in the program's process that knows how it is judged. A verdict that would need another
type's own comparison is `uncomparable`. A verdict says how it was judged, in the first of three ways that can:

values      the test reduces to calls and expressions, which the judge compares (reduce.py)
apart       the test runs in the second fork; its docstring says what that does not stop (tester.py)
together    program and test share a process, after a gate has read the program (gate.py, together.py, sealing.py); only
            where the two ways before did not find it right

A test counts where a comparison ran that depends on the function's result: comparisons are counted (checks.py), every
shape of test is found and run (cases.py, fixtures.py), and with the function's result replaced by a sentinel
(sentinel.py) the test has to fail. Otherwise the verdict is `no-test`.
"""

from typing import TYPE_CHECKING, Any

from pipeline.sandbox.types import VERDICTS, Example, Layer, Limits, Output, Program, Verdict, reached

if TYPE_CHECKING:
    from pipeline.sandbox.pool import Sandbox, layers

__all__ = ["VERDICTS", "Example", "Layer", "Limits", "Output", "Program", "Sandbox", "Verdict", "layers", "reached"]


def __getattr__(name: str) -> Any:
    """The pipeline's own side, read when it is asked for: a worker, which every program is forked from, has no use for
    it, and a smaller process is forked sooner."""
    if name in ("Sandbox", "layers"):
        from pipeline.sandbox import pool

        return getattr(pool, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
