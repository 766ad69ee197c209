"""The test's own process, for tests that do not reduce to calls and expressions (loops, random inputs, unittest).

The test runs here unchanged, apart from asserts that record what they compared; the program runs elsewhere and is
called by message (remote.py). So a program cannot reach the test, its `unittest` or its expected values.

What this does not stop. The test believes what the program's own objects and helper functions say of themselves: where
it compares two objects of the program's classes, or tests a class by its attributes, the program's methods decide;
where it checks an answer with a function of the prompt (HumanEval/38 and 50 decode what `encode_cyclic` encoded), a
program that redefines that function can make its own answer right. An object of the program never equals a builtin
value, whatever its `__eq__` says. Names that the program imported from the standard library, and all builtins, are the
real ones here.
"""

import ast
import os
import sys
from typing import Any

from pipeline.sandbox import checks, codec, pytest_api, wire
from pipeline.sandbox.checks import Checks
from pipeline.sandbox.child import CHANNEL, LINK, describe
from pipeline.sandbox.standin import Caller
from pipeline.sandbox.trial import Trial, depends


def _uses_objects(tree: ast.Module) -> bool:
    """Whether a test looks into objects: reads an attribute of something that is no module and not `self`.

    A test of a class does; one of a function mostly does not, and a class in the function's place is held to values.
    """
    plain = {"self", "cls"} | sys.stdlib_module_names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            plain |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    reads = (node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return any(not (isinstance(base, ast.Name | ast.Attribute) and _root(base) in plain) for base in reads)


def _asks_identity(tree: ast.Module) -> bool:
    """Whether a test compares by identity with something other than a constant."""
    nodes = list(ast.walk(tree))
    names = {n.attr for n in nodes if isinstance(n, ast.Attribute)} | {n.id for n in nodes if isinstance(n, ast.Name)}
    compared = [
        n for n in nodes if isinstance(n, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in n.ops)
    ]
    sides = [(n.left, *n.comparators) for n in compared]
    constants = [any(isinstance(side, ast.Constant) for side in both) for both in sides]
    return bool(names & {"assertIs", "assertIsNot", "id"}) or not all(constants)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def main() -> None:
    """Run the test that the judge sends and tell it how it ended."""
    request = codec.load(wire.receive(CHANNEL))
    caller = Caller(LINK, _lost)
    checks.count_unittest()
    sys.modules["pytest"] = pytest_api
    try:
        test = Trial(request["test"], request["entry_point"], request["source"], caller.look_up)
        caller.strict = not (isinstance(test.names[test.entry_point], type) and _uses_objects(test.tree))
        caller.identities = _asks_identity(test.tree)
        run = Checks()
        test.run(run)
        answer: list[Any] = ["held"]
        if not run.ran and caller.raised is None:
            answer = ["empty", "; ".join(run.notes)]
        elif not request["known"] and not depends(test.mutated):
            answer = ["empty", "it holds whatever the function returns"]
    except AssertionError as error:
        answer = ["uncomparable" if caller.uncompared else "broke", str(error)[:600], caller.uncompared]
    except BaseException as error:
        answer = ["raised", describe(error), caller.raised is error]
        if error is caller.refusal:
            answer = ["uncomparable", str(error)[:600], caller.uncompared]
    wire.send(CHANNEL, codec.dump(answer))
    os.close(LINK)


def _lost(error: Exception) -> None:
    """Tell the judge that the program is gone or sends nonsense, and go no further."""
    wire.send(CHANNEL, codec.dump(["lost" if isinstance(error, wire.Closed) else "nonsense", str(error)[:200]]))
    os.read(CHANNEL, 1)
    os._exit(70)


def start() -> None:
    """Entry point after the fork; never returns."""
    try:
        main()
        os.read(CHANNEL, 1)
    except BaseException:
        os._exit(70)
    os._exit(0)
