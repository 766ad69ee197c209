"""The normal form of a Python text: what is left when names, docstrings, comments and annotations do not count.

Two texts are renamed clones when their normal forms are equal. Kept are structure, operators, constants, attributes,
keyword arguments, names of imported modules, and every name that the text itself does not bind (builtins above all).
Renamed, scope by scope and in order of first use, are the names that the text binds: functions, parameters, local and
module variables, import aliases. Names bound in a class body are attributes and stay.
"""

import ast
import hashlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from pipeline.languages.python.source import parse_indented

_NO_CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_SKIPPED_FIELDS = frozenset({"annotation", "returns", "type_comment", "ctx", "kind", "type_ignores"})
_WRITTEN: dict[type, tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _SKIPPED_FIELDS)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
"""Fields of each type of node that its normal form has."""


class _Scope:
    """One function, class or module. own: names it binds, all of them only when it has been written."""

    __slots__ = ("depth", "elsewhere", "is_class", "numbers", "own", "parent")

    def __init__(self, parent: "_Scope | None" = None, *, is_class: bool = False) -> None:
        self.parent = parent
        self.is_class = is_class
        self.depth: int = parent.depth + 1 if parent else 0
        self.own: set[str] = set()
        self.elsewhere: set[str] = set()
        self.numbers: dict[str, int] = {}

    def resolve(self, name: str) -> str:
        """What stands for `name` here. Numbers are given in the order of the calls."""
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.own and name not in scope.elsewhere and (not scope.is_class or scope is self):
                if scope.is_class:
                    return name
                number = scope.numbers.setdefault(name, len(scope.numbers))
                return f"\x01{scope.depth}.{number}"
            scope = scope.parent
        return name


class _Writer:
    """Writes the normal form of a tree in one pass: strings, and names with their scope, which `text` resolves once
    it is known what each scope binds."""

    def __init__(self, constants: bool) -> None:
        self.constants = constants
        self.out: list[str | tuple[_Scope, str]] = []
        self.statements = 0

    def text(self) -> str:
        """The normal form."""
        return "\x00".join([part if isinstance(part, str) else part[0].resolve(part[1]) for part in self.out])

    def body(self, statements: list[ast.stmt], scope: _Scope) -> None:
        for statement in statements:
            self.statement(statement, scope)
        self.out.append("\x02")

    def statement(self, node: ast.stmt, scope: _Scope) -> None:
        if isinstance(node, ast.Pass):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            value = node.value.value
            if value is ... or isinstance(value, str | bytes):
                return
        elif isinstance(node, ast.AnnAssign):
            if node.value is None:
                if isinstance(node.target, ast.Name):
                    scope.own.add(node.target.id)
                return
            self.statements += not _is_setting(node, scope)
            self.out.append("Assign")
            self.node(node.target, scope)
            self.out.append("\x02")
            self.node(node.value, scope)
            return
        self.statements += not (isinstance(node, _NO_CODE) or _is_stub(node) or _is_setting(node, scope))
        self.node(node, scope)

    def node(self, node: ast.AST, scope: _Scope) -> None:
        kind = node.__class__
        if isinstance(node, ast.Name):
            self.out.append((scope, node.id))
            if node.ctx.__class__ is not ast.Load:
                scope.own.add(node.id)
            return
        if isinstance(node, ast.Constant):
            self.out.append(repr(node.value) if self.constants else "K")
            return
        special = _SPECIAL.get(kind)
        if special is not None:
            special(self, node, scope)
            return
        self.out.append(kind.__name__)
        self.fields(node, scope)

    def fields(self, node: ast.AST, scope: _Scope) -> None:
        for name in _WRITTEN[node.__class__]:
            value = getattr(node, name)
            if isinstance(value, ast.AST):
                self.node(value, scope)
            elif isinstance(value, list):
                if value and isinstance(value[0], ast.stmt):
                    self.body(value, scope)
                    continue
                for item in value:
                    if isinstance(item, ast.AST):
                        self.node(item, scope)
                    else:
                        self.out.append(repr(item))
                self.out.append("\x02")
            elif isinstance(value, str) and (name == "name" or name == "rest"):
                self.bind(value, scope)
            else:
                self.out.append(repr(value))

    def bind(self, name: str, scope: _Scope) -> None:
        scope.own.add(name)
        self.out.append((scope, name))

    def arguments(self, node: ast.arguments, outer: _Scope, inner: _Scope) -> None:
        for default in [*node.defaults, *node.kw_defaults]:
            if default is None:
                self.out.append("None")
            else:
                self.node(default, outer)
        for part in (node.posonlyargs, node.args, node.kwonlyargs):
            self.out.append(f"({len(part)}")
            for argument in part:
                self.bind(argument.arg, inner)
        for star in (node.vararg, node.kwarg):
            if star:
                self.bind(star.arg, inner)
            else:
                self.out.append("\x02")

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope) -> None:
        for decorator in node.decorator_list:
            self.node(decorator, scope)
        self.out.append(node.__class__.__name__)
        self.bind(node.name, scope)
        inner = _Scope(scope)
        self.arguments(node.args, scope, inner)
        self.body(node.body, inner)

    def anonymous(self, node: ast.Lambda, scope: _Scope) -> None:
        self.out.append("Lambda")
        inner = _Scope(scope)
        self.arguments(node.args, scope, inner)
        self.node(node.body, inner)

    def class_(self, node: ast.ClassDef, scope: _Scope) -> None:
        for decorator in node.decorator_list:
            self.node(decorator, scope)
        self.out.append("ClassDef")
        self.bind(node.name, scope)
        for base in [*node.bases, *node.keywords]:
            self.node(base, scope)
        self.body(node.body, _Scope(scope, is_class=True))

    def imports(self, node: ast.Import | ast.ImportFrom, scope: _Scope) -> None:
        self.out.append(node.__class__.__name__)
        self.out.append(f"{node.level}{node.module}" if isinstance(node, ast.ImportFrom) else "")
        for alias in node.names:
            self.out.append(alias.name)
            self.bind(alias.asname or alias.name.split(".")[0], scope)

    def elsewhere(self, node: ast.Global | ast.Nonlocal, scope: _Scope) -> None:
        self.out.append(node.__class__.__name__)
        scope.elsewhere.update(node.names)
        self.out.extend((scope, name) for name in node.names)

    def unary(self, node: ast.UnaryOp, scope: _Scope) -> None:
        if not self.constants and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
            self.out.append("K")
            return
        self.out.append("UnaryOp")
        self.fields(node, scope)


