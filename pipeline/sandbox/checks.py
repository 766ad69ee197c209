"""Counts what a test compares: its asserts, made to report, and the assertion methods of unittest and pytest.

The test runs as it is written, but for this: an assert reports that it ran and whether it held, an `if`, `while` or
`match` that guards a `raise` counts as the comparison it is, and `unittest.main()` does nothing, as the sandbox runs
the tests itself. So a failed assertion that the test swallows is known, and so is a test that compared nothing. An
assert whose expression is a constant (`assert True`, `assert (f(1) == 2, "message")`) counts for nothing.
"""

import ast
import functools
import operator
import unittest
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeGuard

from pipeline.core.syntax import source_of
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

    def sealed(self, sign: str, left: Any, right: Any, place: int, withheld: str) -> None:
        """As `compare`, where the judge holds the text at `place` and the side named by `withheld` ("" for none)."""
        raise NotImplementedError

    def caught(self) -> None:
        """An exception was caught: that it was raised depends on the program."""
        self.ran += 1

    @staticmethod
    def map(function: Any, *iterables: Any) -> Iterator[Any]:
        """`map`, which does not take a StopIteration that `function` raises for the end."""
        for values in zip(*iterables, strict=False):
            yield function(*values)

    @staticmethod
    def filter(function: Any, iterable: Any) -> Iterator[Any]:
        """`filter`, likewise."""
        for value in iterable:
            if function(value) if function is not None else value:
                yield value

    def seen(self, value: Any) -> Any:
        """The condition of an `if` or `while`, or the subject of a `match`, that guards a `raise`."""
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


class Sealed(NamedTuple):
    """A test to run beside the program, without what only the judge needs to know.

    source: it reports its comparisons by place. texts: of the comparisons. constants: place -> the value withheld.
    due: the places with a value withheld that a whole run compares.
    """

    source: str
    texts: list[str]
    constants: dict[int, Any]
    due: frozenset[int]


def sealed(test: str, constant: Callable[[ast.expr], Any], due: Callable[[ast.Module], Any] = lambda _: ()) -> Sealed:
    """The sealed form of a test. constant: the value of an expression; raises Exception for what is none. due: the
    statements that every whole run reaches."""
    tree = ast.parse(test)
    reporting = _Sealing(constant, frozenset(due(tree)))
    made = ast.fix_missing_locations(reporting.visit(tree))
    return Sealed(source_of(made), reporting.texts, reporting.constants, frozenset(reporting.due))


def instrumented(tree: ast.Module) -> ast.Module:
    """The test, reporting to the `Checks` that it finds under `NAME`. Changes `tree`."""
    made: ast.Module = _Reporting().visit(tree)
    return ast.fix_missing_locations(made)


def _reports(method: str, *arguments: ast.expr) -> ast.Expr:
    target = ast.Attribute(ast.Name(NAME, ast.Load()), method, ast.Load())
    return ast.Expr(ast.Call(target, list(arguments), []))


