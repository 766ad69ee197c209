"""The calls that an exercise shows of its function, in its test and its docstring, and values as literals.

What a call is said to return may be wrong, and is not looked at here: `said.py` takes it out of a docstring, or puts in
what is known.
"""

import ast
import builtins
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from pipeline.core.syntax import MOST_BITS, expression_of, literal_of, parse, source_of, written
from pipeline.languages.python.said import calls_in, examples_in, lines_of
from pipeline.languages.python.source import FunctionNode, names_in, only_statement

MOST_SHOWN = 16
"""Calls of an exercise that are made at most."""
MOST_EDGES = 8
"""Calls at the edges of the arguments' types that are made at most."""
LONGEST = 1000
"""Characters of a call, and of a value, that are written into a test."""
_WRAPPERS = frozenset({"list", "tuple", "sorted", "set", "dict", "next", "round", "len", "sum"})
"""Functions whose call around the exercise's own is taken with it: the result alone may have no literal."""


class Shown(NamedTuple):
    """What an exercise shows of its function that solutions can be compared by.

    calls: see `shown_calls`. edges: more of them, made up (`edge_calls`). steps: see `further_steps`.
    """

    calls: tuple[str, ...]
    edges: tuple[str, ...]
    steps: tuple[str, ...]

    @property
    def total(self) -> int:
        return sum(map(len, self))


def shown(prompt: str, test: str, entry_point: str) -> Shown:
    """What is shown of `entry_point` in the docstring of `prompt` and in `test`."""
    calls = shown_calls(prompt, test, entry_point)
    return Shown(calls, edge_calls(calls, entry_point), further_steps(prompt, entry_point))


def shown_calls(prompt: str, test: str, entry_point: str) -> tuple[str, ...]:
    """The calls of `entry_point` in the docstring of `prompt` and in `test`, each once, in that order.

    A call is an expression as `ast.unparse` writes it, with a `list(...)` or the like around it where there is one.
    Left out are calls that need names which neither Python nor the prompt has.
    """
    known = _known(prompt, entry_point)
    lines = lines_of(prompt, entry_point)
    sources = [example.source for example in examples_in(lines)]
    sources += [call.text for line in lines for call in calls_in(line, entry_point)]
    trees = [tree for tree in map(parse, [*sources, test]) if tree is not None]
    found = (call for tree in trees for call in _calls(tree, entry_point) if _free(call) <= known)
    texts = dict.fromkeys(text for text in map(written, found) if 0 < len(text) <= LONGEST)
    return tuple(texts)[:MOST_SHOWN]


def edge_calls(calls: Sequence[str], entry_point: str) -> tuple[str, ...]:
    """The fullest of `calls` whose arguments are literals, with one argument after the other at an edge of its type.

    Empty, one element, 0, 1; below zero only where a call shows a number below zero there, and the empty tuple only
    where tuples of several lengths are shown: what the docstring does not speak of is not asked.
    """
    trees = [expression_of(call) for call in calls]
    shown = [(tree, _arguments(_own(tree, entry_point))) for tree in trees]
    whole = [(tree, given) for tree, given in shown if given and None not in given.values()]
    if not whole:
        return ()
    tree, given = max(whole, key=lambda one: len(one[1]))
    found: dict[str, None] = {}
    for slot, own in given.items():
        others = (held for _, arguments in shown for held in arguments.get(slot) or ())
        seen = [*(own or ()), *others]
        for edge in _edges(seen):
            call = _own(tree, entry_point)
            held = call.args[slot] if isinstance(slot, int) else next(k.value for k in call.keywords if k.arg == slot)
            text = source_of(_Replaced(held, edge).visit(expression_of(source_of(tree))))
            found.setdefault(text)
    return tuple(text for text in found if text not in calls)[:MOST_EDGES]


def further_steps(prompt: str, entry_point: str) -> tuple[str, ...]:
    """The expressions at the docstring's prompts that no call alone stands for, each as it is written there, in order.

    They read a name that an earlier line gave a value (`>>> rows = [3, 1]`, `>>> sort_in_place(rows)`, `>>> rows`), or
    call what the function returned (`>>> adder(2)(3)`). Left out are those that need names which nothing gives.
    """
    known = _known(prompt, entry_point)
    made: set[str] = set()
    found = []
    for example in examples_in(lines_of(prompt, entry_point)):
        only = only_statement(example.source)
        if not isinstance(only, ast.Expr):
            made |= _bound(parse(example.source))
            continue
        free = _free(only)
        if free <= known | made and (free & made or _calls_a_result(only, entry_point)):
            found.append(example.source)
    return tuple(found)[:MOST_SHOWN]


def literal(value: Any) -> str | None:
    """`value` as Python that gives it again; None for what has no literal of exact builtin types, or a long one."""
    text = _literal(value)
    return text if text is not None and len(text) <= LONGEST else None


def read_literal(text: str) -> Any:
    """The value of a literal. Raises ValueError for any other text."""
    try:
        return literal_of(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text[:80]!r} is no literal") from error


