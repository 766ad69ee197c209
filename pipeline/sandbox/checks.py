"""Counts what a test compares: its asserts, made to report, and the assertion methods of unittest and pytest.

The test runs as it is written, but for this: an assert reports that it ran and whether it held, an `if` that guards a
`raise` counts as the comparison it is, and `unittest.main()` does nothing, as the sandbox runs the tests itself. So a
failed assertion that the test swallows is known, and so is a test that compared nothing. An assert whose expression is
a constant (`assert True`, `assert (f(1) == 2, "message")`) counts for nothing.
"""

import ast
import functools
import operator
import unittest
from collections.abc import Callable
from typing import Any

from pipeline.sandbox.show import shown

_SHOWN = 200
SIGNS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], Any]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
    ast.Is: ("is", operator.is_),
    ast.IsNot: ("is not", operator.is_not),
}
_BY_SIGN = dict(SIGNS.values())
NAME = "__checks__"
"""Name under which a test finds its `Checks`."""


class Failure(AssertionError):
    """An assertion of the test that did not hold. Making one counts, so that none can be swallowed."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        current().fail(str(arguments[0]) if arguments else "the test failed")


class Checks:
    """What one run of a test has compared.

    ran: comparisons that were made. failed: the first that did not hold, "" for none. inside: a comparison is being
    made. raising: the test raised an exception by a statement of its own. notes: what was not run, and why.
    """

    def __init__(self) -> None:
        self.ran = 0
        self.failed = ""
        self.inside = False
        self.raising = False
        self.notes: list[str] = []
        self.called: set[str] = set()

    def enter(self) -> None:
        """A comparison begins: an exception from here to its end is part of it."""
        self.inside = True

    def begins(self, name: str) -> None:
        """A function of the test begins."""
        self.called.add(name)

    def leave(self) -> None:
        """A call of an assertion method has returned."""
        self.inside = False

    def note(self, text: str) -> None:
        """Remember what was not run."""
        if text not in self.notes:
            self.notes.append(text)

    def fail(self, text: str) -> None:
        """An assertion did not hold; the first one is remembered."""
        self.failed = self.failed or text

    def compare(self, sign: str, left: Any, right: Any, text: str) -> None:
        """`assert left sign right`, or `assert left` where `sign` is "". Raises Failure where that does not hold."""
        self.ran += 1
        if not sign:
            if not left:
                raise Failure(f"{text}: got {shown(left)}")
        elif not _BY_SIGN[sign](left, right):
            wanted = f"expected {shown(right)}" if sign == "==" else f"expected {sign} {shown(right)}"
            raise Failure(f"{text}: {wanted}, got {shown(left)}")
        self.inside = False

    def seen(self, value: Any) -> Any:
        """The condition of an `if` that guards a `raise`."""
        self.ran += 1
        return value

    def raises(self) -> None:
        """A `raise` of the test comes next."""
        self.raising = True

    def refuse(self, text: str) -> None:
        """A `raise AssertionError` comes next."""
        self.raising = True
        self.fail(text)


_current: list[Checks] = [Checks()]


def current() -> Checks:
    """The checks of the run that is under way."""
    return _current[-1]


def begin(checks: Checks) -> None:
    """Make `checks` those of the run that is under way."""
    _current[:] = [checks]


def count_unittest() -> None:
    """Have unittest's assertion methods count, once for this process."""
    case = unittest.TestCase
    for name in [n for n in dir(case) if n.startswith(("assert", "fail")) and n != "failureException"]:
        setattr(case, name, _counting(getattr(case, name)))
    case.failureException = Failure
    unittest.main = _nothing  # type: ignore[assignment]


def _nothing(*_: Any, **__: Any) -> None:
    """In place of `unittest.main`: the sandbox runs the tests itself."""


def _counting(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def counted(*arguments: Any, **named: Any) -> Any:
        current().ran += 1
        return method(*arguments, **named)

    return counted


def instrumented(tree: ast.Module) -> ast.Module:
    """The test, reporting to the `Checks` that it finds under `NAME`. Changes `tree`."""
    made: ast.Module = _Reporting().visit(tree)
    return ast.fix_missing_locations(made)


def _reports(method: str, *arguments: ast.expr) -> ast.Expr:
    target = ast.Attribute(ast.Name(NAME, ast.Load()), method, ast.Load())
    return ast.Expr(ast.Call(target, list(arguments), []))


class _Reporting(ast.NodeTransformer):
    """Makes the statements of a test report."""

    def visit_FunctionDef(self, node: Any) -> Any:
        at = 1 if ast.get_docstring(node, clean=False) is not None else 0
        self.generic_visit(node)
        node.body.insert(at, ast.copy_location(_reports("begins", ast.Constant(node.name)), node.body[0]))
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_Assert(self, node: ast.Assert) -> Any:
        test = node.test
        text = ast.unparse(test)[:_SHOWN]
        if always_true(test):
            return ast.copy_location(ast.Expr(test), node)
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in SIGNS:
            sign, left, right = SIGNS[type(test.ops[0])][0], test.left, test.comparators[0]
        else:
            sign, left, right = "", test, ast.Constant(None)
        report = _reports("compare", ast.Constant(sign), left, right, ast.Constant(text))
        return [ast.copy_location(made, node) for made in (_reports("enter"), report)]

    def visit_If(self, node: ast.If) -> Any:
        if any(isinstance(inner, ast.Raise) for branch in (node.body, node.orelse) for inner in branch):
            node.test = _reports("seen", node.test).value
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if isinstance(raised, ast.Name) and raised.id == "AssertionError":
            report = _reports("refuse", ast.Constant(ast.unparse(node)[:_SHOWN]))
        else:
            report = _reports("raises")
        return [ast.copy_location(report, node), node]

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("assert"):
            return [ast.copy_location(_reports("enter"), node), node, ast.copy_location(_reports("leave"), node)]
        return node


def always_true(node: ast.expr) -> bool:
    """Whether an assert's expression is true by its form: a constant, or a display that is not empty."""
    if isinstance(node, ast.Constant):
        return bool(node.value)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(not isinstance(element, ast.Starred) for element in node.elts)
    if isinstance(node, ast.Dict):
        return bool(node.keys) and None not in node.keys
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.Constant) and part.value for part in node.values)
    return isinstance(node, ast.Lambda | ast.GeneratorExp)