class _Reporting(ast.NodeTransformer):
    """Makes the statements of a test report."""

    def comparison(self, sign: str, left: ast.expr, right: ast.expr, text: str) -> ast.Expr:
        """The statement that compares."""
        return _reports("compare", ast.Constant(sign), left, right, ast.Constant(text))

    def said(self, text: str) -> ast.Constant:
        """What a `raise` of the test says of itself."""
        return ast.Constant(text)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in ("map", "filter") and len(node.args) > 1:
            node.func = ast.copy_location(ast.Attribute(ast.Name(NAME, ast.Load()), node.func.id, ast.Load()), node)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> Any:
        node.body.insert(0, ast.copy_location(_reports("caught"), node.body[0]))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: Any) -> Any:
        at = 1 if ast.get_docstring(node, clean=False) is not None else 0
        self.generic_visit(node)
        node.body.insert(at, ast.copy_location(_reports("begins", ast.Constant(node.name)), node.body[0]))
        return node

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's name

    def visit_Assert(self, node: ast.Assert) -> Any:
        text = source_of(node.test)[:_SHOWN]
        self.generic_visit(node)
        test = node.test
        if always_true(test):
            return ast.copy_location(ast.Expr(test), node)
        if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in SIGNS:
            sign, left, right = SIGNS[type(test.ops[0])][0], test.left, test.comparators[0]
        else:
            sign, left, right = "", test, ast.Constant(None)
        report = self.comparison(sign, left, right, text)
        return [ast.copy_location(made, node) for made in (_reports("enter"), report)]

    def visit_If(self, node: Any) -> Any:
        if _refuses(node):
            node.test = _reports("seen", node.test).value
        return self.generic_visit(node)

    visit_While = visit_If  # noqa: N815 - ast's name

    def visit_Match(self, node: ast.Match) -> Any:
        if _refuses(node):
            node.subject = _reports("seen", node.subject).value
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> Any:
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        if isinstance(raised, ast.Name) and raised.id == "AssertionError":
            report = _reports("refuse", self.said(source_of(node)[:_SHOWN]))
        else:
            report = _reports("raises")
        return [ast.copy_location(report, node), node]

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("assert"):
            self.generic_visit(node)
            return [ast.copy_location(_reports("enter"), node), node, ast.copy_location(_reports("leave"), node)]
        return self.generic_visit(node)


_EQUAL = frozenset(
    f"assert{name}" for name in ("Equal", "Equals", "ListEqual", "DictEqual", "TupleEqual", "SetEqual", "SequenceEqual")
)
"""Assertion methods that are written as `==` in a sealed test."""


class _Sealing(_Reporting):
    """Withholds the constants that results are compared with, and the texts of the comparisons."""

    def __init__(self, constant: Callable[[ast.expr], Any], reached: frozenset[ast.stmt]) -> None:
        self.constant = constant
        self.reached = reached
        self.is_reached = False
        self.texts: list[str] = []
        self.constants: dict[int, Any] = {}
        self.due: set[int] = set()

    def comparison(self, sign: str, left: ast.expr, right: ast.expr, text: str) -> ast.Expr:
        place = len(self.texts)
        self.texts.append(text)
        withheld = ""
        if sign in ("==", "!=", "is", "is not"):
            for side, node in (("right", right), ("left", left)):
                try:
                    self.constants[place] = self.constant(node)
                except Exception:  # no constant, or one that is too large: it stays where it is
                    continue
                withheld = side
                self.due |= {place} if self.is_reached else set()
                break
        nothing = ast.Constant(None)
        sides = (nothing if withheld == "left" else left, nothing if withheld == "right" else right)
        return _reports("sealed", ast.Constant(sign), *sides, ast.Constant(place), ast.Constant(withheld))

    def said(self, text: str) -> ast.Constant:
        return ast.Constant("the test raised AssertionError")

    def visit_Assert(self, node: ast.Assert) -> Any:
        self.is_reached = node in self.reached
        return super().visit_Assert(node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        self.is_reached = node in self.reached
        call = node.value
        if _is_equality(call):
            text = source_of(call)[:_SHOWN]
            self.generic_visit(node)
            report = self.comparison("==", call.args[0], call.args[1], text)
            return [ast.copy_location(made, node) for made in (_reports("enter"), report)]
        return super().visit_Expr(node)


def _is_equality(call: ast.expr) -> TypeGuard[ast.Call]:
    """Whether a call is an assertion method that means `==` of its first two arguments."""
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _EQUAL):
        return False
    return len(call.args) >= 2 and not any(isinstance(a, ast.Starred) for a in call.args)


def _refuses(node: ast.AST) -> bool:
    """Whether a statement may raise, so that its condition compares; mutants tell whether a result decides it."""
    return any(isinstance(inner, ast.Raise) for inner in ast.walk(node))


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
