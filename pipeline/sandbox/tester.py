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
import builtins
import operator
import os
import random
import sys
import types
import unittest
from collections.abc import Callable
from typing import Any

from pipeline.sandbox import codec, wire
from pipeline.sandbox.child import CHANNEL, LINK, describe
from pipeline.sandbox.reduce import asserts_anything
from pipeline.sandbox.show import shown
from pipeline.sandbox.standin import Caller

_SHOWN = 200
_COMPARE: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Is: ("is", operator.is_),
    ast.IsNot: ("is not", operator.is_not),
}
_BY_SIGN = dict(_COMPARE.values())


class _Asserts(ast.NodeTransformer):
    """Turns `assert a == b` into a call that says what `a` and `b` were; other asserts get their text as message."""

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        text = ast.unparse(node.test)[:_SHOWN]
        if isinstance(node.test, ast.Compare) and len(node.test.ops) == 1 and type(node.test.ops[0]) in _COMPARE:
            sign = _COMPARE[type(node.test.ops[0])][0]
            arguments = [ast.Constant(sign), node.test.left, node.test.comparators[0], ast.Constant(text)]
        else:
            arguments = [ast.Constant(""), node.test, ast.Constant(None), ast.Constant(text)]
        call = ast.Call(ast.Name("__assert__", ast.Load()), arguments, [])
        return ast.copy_location(ast.Expr(call), node)


def _assert(sign: str, left: Any, right: Any, text: str) -> None:
    if not sign:
        if not left:
            raise AssertionError(f"{text}: got {shown(left)}")
    elif not _BY_SIGN[sign](left, right):
        wanted = f"expected {shown(right)}" if sign == "==" else f"expected {sign} {shown(right)}"
        raise AssertionError(f"{text}: {wanted}, got {shown(left)}")


def _imported_names(source: str) -> dict[str, tuple[str, str]]:
    """Names that a program's top level imports from the standard library: name -> (module, attribute or "")."""
    found: dict[str, tuple[str, str]] = {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                if root in sys.stdlib_module_names:
                    found[alias.asname or root] = (alias.name if alias.asname else root, "")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in sys.stdlib_module_names:
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module, alias.name)
    return found


def _free_names(tree: ast.Module) -> list[str]:
    """Names that a test reads and neither binds at its top level nor finds among the builtins."""
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(a.asname or a.name).split(".")[0] for a in node.names}
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return sorted(read - bound)


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


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def main() -> None:
    """Run the test that the judge sends and tell it how it ended."""
    request = codec.load(wire.receive(CHANNEL))
    random.seed(0)
    caller = Caller(LINK, _lost)
    try:
        _run(request["test"], request["entry_point"], request["source"], caller)
        answer: list[Any] = ["held"]
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


def _run(test: str, entry_point: str, source: str, caller: Caller) -> None:
    tree = ast.parse(test)
    if not asserts_anything(tree):
        raise AssertionError("the test asserts nothing")
    module = types.ModuleType("test")
    sys.modules["test"] = module
    names = module.__dict__
    names["__assert__"] = _assert
    imported = _imported_names(source)
    for name in {*_free_names(tree), entry_point}:
        if name in imported and name != entry_point:
            package, attribute = imported[name]
            __import__(package)
            names[name] = getattr(sys.modules[package], attribute) if attribute else sys.modules[package]
        elif name == entry_point or not hasattr(builtins, name):
            known, value = caller.look_up(name)
            if known:
                names[name] = value
            elif name in sys.stdlib_module_names:
                names[name] = __import__(name)
    candidate = names.get(entry_point)
    caller.strict = not (isinstance(candidate, type) and _uses_objects(tree))
    if candidate is None:
        raise AssertionError(f"the program defines no {entry_point}")
    names.setdefault("candidate", candidate)
    code = compile(ast.fix_missing_locations(_Asserts().visit(tree)), "test.py", "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102 - what this process is for
    _run_functions(names, candidate)


def _run_functions(names: dict[str, Any], candidate: Any) -> None:
    """Run what the test only defines: `check`, else its TestCase classes and `test_*` functions."""
    check = names.get("check")
    if isinstance(check, types.FunctionType):
        check(candidate)
        return
    for name, value in list(names.items()):
        if isinstance(value, type) and issubclass(value, unittest.TestCase) and value.__module__ == "test":
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromTestCase(value).run(result)
            for case, report in (*result.failures, *result.errors):
                raise AssertionError(f"{case.id()}: {report.strip().splitlines()[-1]}")
        elif name.startswith("test") and isinstance(value, types.FunctionType) and not value.__code__.co_argcount:
            value()


def start() -> None:
    """Entry point after the fork; never returns."""
    try:
        main()
        os.read(CHANNEL, 1)
    except BaseException:
        os._exit(70)
    os._exit(0)
