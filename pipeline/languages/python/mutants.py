"""Programs that are wrong in one place: what a test must refuse if it is to be worth anything.

Mutation analysis (DeMillo, Lipton and Sayward 1978): of a solution that passes, variants are made that differ in one
operator, constant, comparison, boundary or statement; the share that the test refuses ("kills") says how much of the
solution the test pins down. A few mutants mean the same as the solution and no test can kill them (5-10% is usual), so
a limit of 1.0 is too much to ask.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pipeline.core.identity import rng
from pipeline.core.syntax import DEEPEST, nesting, source_of, tree_of
from pipeline.languages.python.source import FunctionNode, function_named

_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_SWAPPED_CALLS = {"min": "max", "max": "min", "any": "all", "all": "any", "upper": "lower", "lower": "upper"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """kind: which change ("comparison", "operator", "constant", "condition", "boundary", "call", "statement"). line: of
    the change, from 1, in the text that was given. source: the whole changed program."""

    kind: str
    line: int
    source: str


def mutants(text: str, entry_point: str, most: int) -> list[Mutant]:
    """At most `most` mutants of the function `entry_point` in a program, no two alike; fewer where it is short.

    They are drawn evenly from the kinds of change, by the text alone, so that the same text has the same mutants
    everywhere. Docstrings, annotations and code outside the function are left as they are. Raises SyntaxError where
    the text is no Python; none where it has no such function, or is nested too deeply to be written anew.
    """
    tree = tree_of(text)
    if nesting(tree) > DEEPEST:
        return []
    original = source_of(tree)
    by_kind: dict[str, list[tuple[int, Callable[[], None]]]] = {}
    function = function_named(tree, entry_point)
    if function is None:
        return []
    for kind, line, change in _changes(function):
        by_kind.setdefault(kind, []).append((line, change))
    random = rng(0, "mutants", text)
    for changes in by_kind.values():
        random.shuffle(changes)
    found: dict[str, Mutant] = {}
    kinds = sorted(by_kind)
    while kinds and len(found) < most:
        for kind in list(kinds):
            if not by_kind[kind]:
                kinds.remove(kind)
                continue
            line, change = by_kind[kind].pop()
            source = _changed(tree, change)
            if source != original and len(found) < most:
                found.setdefault(source, Mutant(kind, line, source))
    return list(found.values())


def _changed(tree: ast.Module, change: Callable[[], None]) -> str:
    """The program with one change, which is undone: each change puts a node's fields back as they were on its second
    call."""
    change()
    try:
        return source_of(ast.fix_missing_locations(tree))
    finally:
        change()


def _swap(node: ast.AST, field: str, value: object) -> Callable[[], None]:
    """Exchanges a field with `value`; called again, it exchanges them back."""
    other = [value]

    def exchange() -> None:
        mine = getattr(node, field)
        setattr(node, field, other[0])
        other[0] = mine

    return exchange


def _changes(function: FunctionNode) -> Iterator[tuple[str, int, Callable[[], None]]]:
    """Every change of the function's body: its kind, its line, and what makes it and takes it back."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    for statement in body:
        for node in _walk(statement):
            line = getattr(node, "lineno", function.lineno)
            for kind, change in _of_node(node):
                yield kind, line, change
    for holder in (function, *(node for statement in body for node in _walk(statement))):
        for field in ("body", "orelse", "finalbody"):
            items = getattr(holder, field, None)
            if isinstance(items, list):
                for place, statement in enumerate(items):
                    if _droppable(statement):
                        changed = [*items[:place], _instead(statement), *items[place + 1 :]]
                        yield "statement", statement.lineno, _swap(holder, field, changed)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it but annotations, which no test sees, and the docstrings of inner functions."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_text(child):
                yield from _walk(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _of_node(node: ast.AST) -> Iterator[tuple[str, Callable[[], None]]]:
    match node:
        case ast.Compare(ops=ops):
            for place, op in enumerate(ops):
                if type(op) in _COMPARISONS:
                    changed = [*ops[:place], _COMPARISONS[type(op)](), *ops[place + 1 :]]
                    yield "comparison", _swap(node, "ops", changed)
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _OPERATORS:
            yield "operator", _swap(node, "op", _OPERATORS[type(op)]())
        case ast.BoolOp(op=op):
            yield "condition", _swap(node, "op", ast.Or() if isinstance(op, ast.And) else ast.And())
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "condition", _swap(node, "operand", ast.UnaryOp(ast.Not(), operand))
        case ast.UnaryOp(op=ast.USub()):
            yield "operator", _swap(node, "op", ast.UAdd())
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
            yield "condition", _swap(node, "test", ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=[test, *rest]):
            yield "condition", _swap(node, "ifs", [ast.UnaryOp(ast.Not(), test), *rest])
        case ast.Slice():
            for field in ("lower", "upper"):
                bound = getattr(node, field)
                if bound is not None and not isinstance(bound, ast.Constant):
                    yield "boundary", _swap(node, field, ast.BinOp(bound, ast.Add(), ast.Constant(1)))
        case ast.Call(func=ast.Name(id="range"), args=[*args]) if args:
            place = 0 if len(args) == 1 else 1
            shorter = ast.BinOp(args[place], ast.Sub(), ast.Constant(1))
            yield "boundary", _swap(node, "args", [*args[:place], shorter, *args[place + 1 :]])
        case ast.Name(id=name) if name in _SWAPPED_CALLS and isinstance(node.ctx, ast.Load):
            yield "call", _swap(node, "id", _SWAPPED_CALLS[name])
        case ast.Attribute(attr=name) if name in _SWAPPED_CALLS:
            yield "call", _swap(node, "attr", _SWAPPED_CALLS[name])
        case ast.Constant(value=bool(value)):
            yield "constant", _swap(node, "value", not value)
        case ast.Constant(value=int(value)):
            yield "constant", _swap(node, "value", value + 1)
        case ast.Constant(value=float(value)):
            yield "constant", _swap(node, "value", value + 1.0)
        case ast.Constant(value=str(value)):
            yield "constant", _swap(node, "value", "" if value else "x")


def _droppable(statement: ast.stmt) -> bool:
    """Whether the program means something without the statement: a name's first value is missed at once."""
    if isinstance(statement, ast.Return):
        return statement.value is not None
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant)
    if isinstance(statement, ast.Assign):
        return not any(isinstance(target, ast.Name | ast.Tuple) for target in statement.targets)
    return isinstance(statement, ast.AugAssign | ast.Break | ast.Continue | ast.Raise)


def _instead(statement: ast.stmt) -> ast.stmt:
    """What stands where a statement was dropped."""
    if isinstance(statement, ast.Return):
        return ast.Return(ast.Constant(None))
    return ast.Pass()
