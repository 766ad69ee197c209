"""Which programs may share a process with their test: those in which nothing can reach the test or how it is judged.

Read from the program's text, before it runs, by the judge. A closed set of modules, of names of those modules that
reach into the machine or the interpreter, of builtins and of special names is allowed; whatever is not known is
refused, and the program is then judged in a process of its own alone. So a program that shares the process can reach no
frame, no namespace but its own, no file descriptor, no import and nothing of the standard library to change, and has no
objects that decide what they equal. What is refused is named, for the verdict's detail.
"""

import ast
import dataclasses
import functools
import logging
import re
from collections.abc import Iterator
from typing import Any

from pipeline.core.syntax import source_of
from pipeline.sandbox import library
from pipeline.sandbox.library import MODULES
from pipeline.sandbox.passing import Passing

_BUILTINS = frozenset(
    {"exec", "eval", "compile", "globals", "locals", "vars", "breakpoint", "delattr", "help", "memoryview", "dir"}
)
_SPECIAL = """
init new post_init len iter next reversed getitem setitem delitem call enter exit str repr format aenter aexit aiter
anext slots doc name qualname class main file all missing
"""
_NAMED = frozenset(f"__{name}__" for name in _SPECIAL.split())
"""Special names that may be written at all: no method among them decides a comparison or does arithmetic."""
_INSIDE = re.compile(
    r"(tb|gi|cr|ag|f|co|func)_\w+|mro|fget|fset|fdel|gen|buffer|raw|detach|format_map|connect_\w+_pipe|add_reader"
    r"|add_writer|with_traceback|get_loop|get_stack|print_stack|get_coro|get_context|sock_\w+|sendfile|pathmod"
)
"""Attributes that lead into the interpreter, to an event loop or a file descriptor, or follow names given as text."""
_UNBOUND = frozenset({"__name__", "__file__", "__class__", "__main__", "__qualname__"})
"""Special names that a program may read and not bind: a class takes its module from `__name__`."""
_FIELD = re.compile(r"\{[^{}:!]*[.\[]")
"""A field of a format that looks into its value."""
_INNOCENT = frozenset({"f_name", "f_score", "f_value", "co_author", "func_name", "cr_number", "raw_data"})
_PUBLIC = frozenset({"_replace", "_asdict", "_fields", "_make", "_field_defaults"})
"""Names of named tuples that only look private."""
_STREAMS = frozenset({"stdout", "stderr", "stdin"})


def refusal(source: str) -> str:
    """What keeps a program from sharing a process with its test; "" for nothing."""
    try:
        tree = ast.parse(source)
        return next(_Reader(tree).refusals(), "")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return f"does not parse: {error}"


