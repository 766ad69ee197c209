"""An answer as one module: what a function and its tests need of the code around them, by name and by effect.

The pieces of code of an answer, in order, are read as one module. Of it is taken what gives the names that are used
their values, transitively (imports, definitions, assignments, `try` and `if` around them), and what changes these
values while the module loads: a loop that fills a table, `TABLE.append(...)`, `random.seed(0)`, `f = cache(f)`, and
what is set for the whole process (`sys.setrecursionlimit`). Prints, asserts, tests and calls of the function are no
part of it.
"""

import ast
import builtins
import importlib
import symtable
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pipeline.core.syntax import parse, source_of
from pipeline.languages.python.answer import Code, chosen_function
from pipeline.languages.python.source import FunctionNode, Unit, names_in

_PROCESS_WIDE = frozenset({"setrecursionlimit", "set_int_max_str_digits", "stack_size", "setrlimit"})
_PROCESS = "*process*"
_CHANGE = frozenset({"setattr", "delattr", "next"})
_UNCHANGING = frozenset(dir(builtins)) - _CHANGE


_STARRED = frozenset(
    {"bisect", "collections", "copy", "datetime", "decimal", "fractions", "functools", "heapq", "itertools", "math"}
    | {"operator", "random", "re", "statistics", "string", "typing"}
)
"""Modules that answers import whole by habit, and that do nothing when they are imported."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A unit with the number of its piece and its place in the module, both counted from 0."""

    unit: Unit
    piece: int
    place: int


class Module:
    """The pieces of an answer as one module, seen from the function that it is about.

    function: where that is defined, None where no piece defines it. annotations_wait: whether a piece has
    `from __future__ import annotations`.
    """

    def __init__(self, pieces: Sequence[Code], entry_point: str, node: FunctionNode | None = None) -> None:
        placed = [(unit, number) for number, piece in enumerate(pieces) for unit in piece.units or ()]
        self.units = [Placed(unit, piece, place) for place, (unit, piece) in enumerate(placed)]
        self.entry_point = entry_point
        self.function = next((p for p in self.units if node in p.unit.nodes), None)
        self.annotations_wait = any(_is_future(p.unit, "annotations") for p in self.units)
        self._functions = {
            node.name: node for p in self.units for node in p.unit.nodes if isinstance(node, FunctionNode)
        }
        self._demos = {p.place for p in self.units if self._is_demo(p.unit)}
        self._ends = self._ends_of_definitions()
        self._binders: dict[str, list[Placed]] = {}
        self._changers: dict[str, list[Placed]] = {}
        for p in self.units:
            if p.place in self._demos or p is self.function or _is_future(p.unit):
                continue
            for name in p.unit.binds() - {entry_point}:
                self._binders.setdefault(name, []).append(p)
            if p.place < self._ends[p.piece]:
                for name in _changed(p.unit.nodes, self._functions, frozenset()) | self._rebound(p.unit):
                    self._changers.setdefault(name, []).append(p)

    def needed(self, wanted: Iterable[str], without: Collection[int] = (), effects: bool = True) -> list[Placed]:
        """The units that give `wanted` their values, and those that these need in turn, in the module's order.

        without: places of units that are not looked at; the function itself is never among them. effects: whether to
        take what changes the values, too, and what is set for the process.
        """
        taken: dict[int, Placed] = {}
        home = self.function.piece if self.function else 0
        waiting = [(name, home) for name in (*wanted, self.entry_point, _PROCESS)]
        done: set[tuple[str, int]] = set()
        while waiting:
            name, piece = waiting.pop()
            if (name, piece) in done:
                continue
            done.add((name, piece))
            for found in (*self._giving(name, piece), *(self._changers.get(name, ()) if effects else ())):
                if found.place not in taken and found.place not in without:
                    taken[found.place] = found
                    waiting += [(used, found.piece) for used in free_names(found.unit)]
                    waiting += [(bound, found.piece) for bound in found.unit.binds() if bound in self._changers]
        names = {name for name, _ in done}
        taken |= {p.place: p for p in self._stars(home, names) if p.place not in without}
        return [taken[place] for place in sorted(taken)]

    def _stars(self, piece: int, names: Collection[str]) -> list[Placed]:
        """The star imports for code in `piece` that may give one of `names`; of which modules these are is known."""
        binders = self._binders.get("*", [])
        open_names = {name for name in names if name not in self._binders}
        before = (p for p in binders if p.piece <= piece and p.place < self._ends[p.piece])
        return [p for p in before if not all(_gives_none(node, open_names) for node in p.unit.nodes)]

    def _giving(self, name: str, piece: int) -> list[Placed]:
        """The units that bind `name` for code in `piece`: those of that piece, else the nearest before, else after.

        In one piece all that stand among its definitions count; after its tests only the first, if there is no other.
        """
        binders = self._binders.get(name, [])
        pieces = sorted({p.piece for p in binders}, key=lambda n: (n != piece, n > piece, abs(n - piece)))
        if not pieces:
            return []
        here = [p for p in binders if p.piece == pieces[0]]
        return [p for p in here if p.place < self._ends[p.piece]] or here[:1]

    def _ends_of_definitions(self) -> dict[int, int]:
        """For each piece the place of its first test or demonstration after the function, where its definitions end."""
        ends: dict[int, int] = {}
        start = self.function.place if self.function else -1
        for p in self.units:
            if p.place in self._demos and (p.piece != self._home or p.place > start):
                ends.setdefault(p.piece, p.place)
        last = len(self.units)
        return {p.piece: ends.get(p.piece, last) for p in self.units}

    @property
    def _home(self) -> int:
        return self.function.piece if self.function else -1

    def _is_demo(self, unit: Unit) -> bool:
        """Whether a unit only shows or tests what the others define."""
        return any(self._shows(node) for node in unit.nodes)

    def _shows(self, node: ast.stmt) -> bool:
        if isinstance(node, FunctionNode | ast.ClassDef):
            bases = "".join(source_of(base) for base in node.bases) if isinstance(node, ast.ClassDef) else ""
            return node.name.startswith("test_") or "TestCase" in bases
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self.entry_point in {alias.asname or alias.name for alias in node.names}
        if isinstance(node, ast.Assert) or (isinstance(node, ast.If) and "__name__" in names_in([node.test])):
            return True
        call = node.value if isinstance(node, ast.Expr) else None
        if isinstance(call, ast.Call) and source_of(call.func) in {"print", "unittest.main", "doctest.testmod"}:
            return True
        return self.entry_point in names_in([node]) and self.entry_point not in _stored(node)

    def _rebound(self, unit: Unit) -> set[str]:
        """The entry point, where a statement other than a definition binds it anew (`f = cache(f)`)."""
        here = not unit.is_definition and not unit.is_import and self.function is not None
        return {self.entry_point} & unit.binds() if here else set()