def sameness(value: Any) -> Any:
    """What two values have in common that count as the same result, as something to compare and hash.

    Numbers count by their value to nine digits, whole or not; True is not 1. Sets and dicts have no order.
    """
    if isinstance(value, bool) or value is None:
        return type(value).__name__, value
    if isinstance(value, int):
        return "number", value
    if isinstance(value, float):
        rounded = float(f"{value:.9g}")
        return "number", int(rounded) if rounded.is_integer() else rounded
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(map(sameness, value))
    if isinstance(value, set | frozenset):
        return "set", frozenset(map(sameness, value))
    if isinstance(value, dict):
        return "dict", frozenset((sameness(key), sameness(held)) for key, held in value.items())
    return type(value).__name__, repr(value)


def _literal(value: Any) -> str | None:
    kind = type(value)
    if kind is int and value.bit_length() > MOST_BITS:
        return None
    if value is None or kind in (bool, int, str, bytes):
        return repr(value)
    if kind is float:
        return repr(value) if math.isfinite(value) else None
    if kind is dict:
        pairs = [(_literal(key), _literal(held)) for key, held in value.items()]
        if any(None in pair for pair in pairs):
            return None
        return "{" + ", ".join(f"{key}: {held}" for key, held in pairs) + "}"
    if kind in (list, tuple, set):
        inner = [_literal(one) for one in value]
        if None in inner:
            return None
        texts = [text for text in inner if text is not None]
        if kind is list:
            return f"[{', '.join(texts)}]"
        if kind is tuple:
            return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
        return "{" + ", ".join(sorted(texts)) + "}" if texts else "set()"
    return None


def _known(prompt: str, entry_point: str) -> set[str]:
    """Names that a call may read: those of Python and those of the prompt."""
    return set(dir(builtins)) | {entry_point} | _bound(parse(prompt))


def _bound(tree: ast.Module | None) -> set[str]:
    """Names that a module binds, those of star imports left out."""
    found: set[str] = set()
    for node in tree.body if tree is not None else ():
        if isinstance(node, FunctionNode | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
        else:
            found |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return found


def _calls(node: ast.AST, entry_point: str) -> Iterator[ast.Call]:
    """The calls of the function under `node`, in order, not those inside the arguments of another."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name):
            wrapped = one.args[0] if one.func.id in _WRAPPERS and one.args else None
            if one.func.id == entry_point or (wrapped is not None and _is_call(wrapped, entry_point)):
                yield one
                continue
        waiting += reversed(list(ast.iter_child_nodes(one)))


def _is_call(node: ast.AST, entry_point: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == entry_point


def _own(tree: ast.Expression, entry_point: str) -> ast.Call:
    """The call of the function itself in an expression that `shown_calls` gave."""
    call = tree.body
    assert isinstance(call, ast.Call)
    if _is_call(call, entry_point):
        return call
    inner = call.args[0]
    assert isinstance(inner, ast.Call)
    return inner


def _calls_a_result(node: ast.AST, entry_point: str) -> bool:
    """Whether something calls what a call of the function returned, or a method of it."""
    calling = (inner.func for inner in ast.walk(node) if isinstance(inner, ast.Call))
    return any(next(_calls(called, entry_point), None) is not None for called in calling)


def _free(node: ast.AST) -> set[str]:
    """Names that an expression reads and does not bind itself, as a lambda's parameters are."""
    bound = {inner.arg for inner in ast.walk(node) if isinstance(inner, ast.arg)}
    stored = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    return names_in([node]) - bound - stored


def _arguments(call: ast.Call) -> dict[int | str, list[Any] | None]:
    """The value of each argument, by its place or keyword, in a list of one; None for one that is no literal."""
    given: list[tuple[int | str, ast.expr]] = list(enumerate(call.args))
    given += [(keyword.arg, keyword.value) for keyword in call.keywords if keyword.arg is not None]
    found: dict[int | str, list[Any] | None] = {}
    for slot, node in given:
        try:
            found[slot] = [read_literal(written(node))]
        except ValueError:
            found[slot] = None
    return found


def _edges(seen: Iterable[Any]) -> list[Any]:
    """Values at the edge of the type of the first value seen, in the range of the others."""
    values = list(seen)
    first = values[0]
    alike = [value for value in values if type(value) is type(first)]
    if isinstance(first, bool):
        return [not first]
    if isinstance(first, int | float):
        below = [-abs(first) or -1] if any(value < 0 for value in alike) else []
        return [type(first)(edge) for edge in (0, 1, *below)]
    if isinstance(first, str | list):
        return [first[:0], next((value[:1] for value in alike if value), first)]
    if isinstance(first, tuple) and len({len(value) for value in alike}) > 1:
        return [(), first[:1]]
    if isinstance(first, set):
        return [set(), set(sorted(first, key=repr)[:1])]
    if isinstance(first, dict):
        return [{}, dict(list(first.items())[:1])]
    return []


class _Replaced(ast.NodeTransformer):
    """Puts a value in the place of the node that stands where `held` stands."""

    def __init__(self, held: ast.expr, value: Any) -> None:
        self.place = (held.lineno, held.col_offset, held.end_lineno, held.end_col_offset)
        self.value = value

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, ast.expr):
            place = (node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)
            if place == self.place:
                return expression_of(_literal(self.value) or "None").body
        return self.generic_visit(node)