_SPECIAL: dict[type, Callable[[_Writer, Any, _Scope], None]] = {
    ast.FunctionDef: _Writer.function,
    ast.AsyncFunctionDef: _Writer.function,
    ast.Lambda: _Writer.anonymous,
    ast.ClassDef: _Writer.class_,
    ast.Import: _Writer.imports,
    ast.ImportFrom: _Writer.imports,
    ast.Global: _Writer.elsewhere,
    ast.Nonlocal: _Writer.elsewhere,
    ast.UnaryOp: _Writer.unary,
}


def _is_stub(node: ast.stmt) -> bool:
    """Whether the statement is `raise NotImplementedError`, called or not."""
    if not isinstance(node, ast.Raise):
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _is_setting(node: ast.stmt, scope: _Scope) -> bool:
    """Whether the statement gives a name of the module a literal value, `LIMIT = 3`."""
    if scope.parent is not None or not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
        return False
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return all(isinstance(target, ast.Name) for target in targets) and _is_literal(node.value)


def _is_literal(node: ast.expr | None) -> bool:
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return all(map(_is_literal, node.elts))
    if isinstance(node, ast.Dict):
        return all(map(_is_literal, [*node.keys, *node.values]))
    return isinstance(node, ast.Constant)


def _written(tree: ast.Module, constants: bool) -> _Writer | None:
    writer = _Writer(constants)
    try:
        writer.body(tree.body, _Scope())
    except RecursionError:  # deeper nesting than Python's own stack: such a text is not compared
        return None
    return writer


def normal_form(text: str, *, constants: bool = True) -> bytes:
    """16-byte digest of the normal form of `text`; b"" where it has none.

    constants: False writes every literal as the same mark, which makes texts equal that differ only in their
    constants. There is no normal form for a text that is not Python, nor for one without a statement of its own once
    docstrings, `pass`, `...`, bare annotations and `raise NotImplementedError` are taken away (definitions and imports
    are not statements of their own here): stubs would all be clones of each other. Nor are literal values given to
    names of a module (`LIMIT = 3`): there the names are what is said, and modules of one such line would be clones.
    """
    tree = parse_indented(text)
    return tree_form(tree, constants=constants) if tree is not None else b""


def tree_form(tree: ast.Module, *, constants: bool = True) -> bytes:
    """`normal_form` of a text that is parsed already."""
    writer = _written(tree, constants)
    if writer is None or not writer.statements:
        return b""
    return hashlib.blake2b(writer.text().encode("utf-8", "surrogatepass"), digest_size=16).digest()


class Wording(NamedTuple):
    """What the docstrings of a text say. words: in order, case folded, without the names that the text binds (`own`,
    case folded too)."""

    words: tuple[str, ...]
    own: frozenset[str]

    def same(self, other: "Wording") -> bool:
        """Whether both say the same, the names that either text binds aside.

        A renaming changes names in the docstring too, and may take its new name from a word that was there, or leave
        one there: so the names of both texts count in neither.
        """
        mine = [word for word in self.words if word not in other.own]
        return mine == [word for word in other.words if word not in self.own]


def wording(text: str) -> Wording:
    """The words of all docstrings of `text`; no words where it has none, or is not Python."""
    from pipeline.core.words import split  # with numpy, which a language is found without

    tree = parse_indented(text)
    said: list[str] = []
    bound: set[str] = set()
    for node in ast.walk(tree) if tree is not None else ():
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            said += split(ast.get_docstring(node, clean=False) or "", fold=True)
        if isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add(node.asname or node.name.split(".")[0])
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        else:  # functions, classes, `except .. as`, captures of patterns, type parameters
            names = getattr(node, "name", None), getattr(node, "rest", None)
            bound.update(name for name in names if isinstance(name, str))
    own = frozenset(word for name in bound for word in split(name, fold=True))
    return Wording(tuple(word for word in said if word not in own), own)


def top_level_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions defined at the top of the text or in its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