def _gives_none(node: ast.stmt, names: Collection[str]) -> bool:
    """Whether a statement is a star import of a module whose names are known, and gives none of `names`."""
    if not (isinstance(node, ast.ImportFrom) and node.module in _STARRED and not node.level):
        return False
    return [alias.name for alias in node.names] == ["*"] and not _exports(node.module) & set(names)


@cache
def _exports(module: str) -> frozenset[str]:
    """What `from module import *` binds, for one of `_STARRED`."""
    found = importlib.import_module(module)
    return frozenset(getattr(found, "__all__", [name for name in vars(found) if not name.startswith("_")]))


def program_of(pieces: Sequence[Code], entry_point: str, test: str) -> str | None:
    """The module that defines what `test` asks for, as text that may follow other code: without future imports.

    entry_point: a name, or an expression over names (`Solution().two`). A method of that name in a class without one
    is made a function of an instance. None where nothing defines it.
    """
    expression, tests = parse(entry_point), parse(test)
    name = entry_point if entry_point.isidentifier() else ""
    choice = chosen_function(list(pieces), name) if name else None
    module = Module(pieces, name, choice[1] if choice and choice[1].name == name else None)
    wanted = names_in([expression]) if expression else set()
    wanted |= free_names(Unit(tuple(tests.body), "", test)) if tests else set()
    tail = ""
    if name and module.function is None:
        module.function = next((p for p in reversed(module.units) if _binds(p.unit, name)), None)
    if module.function is not None:
        wanted |= free_names(module.function.unit)
    elif name:
        owner = next((owner for p in module.units for owner in _classes_with(p.unit, name)), None)
        if owner is None:
            return None
        wanted |= {owner}
        tail = f"\n\n{name} = {owner}().{name}\n"
    needed = module.needed(wanted - {name})
    if module.function is None and not needed:
        return None
    parts = sorted([*needed, *([module.function] if module.function else [])], key=lambda p: p.place)
    return joined(parts, module.annotations_wait) + tail


def _binds(unit: Unit, name: str) -> bool:
    return name in unit.binds() and not unit.is_import


def _classes_with(unit: Unit, method: str) -> Iterator[str]:
    """Names of the unit's classes that have the method."""
    for node in unit.nodes:
        if isinstance(node, ast.ClassDef):
            names = {inner.name for inner in node.body if isinstance(inner, FunctionNode)}
            yield from [node.name] * (method in names)


