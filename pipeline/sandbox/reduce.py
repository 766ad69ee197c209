"""Reduces a test to calls with constant arguments and expressions over what they return, where it has that form.

`assert abs(candidate(1.33) - 0.33) < 1e-6` becomes the call `candidate(1.33)`, made in the program's process, and the
expression `abs(r - 0.33) < 1e-6`, evaluated in the judge on the returned value. Only a closed set of syntax and of
pure builtins is evaluated there, none of which a value can make run for long or take much memory; a test with anything
else is not reduced. Covers 158 of HumanEval's 164 tests and 970 of MBPP's 974.
"""

import ast
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any, NamedTuple

from pipeline.core.syntax import DEEPEST, nesting, source_of
from pipeline.sandbox import codec
from pipeline.sandbox.remote import by_name
from pipeline.sandbox.sentinel import mutants

_MAX_CONSTANT = 1 << 20
"""Largest constant computed from a test, in bits for integers and elements for sequences."""


class Irreducible(Exception):
    """The test is not of the reducible form; the message says at what."""


class Element(NamedTuple):
    """The result of a call (store "_r") or a constant (store "_k"), by its place."""

    store: str
    place: int


@dataclass(frozen=True, slots=True)
class Assertion:
    """One assert. last: how many calls have been made when it is judged. sign is "" for a plain truth test.

    node: its expression, for `text_of`. left, right: an element, or code over `_r`, the results, and `_k`, constants.
    """

    node: ast.expr
    last: int
    sign: str
    left: CodeType | Element
    right: CodeType | Element | None


@dataclass(frozen=True, slots=True)
class Reduced:
    """calls: [function name, encoded arguments, encoded keywords, what is asked of the result (`ASKED`) or ""]."""

    calls: list[Any]
    assertions: list[Assertion]
    constants: list[Any]

    def depends(self) -> bool:
        """Whether some result would fail an assertion: one that holds whatever the function returns is none."""
        for mutant in mutants():
            results = [mutant.result() for _ in self.calls]
            for assertion in self.assertions:
                try:
                    left = evaluate(assertion.left, results, self.constants)
                    right = None if assertion.right is None else evaluate(assertion.right, results, self.constants)
                    if not (left if right is None and not assertion.sign else SIGNS[assertion.sign](left, right)):
                        return True
                except Exception:
                    return True
        return False


def _set(values: Any) -> set[Any]:
    return set(codec.hashable(values))


def _frozenset(values: Any) -> frozenset[Any]:
    return frozenset(codec.hashable(values))


def _dict(values: Any) -> dict[Any, Any]:
    made = values if isinstance(values, dict) else [tuple(pair) for pair in values]
    codec.hashable(made if isinstance(made, dict) else [pair[0] for pair in made])
    return dict(made)


_BUILTINS: tuple[Any, ...] = (abs, len, tuple, list, sorted, sum, min, max, all, any, bool, int, float, str)
PURE: dict[str, Callable[..., Any]] = {
    **{f.__name__: f for f in _BUILTINS},
    "set": _set,
    "frozenset": _frozenset,
    "dict": _dict,
    "isinstance": isinstance,
    "type": type,
    "round": round,
    "math.isclose": math.isclose,
    "math.fabs": math.fabs,
    "math.isnan": math.isnan,
    "math.isinf": math.isinf,
}
"""Functions that an expression may call in the judge."""
ASKED = {
    **dict.fromkeys(
        ("tuple", "list", "sorted", "sum", "min", "max", "all", "any", "set", "frozenset", "dict"), "items"
    ),
    "len": "length",
    "str": "text",
}
"""What a function asks of an object without an encoding: its items where it iterates over it, its length, its text."""
_KEYWORDS = {"sorted": {"reverse"}, "math.isclose": {"rel_tol", "abs_tol"}}
_TYPES = {t.__name__: t for t in (int, float, str, bool, list, tuple, dict, set, frozenset, bytes, complex, object)}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Is: "is",
    ast.IsNot: "is not",
    ast.In: "in",
    ast.NotIn: "not in",
}
SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "is": operator.is_,
    "is not": operator.is_not,
    "in": lambda a, b: a in b,
    "not in": lambda a, b: a not in b,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_ON_RESULTS = (ast.Add, ast.Sub, ast.Div)
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Invert: operator.invert,
}


def reduce(test: str, entry_point: str) -> Reduced:
    """The reduced form of `test`; raises Irreducible where it has none, SyntaxError where it does not parse, or is
    nested too deeply to be written anew."""
    tree = ast.parse(test)
    if nesting(tree) > DEEPEST:
        raise SyntaxError(f"nested more than {DEEPEST} deep")
    statements, names = _statements(tree, entry_point)
    reducer = _Reducer(names)
    for statement in statements:
        reducer.add(statement)
    if not reducer.assertions:
        raise Irreducible("no assert")
    if not reducer.calls:
        raise Irreducible("no call")
    return Reduced(reducer.calls, reducer.assertions, reducer.constants)


