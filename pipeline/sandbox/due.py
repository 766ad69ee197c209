"""Which comparisons of a test a whole run of it cannot leave out, by the form of the test.

Where program and test share a process, the word that the test has held comes from that process. The judge knows what
results are compared with and the process does not: that each comparison that is due came out right is known to it.
"""

import ast
from collections import Counter
from collections.abc import Iterable, Iterator

from pipeline.core.syntax import source_of
from pipeline.sandbox.fixtures import GIVEN

_LEAVING = ast.Return | ast.Raise | ast.Yield | ast.YieldFrom | ast.Break | ast.Continue
_EXITS = "exit quit _exit skip skipif skipIf skipUnless skipTest SkipTest importorskip xfail __test__"
_ENDING = frozenset(_EXITS.split())
"""Names by which a test ends early or is not run; where one is read nothing is due."""
_CONTEXTS = "redirect_stdout redirect_stderr patch object dict subTest catch_warnings StringIO"
_ALWAYS = frozenset(_CONTEXTS.split())
"""Contexts that let no exception of their body pass for the end of it."""
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


def due(tree: ast.Module) -> frozenset[ast.stmt]:
    """The statements of a test that every whole run of it reaches; empty where that cannot be told."""
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    names |= {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    if names & _ENDING:
        return frozenset()
    return frozenset(_of_module(tree.body))


def _of_module(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    yield from _reached(body)
    for node in _once(body):
        if isinstance(node, _FUNCTIONS) and (node.name == "check" or node.name.startswith("test")):
            yield from _of_function(node, ())
        elif isinstance(node, ast.ClassDef):
            yield from _of_class(node)


def _of_class(node: ast.ClassDef) -> Iterator[ast.stmt]:
    methods = [one for one in _once(node.body) if isinstance(one, _FUNCTIONS)]
    if node.decorator_list or node.keywords or not all(source_of(b).endswith("TestCase") for b in node.bases):
        return
    if not node.bases and any(one.name in ("__init__", "__new__") for one in methods):
        return
    for method in methods:
        if method.name.startswith("test"):
            yield from _of_function(method, ("self",))


def _of_function(node: ast.FunctionDef | ast.AsyncFunctionDef, given: tuple[str, ...]) -> Iterator[ast.stmt]:
    """A function that is run as it is: not decorated, with no arguments but those that are there."""
    arguments = node.args
    names = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    alone = node.name == "check" and len(names) == 1 and not given
    if node.decorator_list or not (alone or set(names) <= {*given, *GIVEN}):
        return
    if not any(isinstance(inner, _LEAVING) for inner in ast.walk(node)):
        yield from _reached(node.body)


def _reached(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, and of the contexts in it."""
    for node in body:
        yield node
        if isinstance(node, ast.With | ast.AsyncWith):
            calls = [item.context_expr for item in node.items]
            if all(isinstance(call, ast.Call) and _name(call.func) in _ALWAYS for call in calls):
                yield from _reached(node.body)


def _once(body: list[ast.stmt]) -> list[ast.stmt]:
    """Functions and classes that nothing else in the body has the name of."""
    kinds = _FUNCTIONS | ast.ClassDef
    bound = Counter(_bindings(body))
    return [node for node in body if isinstance(node, kinds) and bound[node.name] == 1]


def _bindings(body: list[ast.stmt]) -> Iterator[str]:
    for inner in (inner for node in body for inner in ast.walk(node)):
        if isinstance(inner, _FUNCTIONS | ast.ClassDef):
            yield inner.name
        elif isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
            yield inner.id


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
