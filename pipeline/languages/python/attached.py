"""The tests that came with an answer, made runnable beside the function and nothing else.

Models write asserts, `test_` functions that nobody calls, a main guard, an import of the solution from a file that does
not exist, or the function once more before its tests. What is left here is statements that run at the top level and
use the function that is tested, or `unittest.TestCase` classes that do.
"""

import ast
from collections.abc import Iterable

from pipeline.core.syntax import source_of
from pipeline.languages.python.source import FunctionNode, Unit, names_in
from pipeline.sandbox.reduce import asserts_anything


def attached_tests(after: Iterable[Unit], entry_point: str) -> str:
    """The test program in `after`, the statements that follow the function; "" where nothing in it tests `entry_point`.

    A second definition of the function is left out, so that no test runs against its own copy.
    """
    parts: list[str] = []
    tests: list[FunctionNode] = []
    calls: set[str] = set()
    nodes: list[ast.stmt] = []
    for unit in after:
        first = unit.nodes[0]
        if unit.is_definition and getattr(first, "name", "") == entry_point:
            continue
        if isinstance(first, ast.ImportFrom) and entry_point in {alias.name for alias in first.names}:
            continue
        if isinstance(first, ast.If) and _is_main_guard(first):
            body = [node for node in first.body if not _is_noise(node)]
            parts += [source_of(node) + "\n" for node in body]
            calls |= names_in(body)
        elif all(_is_noise(node) for node in unit.nodes):
            continue
        else:
            parts.append(unit.text)
            if isinstance(first, FunctionNode):
                tests.append(first)
            else:
                calls |= names_in(unit.nodes)
        nodes.extend(unit.nodes)
    if not _tests(nodes, entry_point):
        return ""
    parts += [f"{test.name}()\n" for test in tests if _is_pytest(test) and test.name not in calls]
    return "".join(parts).strip("\n") + "\n"


def _tests(nodes: list[ast.stmt], entry_point: str) -> bool:
    """Whether something is asserted, by a statement or a method of unittest, and the function or `candidate` occurs."""
    return any(map(asserts_anything, nodes)) and bool(names_in(nodes) & {entry_point, "candidate"})


def _is_main_guard(node: ast.If) -> bool:
    return "__name__" in names_in([node.test]) and not node.orelse


def _is_noise(node: ast.stmt) -> bool:
    """Whether a statement only prints, or hands over to a test runner (whoever runs the tests finds them)."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    return source_of(node.value.func) in {"print", "unittest.main", "doctest.testmod", "pytest.main"}


def _is_pytest(node: FunctionNode) -> bool:
    """Whether pytest would call this function and it can be called as it is."""
    arguments = node.args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test") and not needed and not node.decorator_list