def asserts_anything(tree: ast.AST) -> bool:
    """Whether anything under `tree` can find fault: an assert, a raise, a method of unittest or pytest that asserts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name.startswith("assert") or name in ("raises", "warns", "fail", "exit"):
            return True
    return False


def _statements(tree: ast.Module, entry_point: str) -> tuple[list[ast.stmt], dict[str, str]]:
    """The statements that assert, and the function's names in them."""
    check = next((s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == "check"), None)
    names = {entry_point: entry_point, "candidate": entry_point}
    if check is None:
        return tree.body, names
    arguments = check.args
    if len(arguments.args) != 1 or arguments.vararg or arguments.kwonlyargs or arguments.kwarg or check.decorator_list:
        raise Irreducible("check does not take one argument")
    for statement in tree.body:
        call = statement.value if isinstance(statement, ast.Expr) else None
        calls_check = isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "check"
        metadata = isinstance(statement, ast.Assign) and all(
            isinstance(t, ast.Name) and t.id == "METADATA" for t in statement.targets
        )
        if statement is not check and not calls_check and not metadata and not isinstance(call, ast.Constant):
            raise Irreducible(f"line {statement.lineno}")
    return check.body, names | {arguments.args[0].arg: entry_point}


class _Reducer:
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names
        self.calls: list[Any] = []
        self.assertions: list[Assertion] = []
        self.constants: list[Any] = []

    def add(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Pass):
            return
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant | ast.Name):
            return
        if not isinstance(statement, ast.Assert):
            raise Irreducible(f"line {statement.lineno}: {type(statement).__name__}")
        test = statement.test
        if isinstance(test, ast.Constant) and test.value is True:
            return
        sign, right = "", None
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            sign = _COMPARISONS[type(test.ops[0])]
            self._refuse_identity(test)
            left = self.expression(test.left)
            right = self.expression(test.comparators[0], "items" if sign in ("in", "not in") else "")
        else:
            left = self.expression(test)
        operand = None if right is None else _operand(right)
        self.assertions.append(Assertion(test, len(self.calls), sign, _operand(left), operand))

    def expression(self, node: ast.expr, asked: str = "") -> ast.expr:
        """`node` with calls of the program replaced by their results, once all of it is known to be harmless.

        asked: the one thing that is asked of what it gives, see `ASKED`.
        """
        if not self._uses_program(node):
            return self._element("_k", self.constants, self.constant(node))
        match node:
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if name in self.names:
                positional = [self.constant(a) for a in args]
                if any(k.arg is None for k in keywords):
                    raise Irreducible("**keywords")
                named = {str(k.arg): self.constant(k.value) for k in keywords}
                call = [self.names[name], _encode(positional), _encode(named), asked]
                return self._element("_r", self.calls, call)
            case ast.Call(args=args, keywords=keywords):
                name = _dotted(node.func)
                if name not in PURE or any(k.arg not in _KEYWORDS.get(name, ()) for k in keywords):
                    raise Irreducible(f"{name or 'a call'} is not evaluated in the judge")
                if name in ("sum", "round", "int", "str") and len(args) != 1:
                    self._small_digits(name, args)
                inner = [self.expression(a, ASKED.get(name, "")) for a in args]
                named_inner = [ast.keyword(k.arg, self.expression(k.value)) for k in keywords]
                return ast.Call(ast.Name(name.replace(".", "_"), ast.Load()), inner, named_inner)
            case ast.Compare(left=left, ops=ops, comparators=others):
                self._refuse_identity(node)
                return ast.Compare(self.expression(left), ops, [self.expression(o) for o in others])
            case ast.UnaryOp(op=op, operand=operand):
                return ast.UnaryOp(op, self.expression(operand))
            case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _ON_RESULTS):
                return ast.BinOp(self.expression(left), op, self.expression(right))
            case ast.BoolOp() if self._order_matters(node):
                raise Irreducible("a call that may not be made")
            case ast.BoolOp(op=op, values=values):
                return ast.BoolOp(op, [self.expression(v) for v in values])
            case ast.Tuple(elts=elements) if not _starred(elements):
                return ast.Tuple([self.expression(e) for e in elements], ast.Load())
            case ast.List(elts=elements) if not _starred(elements):
                return ast.List([self.expression(e) for e in elements], ast.Load())
            case ast.Subscript(value=value, slice=index) if not self._uses_program(index):
                return ast.Subscript(self.expression(value), self._index(index), ast.Load())
        raise Irreducible(f"{type(node).__name__} is not evaluated in the judge")

    def _refuse_identity(self, node: ast.Compare) -> None:
        """Raise Irreducible where results are compared by identity, which values do not keep."""
        results = sum(map(self._uses_program, (node.left, *node.comparators)))
        if results > 1 and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
            raise Irreducible("which object a result is")

    def _index(self, node: ast.expr) -> ast.expr:
        if not isinstance(node, ast.Slice):
            return self.expression(node)
        parts = [None if p is None else self.expression(p) for p in (node.lower, node.upper, node.step)]
        return ast.Slice(*parts)

    def _small_digits(self, name: str, args: list[ast.expr]) -> None:
        if name != "round" or len(args) != 2:
            raise Irreducible(f"{name} with {len(args)} arguments")
        digits = self.constant(args[1])
        if type(digits) is not int or abs(digits) > 300:
            raise Irreducible("round to that many digits")

    def _order_matters(self, node: ast.BoolOp) -> bool:
        """Whether a later operand calls the program: `and` and `or` might then skip the call."""
        return any(self._uses_program(v) for v in node.values[1:])

    def _uses_program(self, node: ast.expr) -> bool:
        return any(isinstance(n, ast.Name) and n.id in self.names for n in ast.walk(node))

    def _element(self, name: str, store: list[Any], value: Any) -> ast.expr:
        store.append(value)
        return ast.Subscript(ast.Name(name, ast.Load()), ast.Constant(len(store) - 1), ast.Load())

    def constant(self, node: ast.expr) -> Any:
        """The value of a constant expression, of bounded size; raises Irreducible for any other."""
        match node:
            case ast.Constant(value=value):
                return value
            case ast.List(elts=elements) if not _starred(elements):
                return [self.constant(e) for e in elements]
            case ast.Tuple(elts=elements) if not _starred(elements):
                return tuple([self.constant(e) for e in elements])
            case ast.Set(elts=elements) if not _starred(elements):
                return _set([self.constant(e) for e in elements])
            case ast.Dict(keys=keys, values=values) if None not in keys:
                return {self.constant(k): self.constant(v) for k, v in zip(keys, values, strict=True) if k is not None}
            case ast.UnaryOp(op=op, operand=operand):
                return _apply(_UNARY[type(op)], self.constant(operand))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return _arithmetic(op, self.constant(left), self.constant(right))
            case ast.Name(id=name) if name in _TYPES:
                return _TYPES[name]
            case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str() as text)], keywords=[]):
                return _apply(float, text)
            case ast.Call(
                func=ast.Name(id="set" | "tuple" | "list" | "frozenset" | "dict" as name), args=args, keywords=[]
            ):
                return _apply(PURE[name], *[self.constant(a) for a in args])
        raise Irreducible(f"{type(node).__name__} is not a constant")


