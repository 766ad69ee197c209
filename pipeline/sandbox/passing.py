"""What a program does with the library's classes: whether it could change one, or make a class of one by text.

The gate (gate.py) reads names. What is read here takes more than one place of a program to see: an attribute that is
set in one and a class that is handed over in another, a private name that a base class reads, a pattern that looks into
objects by the names of a dataclass's fields.
"""

import ast
import builtins
import dataclasses
import functools
import logging
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pipeline.core.syntax import source_of
from pipeline.sandbox import library

ValueOf = Callable[[ast.AST], Any]
"""What of the library an expression names, None for anything else."""
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_SELF_MATCHING = frozenset(
    t.__name__ for t in (bool, bytearray, bytes, dict, float, frozenset, int, list, set, str, tuple)
)
"""Builtin classes that a positional pattern matches as a whole."""
_OF_ENUMS = frozenset({"_value_", "_missing_", "_generate_next_value_", "_order_", "_name_"})
"""Private names that an enumeration is meant to define."""
_ONLY_DECORATE = (dataclasses.dataclass, functools.total_ordering)
"""Functions that set attributes of the class they are given."""


class Passing:
    """Reads one program. parents: of every node. value_of: see `ValueOf`. modules: those that the program imports.

    own: private names that the program gives its objects.
    """

    def __init__(
        self,
        tree: ast.Module,
        parents: dict[ast.AST, ast.AST],
        value_of: ValueOf,
        modules: Iterable[str],
        own: Iterable[str],
    ) -> None:
        self.parents = parents
        self.value_of = value_of
        self.modules = set(modules)
        self.own = {name for name in own if name.startswith("_") and not name.startswith("__")}
        self.nodes = list(ast.walk(tree))
        self.classes = [node for node in self.nodes if isinstance(node, ast.ClassDef)]
        self.bound = {n.id for n in self.nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        self.functions = {n.name for n in self.nodes if isinstance(n, _FUNCTIONS)}
        self.loaded = {n.attr for n in self.nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
        self.named = [(node, value) for node in self.nodes if (value := value_of(node)) is not None]
        stores = [n for n in self.nodes if isinstance(n, ast.Attribute) and not isinstance(n.ctx, ast.Load)]
        self.stored = {n.attr for n in stores} | {text for node in self.nodes if (text := _set_by_name(node))}

    def refusals(self) -> Iterator[str]:
        """Everything that is refused."""
        yield from self._changes()
        yield from self._enumerations()
        yield from self._fields()
        yield from self._bases()
        yield from self._privates()
        for node in self.nodes:
            if isinstance(node, ast.MatchClass) and node.patterns and not self._matches_its_own(node.cls):
                yield f"matches by the places of {source_of(node.cls)}"

    def _changes(self) -> Iterator[str]:
        leaks = bool(self.loaded & {"default_factory", "type"})
        for node, value in self.named:
            use, text = self._use(node), source_of(node)
            if value is logging.basicConfig and use:
                yield f"passes {text} on"
            if any(value is one for one in _ONLY_DECORATE) and not self._decorates(node):
                yield f"passes {text} on"
            # An AttributeError has the object that lacks the attribute as its `obj`.
            if use == "passed" or (use == "kept" and leaks) or "obj" in self.loaded:
                changed = self.stored & library.can_be_changed(value)
                if changed:
                    yield f"sets the attribute {min(changed)} and passes {text} on"
                yield from self._taken(value, text)

    def _use(self, node: ast.AST) -> str:
        """How a library's object is used: "" for a call, a base or the like, "kept" where only the attributes
        `default_factory` and `type` give it, "passed" anywhere else."""
        if self.in_annotation(node):
            return "kept"
        parent = self._around(node)
        if isinstance(parent, ast.Attribute | ast.ExceptHandler | ast.Compare | ast.Expr | ast.Raise | ast.MatchClass):
            return ""
        if isinstance(parent, ast.ClassDef | _FUNCTIONS):
            return ""
        if isinstance(parent, ast.keyword):
            return {"metaclass": "", "default_factory": "kept"}.get(parent.arg or "", "passed")
        if isinstance(parent, ast.Call):
            name = parent.func.id if isinstance(parent.func, ast.Name) else ""
            called = parent.func is node or name in ("isinstance", "issubclass")
            return "" if called else "kept" if name == "defaultdict" else "passed"
        return "passed"

    def _around(self, node: ast.AST) -> ast.AST | None:
        """The parent, or that of the tuple that `except (A, B)` and `isinstance(x, (A, B))` give."""
        parent = self.parents.get(node)
        if not isinstance(parent, ast.Tuple):
            return parent
        outer = self.parents.get(parent)
        checked = isinstance(outer, ast.Call) and getattr(outer.func, "id", "") in ("isinstance", "issubclass")
        return outer if checked or isinstance(outer, ast.ExceptHandler) else parent

    def in_annotation(self, node: ast.AST) -> bool:
        """Whether an expression is of an annotation."""
        while isinstance(parent := self.parents.get(node), ast.Subscript | ast.BinOp | ast.Tuple | ast.List):
            node = parent
        if isinstance(parent, ast.arg):
            return True
        if isinstance(parent, ast.AnnAssign):
            return parent.annotation is node
        return isinstance(parent, _FUNCTIONS) and parent.returns is node

    def _decorates(self, node: ast.AST) -> bool:
        parent = self.parents.get(node)
        if isinstance(parent, ast.Call) and parent.func is node:
            node, parent = parent, self.parents.get(parent)
        return isinstance(parent, ast.ClassDef) and node in parent.decorator_list

    def _enumerations(self) -> Iterator[str]:
        """A call of an enumeration without members makes another one, of any names and for any module."""
        made: set[str] = set()
        for node, value in self.named:
            if not library.is_enum(value):
                continue
            parent = self.parents.get(node)
            if isinstance(parent, ast.Call) and parent.func is node:
                if parent.keywords or not all(map(_is_literal, parent.args)):
                    yield "makes an enumeration of names that are not written out"
            elif self._use(node) == "passed":
                yield f"passes {source_of(node)} on"
        for node in self.classes:
            names = {source_of(base) for base in node.bases}
            if not names & made and not any(library.is_enum(self.value_of(base)) for base in node.bases):
                continue
            made.add(node.name)
            if "_ignore_" in self.bound or not any(map(_is_member, node.body)):
                yield "has an enumeration without members"

    def _fields(self) -> Iterator[str]:
        """The name of a dataclass's field is written into the text of its methods."""
        kept = set()
        for node, value in self.named:
            if value is dataclasses.Field or (value is dataclasses.fields and "name" in self.stored):
                yield "may change a field of a dataclass"
            if value is dataclasses.field:
                call = self.parents.get(node)
                statement = self.parents.get(call) if isinstance(call, ast.Call) and call.func is node else None
                if not isinstance(statement, ast.AnnAssign) or not isinstance(
                    self.parents.get(statement), ast.ClassDef
                ):
                    yield "keeps a field of a dataclass"
                else:
                    kept.add(source_of(statement.target))
        if kept & self._read_in_bodies():
            yield "keeps a field of a dataclass"

    def _read_in_bodies(self) -> set[str]:
        """Names that the bodies of classes read, outside of their methods."""
        statements = (s for node in self.classes for s in node.body if not isinstance(s, _FUNCTIONS))
        names = (n for statement in statements for n in ast.walk(statement) if isinstance(n, ast.Name))
        return {n.id for n in names if isinstance(n.ctx, ast.Load)}

    def _bases(self) -> Iterator[str]:
        """A private name of a base class may say what its methods reach."""
        for node in self.classes:
            for base in node.bases:
                named = base.value if isinstance(base, ast.Subscript) else base
                yield from self._taken(self.value_of(named), source_of(base))

    def _taken(self, value: Any, text: str) -> Iterator[str]:
        """Private names of a class of the library that the program has too."""
        if isinstance(value, type):
            taken = (self.own & _used_by(value)) - (_OF_ENUMS if library.is_enum(value) else set())
            if taken:
                yield f"redefines the private {min(taken)} of {text}"

    def _privates(self) -> Iterator[str]:
        """A private name that the library has too is the program's own only where its own objects are asked for it."""
        reads = [n for n in self.nodes if isinstance(n, ast.Attribute) and n.attr in self.own]
        if not reads or not self.modules:
            return
        theirs: frozenset[str] = frozenset().union(*map(library.private_names, self.modules))
        for node in reads:
            if node.attr in theirs and (not self._in_method(node) or self._calls_unbound()):
                yield f"uses the private {node.attr}"

    def _in_method(self, node: ast.Attribute) -> bool:
        """Whether an attribute is one of `self` or `cls` in a method."""
        parent: ast.AST | None = node if _is_self(node.value) else None
        while parent is not None and not isinstance(parent, ast.ClassDef):
            parent = self.parents.get(parent)
        return parent is not None

    def _calls_unbound(self) -> bool:
        """Whether a method may be called with another object than one of its class."""
        names = {node.name for node in self.classes}
        methods = {s.name for node in self.classes for s in node.body if isinstance(s, _FUNCTIONS)}
        decorators = [
            d for node in self.classes for s in node.body if isinstance(s, _FUNCTIONS) for d in s.decorator_list
        ]
        if not all(map(self._keeps_methods, decorators)):
            return True
        used = (n for n in self.nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
        return bool(methods & self._read_in_bodies()) or any(n.id in names and self._is_handed_over(n) for n in used)

    def _keeps_methods(self, node: ast.expr) -> bool:
        """Whether a decorator of a method is one of the library's or of a property, and calls it with nothing else."""
        node = node.func if isinstance(node, ast.Call) else node
        if isinstance(node, ast.Attribute) and node.attr in ("setter", "deleter", "getter"):
            return True
        own = isinstance(node, ast.Name) and (node.id in self.bound or node.id in self.functions)
        return self.value_of(node) is not None or (not own and hasattr(builtins, getattr(node, "id", "")))

    def _is_handed_over(self, node: ast.Name) -> bool:
        parent = self.parents.get(node)
        if isinstance(parent, ast.Attribute):
            return not parent.attr.isupper()
        return not self.in_annotation(node) and self._use(node) == "passed"

    def _matches_its_own(self, node: ast.expr) -> bool:
        """Whether only objects of a class that says itself what its places mean are matched."""
        name = node.id if isinstance(node, ast.Name) else ""
        if name in self.bound or not name:
            return False
        made = [one for one in self.classes if one.name == name]
        if not made:
            return name in _SELF_MATCHING
        return all(not one.keywords and all(map(self._is_plain_base, one.bases)) for one in made)

    def _is_plain_base(self, node: ast.expr) -> bool:
        name = node.id if isinstance(node, ast.Name) else ""
        if any(one.name == name for one in self.classes):
            return self._matches_its_own(node)
        if self.value_of(node) is not None:
            return isinstance(self.value_of(node), types.FunctionType)  # NamedTuple
        return hasattr(builtins, name) and name not in self.bound


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def _is_literal(node: ast.expr) -> bool:
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError):
        return False
    return True


def _is_member(node: ast.stmt) -> bool:
    """Whether a statement of a class's body makes a member of an enumeration, whatever its value is."""
    if not isinstance(node, ast.Assign) or not all(isinstance(t, ast.Name) and t.id[0] != "_" for t in node.targets):
        return False
    value = node.value
    made = isinstance(value, ast.Call) and source_of(value.func).rpartition(".")[2] == "auto"
    return made or _is_literal(value)


def _set_by_name(node: ast.AST) -> str:
    """The attribute that a call of `setattr` sets."""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setattr" and len(node.args) > 1:
        name = node.args[1]
        return str(name.value) if isinstance(name, ast.Constant) else ""
    return ""


@functools.lru_cache(maxsize=256)
def _used_by(kind: type) -> frozenset[str]:
    """Private names of a class of the library, and those that its methods read or set."""
    names = set(dir(kind))
    for base in kind.__mro__:
        for value in vars(base).values():
            function = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
            codes = [function.__code__] if isinstance(function, types.FunctionType) else []
            while codes:
                code = codes.pop()
                names.update(code.co_names)
                codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return frozenset(name for name in names if name.startswith("_") and not name.startswith("__"))