class _Reader:
    """Reads one program. modules: names that stand for modules. imported: names taken from one, with what they name.
    own: names that it defines itself, the only private ones that it may read.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.modules: dict[str, str] = {}
        self.taken: set[str] = set()
        self.imported: dict[str, Any] = {}
        self.parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        self.own = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and _is_own(n)}
        self.own |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self.own |= {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)}
        self.docstrings = {
            node.body[0].value
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }

    def refusals(self) -> Iterator[str]:
        """Everything that is refused, imports first."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield from self._import(node)
        known = {*self.modules.values(), *self.taken}
        self.passing = Passing(self.tree, self.parents, self.value_of, known, self.own)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                yield from self._name(node)
            elif isinstance(node, ast.Attribute):
                yield from self._attribute(node)
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from self._definition(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in self.docstrings:
                if "__" in re.sub("|".join(_NAMED), "", node.value):
                    yield f"has the text {node.value[:40]!r}"
            elif isinstance(node, ast.MatchClass) and node.kwd_attrs:
                yield "matches attributes of classes"
        yield from self.passing.refusals()

    def _import(self, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name not in MODULES:
                    yield f"imports {alias.name}"
                self.modules[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
            return
        module = node.module or ""
        if node.level or module not in MODULES:
            yield f"imports {module or 'a neighbour'}"
            return
        self.taken.add(module)
        for alias in node.names:
            if alias.name == "*":
                if module in library.ALLOWED or module in library.REFUSED:
                    yield f"imports everything of {module}"
                for name in library.public(module):
                    yield from self._member(module, name)
                    self.imported[name] = library.found(module, name)
                continue
            yield from self._member(module, alias.name)
            if alias.name == "ABCMeta" and alias.asname:
                yield "renames ABCMeta"
            if f"{module}.{alias.name}" in MODULES:
                self.modules[alias.asname or alias.name] = f"{module}.{alias.name}"
            else:
                self.imported[alias.asname or alias.name] = library.found(module, alias.name)

    def _member(self, module: str, name: str) -> Iterator[str]:
        """Whether a name of a module may be used."""
        if not library.may_be_used(module, name):
            yield f"uses {module}.{name}"

    def value_of(self, node: ast.AST) -> Any:
        """What of the library an expression names, None for anything else."""
        if isinstance(node, ast.Name):
            return self.imported.get(node.id)
        if isinstance(node, ast.Attribute):
            module = self._module(node.value)
            return library.found(module, node.attr) if module and library.may_be_used(module, node.attr) else None
        return None

    def _wraps_badly(self, node: ast.expr) -> bool:
        """Whether `functools.wraps` may be told which attributes to copy."""
        call = self.parents.get(node)
        if self.value_of(node) is not functools.wraps:
            return False
        if not isinstance(call, ast.Call) or call.func is not node or call.keywords or len(call.args) != 1:
            return True
        return isinstance(call.args[0], ast.Starred)

    def _name(self, node: ast.Name) -> Iterator[str]:
        if (node.id.startswith("__") and node.id not in _NAMED) or node.id in _BUILTINS:
            yield f"uses {node.id}"
        elif node.id in _UNBOUND and not isinstance(node.ctx, ast.Load):
            yield f"sets {node.id}"
        elif self._wraps_badly(node):
            yield "says what wraps is to copy"
        elif node.id == "ABCMeta" and not isinstance(self.parents.get(node), ast.keyword):
            yield "makes a class with ABCMeta"
        elif node.id in ("getattr", "setattr", "hasattr", "open", "type") and not self._is_called(node):
            if node.id != "type" or not self._is_compared(node) or isinstance(node.ctx, ast.Store):
                yield f"passes {node.id} on"
        elif node.id in self.modules:
            parent = self.parents.get(node)
            if not (isinstance(parent, ast.Attribute) and parent.value is node) or not isinstance(node.ctx, ast.Load):
                yield f"passes the module {node.id} on"

    def _is_called(self, node: ast.Name) -> bool:
        parent = self.parents.get(node)
        return isinstance(parent, ast.Call) and parent.func is node

    def _is_compared(self, node: ast.Name) -> bool:
        """Whether `type` itself is only compared with a class, or is of an annotation that nothing reads."""
        if isinstance(self.parents.get(node), ast.Compare):
            return True
        reads = any(value is dataclasses.fields for _, value in self.passing.named)
        return self.passing.in_annotation(node) and not reads

    def _is_named(self, node: ast.expr) -> bool:
        """Whether a class is only compared with another, or asked for its name."""
        parent = self.parents.get(node)
        name = parent.attr if isinstance(parent, ast.Attribute) else ""
        return isinstance(parent, ast.Compare) or name in ("__name__", "__qualname__", "__doc__")

    def _attribute(self, node: ast.Attribute) -> Iterator[str]:
        name, root = node.attr, _root(node)
        if name.startswith("__") and name not in _NAMED:
            yield f"uses {name}"
        elif name.startswith("_") and not name.startswith("__") and name not in self.own | _PUBLIC:
            yield f"uses the private {name}"
        elif name == "__class__" and not self._is_named(node):
            yield "uses __class__"
        elif name == "ABCMeta" and not isinstance(self.parents.get(node), ast.keyword):
            yield "makes a class with ABCMeta"
        elif _INSIDE.fullmatch(name) and name not in _INNOCENT:
            yield f"uses the attribute {name}"
        elif self._wraps_badly(node):
            yield "says what wraps is to copy"
        elif name == "format" and not isinstance(node.value, ast.Constant):
            yield "formats with a text that is not written out"
        elif name == "format" and _FIELD.search(str(getattr(node.value, "value", ""))):
            yield "formats attributes"
        module = self._module(node.value)
        if module:
            yield from self._member(module, name)
        stored = not isinstance(node.ctx, ast.Load)
        if stored and name.startswith("__"):
            yield f"sets {name}"
        if stored and root in self.modules and not (module == "sys" and name in _STREAMS):
            yield f"changes {source_of(node)}"
        if stored and root in self.imported:
            yield f"changes {source_of(node)}"

    def _module(self, node: ast.expr) -> str:
        """The module that an expression stands for, "" for none."""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id, "")
        if isinstance(node, ast.Attribute):
            outer = self._module(node.value)
            return f"{outer}.{node.attr}" if outer and f"{outer}.{node.attr}" in MODULES else ""
        return ""

    def _call(self, node: ast.Call) -> Iterator[str]:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        first = node.args[0] if node.args else None
        if name in ("getattr", "setattr", "hasattr"):
            attribute = node.args[1] if len(node.args) > 1 else None
            text = attribute.value if isinstance(attribute, ast.Constant) else None
            if not isinstance(text, str) or text[:1] == "_" or text == "format" or _INSIDE.fullmatch(text):
                yield f"calls {name} with a name that is not plain"
            if name == "setattr" and not (isinstance(first, ast.Name) and first.id == "self"):
                yield "calls setattr"
        if name == "type" and not (len(node.args) == 1 and self._is_named(node)):
            yield "makes a class, or takes one to make another, with type"
        if any(keyword.arg in ("opener", None) for keyword in node.keywords) and name == "open":
            yield "calls open with an opener"
        if any(keyword.arg == "style" for keyword in node.keywords):
            yield "chooses a style of formatting"
        if self.value_of(node.func) is logging.basicConfig and any(keyword.arg is None for keyword in node.keywords):
            yield "chooses a style of formatting"

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
        if node.name.startswith("__") and node.name not in _NAMED:
            yield f"defines {node.name}"
        if isinstance(node, ast.ClassDef):
            for keyword in node.keywords:
                if keyword.arg is None:
                    yield "has keywords that are not written out"
                elif keyword.arg == "metaclass" and source_of(keyword.value).rpartition(".")[2] != "ABCMeta":
                    yield "has a metaclass"
            if any(source_of(base) == "type" for base in node.bases):
                yield "has a metaclass"


def _is_own(node: ast.Attribute) -> bool:
    """Whether an attribute is one that the program gives its own objects."""
    return not isinstance(node.ctx, ast.Load) and _root(node.value) in ("self", "cls")


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