def joined(parts: Sequence[Placed], quoted: bool = False) -> str:
    """The text of the units, those of different pieces two lines apart.

    quoted: whether annotations become strings, as the future import that is left out has made of them.
    """
    text = ""
    piece = None
    for p in parts:
        lead = p.unit.lead if piece in (None, p.piece) else "\n\n" + p.unit.lead.lstrip("\n")
        text += lead + (quoted_annotations(p.unit.code) if quoted else p.unit.code)
        piece = p.piece
    return text.lstrip("\n")


def quoted_annotations(code: str) -> str:
    """`code` with its annotations as strings, which are not evaluated."""
    tree = parse(code)
    found: list[ast.expr] = []
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            found.append(node.annotation)
        elif isinstance(node, FunctionNode) and node.returns is not None:
            found.append(node.returns)
    lines = code.split("\n")
    for node in sorted(found, key=lambda n: (n.lineno, n.col_offset), reverse=True):
        if isinstance(node, ast.Constant) or node.end_lineno != node.lineno:
            continue
        line = lines[node.lineno - 1].encode()
        text = line[node.col_offset : node.end_col_offset].decode()
        changed = line[: node.col_offset] + repr(text).encode() + line[node.end_col_offset :]
        lines[node.lineno - 1] = changed.decode()
    return "\n".join(lines)


def free_names(unit: Unit) -> set[str]:
    """Names that the unit takes from the module or from builtins, also in annotations that are written as strings."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = symtable.symtable(unit.code, "answer", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return names_in(unit.nodes)
    names = set(_global_names(table))
    given: set[str] = set()
    for node in _here(unit.nodes):
        if isinstance(node, ast.For):
            given |= _stored(node.target) - names_in([node.iter])
        elif isinstance(node, ast.AugAssign | ast.Delete):  # no reference, as symtable sees it
            names |= names_in([node.target] if isinstance(node, ast.AugAssign) else node.targets)
    names -= given
    for node in unit.nodes:
        for inner in ast.walk(node):
            annotation = inner.annotation if isinstance(inner, ast.arg | ast.AnnAssign) else None
            annotation = inner.returns if isinstance(inner, FunctionNode) else annotation
            if isinstance(annotation, ast.Constant):
                names |= names_in([ast.arg("", annotation)])
    return names


def _global_names(table: symtable.SymbolTable) -> Iterator[str]:
    waiting = [table]
    while waiting:
        scope = waiting.pop()
        waiting += scope.get_children()
        inside = scope.get_type() != "module"
        in_class = scope.get_type() == "class"
        for symbol in scope.get_symbols():
            if symbol.is_global() if inside and not in_class else symbol.is_referenced() or symbol.is_declared_global():
                yield symbol.get_name()


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _changed(nodes: Iterable[ast.AST], functions: Mapping[str, FunctionNode], seen: frozenset[str]) -> set[str]:
    """Names whose values the statements change in place, by themselves or in the functions that they call."""
    changed: set[str] = set()
    for node in _here(nodes):
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            changed.add(_root(node))
        elif isinstance(node, ast.Global):
            changed.update(node.names)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            changed |= _changed_by_call(node.value, functions, seen)
    return changed - {""}


def _changed_by_call(call: ast.Call, functions: Mapping[str, FunctionNode], seen: frozenset[str]) -> set[str]:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else _root(function)
    if name in _PROCESS_WIDE:
        return {_PROCESS}
    if isinstance(function, ast.Name) and name in _UNCHANGING:
        return set()
    passed = {argument.id for argument in call.args if isinstance(argument, ast.Name)}
    if isinstance(function, ast.Attribute):
        return passed | {_root(function)}
    if name not in functions:
        return passed
    if name in seen:
        return set()
    inside = _changed(functions[name].body, functions, seen | {name})
    arguments = functions[name].args
    own = {argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
    return inside - own | (passed if inside & own else set())


def _root(node: ast.expr) -> str:
    """The name that an expression of attributes, elements and calls starts from, or ""."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _here(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """The nodes and what is in them, without the bodies of functions and classes."""
    waiting = [node for node in nodes if not isinstance(node, FunctionNode | ast.ClassDef | ast.Lambda)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += [
            n for n in ast.iter_child_nodes(node) if not isinstance(n, FunctionNode | ast.ClassDef | ast.Lambda)
        ]


def _is_future(unit: Unit, name: str = "") -> bool:
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "__future__"
        and (not name or name in {alias.name for alias in node.names})
        for node in unit.nodes
    )