def constant(node: ast.expr) -> Any:
    """The value of a constant expression, of bounded size; raises Irreducible, KeyError or TypeError for any other."""
    return _Reducer({}).constant(node)


def _starred(nodes: list[ast.expr]) -> bool:
    return any(isinstance(n, ast.Starred) for n in nodes)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "math":
        return f"math.{node.attr}"
    return ""


def _apply(function: Callable[..., Any], *values: Any) -> Any:
    try:
        return function(*values)
    except Exception as error:
        raise Irreducible(f"{type(error).__name__} in a constant") from None


def _arithmetic(op: ast.operator, left: Any, right: Any) -> Any:
    """A constant operation, refused where the result could be large."""
    numbers = all(isinstance(v, int | float | complex) for v in (left, right))
    if isinstance(op, ast.Pow):
        bits = left.bit_length() * abs(right) if type(left) is int and type(right) is int else 0
        if not numbers or bits > _MAX_CONSTANT:
            raise Irreducible("a large power")
    elif isinstance(op, ast.Mult) and not numbers:
        sized, count = (left, right) if isinstance(right, int) else (right, left)
        if type(count) is not int or type(sized) not in (str, bytes, list, tuple) or len(sized) * count > _MAX_CONSTANT:
            raise Irreducible("a large repetition")
    elif isinstance(op, ast.Mod) and not numbers:
        raise Irreducible("formatting")
    return _apply(_ARITHMETIC[type(op)], left, right)


def _named_type(value: Any) -> Any:
    return by_name(value) or {"h": ["", "object"]}


def _encode(value: Any) -> Any:
    return codec.encode(value, _named_type)


def _operand(node: ast.expr) -> CodeType | Element:
    match node:
        case ast.Subscript(value=ast.Name(id="_r" | "_k" as store), slice=ast.Constant(value=int() as index)):
            return Element(store, index)
    return compile(ast.fix_missing_locations(ast.Expression(node)), "<assert>", "eval")


def text_of(assertion: Assertion) -> str:
    """The assertion's expression, for a person."""
    return source_of(assertion.node)[:200]


def evaluate(operand: CodeType | Element, results: list[Any], constants: list[Any]) -> Any:
    """Value of one side of an assertion; `results` holds the values of the calls made so far."""
    if isinstance(operand, Element):
        return (results if operand.store == "_r" else constants)[operand.place]
    names: dict[str, Any] = {"__builtins__": {}, "_r": results, "_k": constants}
    names.update((name.replace(".", "_"), function) for name, function in PURE.items())
    return eval(operand, names)  # noqa: S307 - a closed set of syntax and functions, see the module's docstring
