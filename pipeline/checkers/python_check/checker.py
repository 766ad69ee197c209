"""`python-check`: a folder's own `check.py`, for whatever no other checker knows."""

import ast
import json

from pipeline.checkers.protocol import (
    BAD_CHECK,
    BAD_CHECK_MEANS,
    Check,
    Item,
    Kind,
    Means,
    Ruling,
    Terms,
    bad_check,
    right,
    wrong,
)
from pipeline.checkers.running import Executing, Work, answered, ended, oversize
from pipeline.core.errors import RecipeError
from pipeline.core.syntax import tree_of
from pipeline.sandbox import Example, Limits, Program, Sandbox, Verdict

LONGEST = 100_000
"""Characters of an answer at most."""
_HINT = "check.py defines `def check(item)`, which returns None where item.solution is right, else why it is not"
_REASONS = {
    "wrong": "it is refused by check.py",
    "error": "check.py raised an exception on it",
    "too-large": "the answer, its memory or its output is over a limit",
    "timeout": "it used up its CPU time",
    BAD_CHECK: BAD_CHECK_MEANS,
}
_MODULE = "pipeline.checkers.python_check.child"


def _faults(check: Check) -> list[str]:
    """None: the keys are check.py's own matter."""
    return []


def _program(source: str, item: Item) -> Program | Ruling:
    if len(item.solution) > LONGEST:
        return oversize(item, item.solution, LONGEST)
    given = {"id": item.id, "prompt": item.prompt, "solution": item.solution, "check": item.check}
    call = f"import {_MODULE} as told; told.tell(check, {json.dumps(given)!r})"
    return Program(item.id, source, examples=(Example(call),), observe=True)


def _ruling(item: Item, verdict: Verdict) -> Ruling:
    said = answered(verdict)
    if said is None:
        if verdict.verdict in ("failed", "syntax-error", "blocked"):
            return bad_check(item, [f"check.py: {verdict.detail}"])
        return ended(item, verdict)
    if "fault" in said:
        return bad_check(item, [said["fault"]])
    if said["passed"]:
        return right(item, verdict.cpu_seconds)
    return wrong(item, said["reason"], said.get("expected", ""), said.get("found", ""), "", verdict.cpu_seconds)


def _make(terms: Terms, means: Means) -> Executing:
    try:
        tree = tree_of(terms.program)
    except (SyntaxError, ValueError) as error:
        raise RecipeError(f"check.py is no Python: {error}", hint=_HINT) from None
    except (RecursionError, MemoryError):
        raise RecipeError("check.py is no Python: it is nested too deeply", hint=_HINT) from None
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if "check" not in defined:
        found = ", ".join(defined) or "none"
        raise RecipeError(f"check.py defines no function 'check'; its functions are {found}", hint=_HINT)
    limits = Limits(cpu_seconds=terms.cpu_seconds, memory_mb=terms.memory_mb)
    sandbox = Sandbox(limits, means.workers, means.mode, terms.packages, (_MODULE,))
    return Executing(KIND.name, Work(_faults, lambda item: _program(terms.program, item), _ruling), sandbox)


KIND = Kind(
    name="python-check",
    language="text",
    version=1,
    what="a folder's own check.py",
    reasons=_REASONS,
    keys={"*": "whatever check.py reads from `item.check`"},
    faults=_faults,
    make=_make,
)
