"""`python`: a program's tests and the examples of its docstring, as the stage `validated` runs them."""

from pipeline.checkers.protocol import (
    BAD_CHECK,
    BAD_CHECK_MEANS,
    Check,
    Item,
    Kind,
    Means,
    Ruling,
    Terms,
    right,
)
from pipeline.checkers.running import Executing, Work
from pipeline.checkers.shapes import Key, malformed
from pipeline.sandbox import Limits, Program, Sandbox, Verdict
from pipeline.sandbox.docstrings import docstring_examples

_KEYS = {
    "test": Key(str, 'asserts on `entry_point`, `check(candidate)` or unittest classes; "" for examples alone'),
    "entry_point": Key(str, "the function that is tested", required=True),
    "examples": Key(bool, "whether the `>>>` examples in the solution's docstring are run too; true if left out"),
    "require_test": Key(bool, "whether a test that compares nothing is a fault; true if left out"),
    "prelude": Key(str, "code that runs before the solution"),
}
_REASON_OF = {
    "failed": "test-failed",
    "no-test": "no-test",
    "syntax-error": "syntax-error",
    "timeout-cpu": "timeout",
    "timeout-wall": "timeout",
    "uncomparable": "uncomparable",
}
_REASONS = {
    "test-failed": "a test or an example came out otherwise than it says",
    "no-test": "no comparison ran that depends on what the function returns",
    "syntax-error": "the code is no Python of the version that runs it",
    "timeout": "it used up its CPU time, or waited too long",
    "crash": "the program ended before its test did: by memory, output, an exit, or something forbidden",
    "uncomparable": "the verdict would rest on a comparison that the program's own types define",
    BAD_CHECK: BAD_CHECK_MEANS,
}


def _faults(check: Check) -> list[str]:
    return malformed(check, _KEYS)


def _program(item: Item) -> Program:
    check = item.check
    entry_point, prelude = str(check["entry_point"]), str(check.get("prelude", ""))
    examples = docstring_examples(item.solution, entry_point) if check.get("examples", True) else ()
    source = f"{prelude}\n{item.solution}" if prelude else item.solution
    return Program(
        item.id, source, entry_point, str(check.get("test", "")), examples, bool(check.get("require_test", True))
    )


def _ruling(item: Item, verdict: Verdict) -> Ruling:
    if verdict.passed:
        return right(item, verdict.cpu_seconds)
    plain = verdict.verdict in ("failed", "no-test", "syntax-error", "uncomparable")
    detail = verdict.detail if plain else f"{verdict.verdict}: {verdict.detail}"
    return Ruling(
        item.id, False, _REASON_OF.get(verdict.verdict, "crash"), detail=detail, cpu_seconds=verdict.cpu_seconds
    )


def _make(terms: Terms, means: Means) -> Executing:
    limits = Limits(cpu_seconds=terms.cpu_seconds, memory_mb=terms.memory_mb)
    sandbox = Sandbox(limits, workers=means.workers, mode=means.mode, packages=terms.packages)
    return Executing(KIND.name, Work(_faults, _program, _ruling), sandbox)


KIND = Kind(
    name="python",
    language="python",
    version=1,
    what="a program's tests and the examples of its docstring",
    reasons=_REASONS,
    keys={name: key.meaning for name, key in _KEYS.items()},
    faults=_faults,
    make=_make,
)
