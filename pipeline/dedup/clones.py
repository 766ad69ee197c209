"""The normal form of a Python text: what is left when names, docstrings, comments and annotations do not count.

Two texts are renamed clones when their normal forms are equal. Kept are structure, operators, constants, attributes,
keyword arguments, names of imported modules, and every name that the text itself does not bind (builtins above all).
Renamed, scope by scope and in order of first use, are the names that the text binds: functions, parameters, local and
module variables, import aliases. Names bound in a class body are attributes and stay.
"""

import ast
import hashlib
import textwrap
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_NO_CODE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
_SKIPPED_FIELDS = frozenset({"annotation", "returns", "type_comment", "ctx", "kind", "type_ignores"})


def parse(text: str) -> ast.Module | None:
    """The syntax tree of `text`, taken out of its indentation where it has one; None where it is not Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in other people's strings
        try:
            return ast.parse(text)
        except IndentationError:
            try:
                return ast.parse(textwrap.dedent(text))
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                return None
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None


@dataclass(slots=True)
class _Scope:
    """One function, class or module. own: names it binds; numbers: the numbers given to them so far."""

    kind: str
    own: frozenset[str]
    parent: "_Scope | None" = None
    depth: int = 0
    numbers: dict[str, int] = field(default_factory=dict)

    def resolve(self, name: str) -> str:
        scope: _Scope | None = self
        while scope is not None:
            if name in scope.own and (scope.kind != "class" or scope is self):
                if scope.kind == "class":
                    return name
                number = scope.numbers.setdefault(name, len(scope.numbers))
                return f"\x01{scope.depth}.{number}"
            scope = scope.parent
        return name


def _bound(scope: ast.AST) -> frozenset[str]:
    """Names that the function, class or module binds itself; those of functions inside it are theirs."""
    names: set[str] = set()
    elsewhere: set[str] = set()
    stack: list[ast.AST] = []
    if isinstance(scope, _FUNCTIONS):
        arguments = scope.args
        listed = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
        names.update(argument.arg for argument in listed if argument is not None)
        stack.extend([scope.body] if isinstance(scope, ast.Lambda) else scope.body)
    else:
        assert isinstance(scope, ast.Module | ast.ClassDef)
        stack.extend(scope.body)
    while stack:
        node = stack.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                names.add(name)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                names.add(node.name)
                stack.extend([*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)])
                continue
            case ast.ClassDef():
                names.add(node.name)
                stack.extend([*node.decorator_list, *node.bases, *(k.value for k in node.keywords)])
                continue
            case ast.Lambda():
                stack.extend([*node.args.defaults, *(d for d in node.args.kw_defaults if d)])
                continue
            case ast.Import() | ast.ImportFrom():
                names.update(alias.asname or alias.name.split(".")[0] for alias in node.names)
            case ast.Global() | ast.Nonlocal():
                elsewhere.update(node.names)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.add(name)
            case ast.MatchMapping(rest=str(name)):
                names.add(name)
            case _:
                pass
        stack.extend(ast.iter_child_nodes(node))
    return frozenset(names - elsewhere)


class _Writer:
    """Writes the normal form of a tree as a list of short strings."""

    def __init__(self, constants: bool) -> None:
        self.constants = constants
        self.out: list[str] = []
        self.statements = 0

    def body(self, statements: list[ast.stmt], scope: _Scope) -> None:
        for statement in statements:
            self.statement(statement, scope)
        self.out.append("\x02")

    def statement(self, node: ast.stmt, scope: _Scope) -> None:
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant(value=str() | bytes())):
                return
            case ast.Expr(value=ast.Constant(value=value)) if value is ...:
                return
            case ast.AnnAssign(value=None):
                return
            case ast.AnnAssign(target=target, value=value):
                self.statements += 1
                self.out.append("Assign")
                self.node(target, scope)
                self.out.append("\x02")
                self.value(value, scope)
                return
            case _:
                self.statements += not (isinstance(node, _NO_CODE) or _is_stub(node))
                self.node(node, scope)

    def arguments(self, node: ast.arguments, outer: _Scope, inner: _Scope) -> None:
        for default in [*node.defaults, *node.kw_defaults]:
            self.value(default, outer)
        for part in (node.posonlyargs, node.args, node.kwonlyargs):
            self.out.append(f"({len(part)}")
            for argument in part:
                self.out.append(inner.resolve(argument.arg))
        for star in (node.vararg, node.kwarg):
            self.out.append(inner.resolve(star.arg) if star else "\x02")

    def node(self, node: ast.AST, scope: _Scope) -> None:
        out = self.out
        if isinstance(node, ast.Name):
            out.append(scope.resolve(node.id))
            return
        if isinstance(node, ast.Constant):
            out.append(repr(node.value) if self.constants else "K")
            return
        kind = type(node).__name__
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                for decorator in node.decorator_list:
                    self.node(decorator, scope)
                out.extend((kind, scope.resolve(node.name)))
                inner = _Scope("function", _bound(node), scope, scope.depth + 1)
                self.arguments(node.args, scope, inner)
                self.body(node.body, inner)
            case ast.Lambda():
                out.append(kind)
                inner = _Scope("function", _bound(node), scope, scope.depth + 1)
                self.arguments(node.args, scope, inner)
                self.node(node.body, inner)
            case ast.ClassDef():
                for decorator in node.decorator_list:
                    self.node(decorator, scope)
                out.extend((kind, scope.resolve(node.name)))
                for base in [*node.bases, *node.keywords]:
                    self.node(base, scope)
                self.body(node.body, _Scope("class", _bound(node), scope, scope.depth + 1))
            case ast.Import() | ast.ImportFrom():
                module = f"{node.level}{node.module}" if isinstance(node, ast.ImportFrom) else ""
                out.extend((kind, module))
                for alias in node.names:
                    out.extend((alias.name, scope.resolve(alias.asname or alias.name.split(".")[0])))
            case ast.Global() | ast.Nonlocal():
                out.append(kind)
                out.extend(scope.resolve(name) for name in node.names)
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()) if not self.constants:
                out.append("K")
            case _:
                out.append(kind)
                for name in node._fields:
                    if name not in _SKIPPED_FIELDS:
                        self.value(getattr(node, name), scope, name)

    def value(self, value: object, scope: _Scope, field_name: str = "") -> None:
        if isinstance(value, ast.AST):
            self.node(value, scope)
        elif isinstance(value, list):
            if value and isinstance(value[0], ast.stmt):
                self.body(value, scope)
                return
            for item in value:
                self.value(item, scope, field_name)
            self.out.append("\x02")
        elif isinstance(value, str) and field_name in ("name", "rest"):
            self.out.append(scope.resolve(value))
        else:
            self.out.append(repr(value))


def _is_stub(node: ast.stmt) -> bool:
    """Whether the statement is `raise NotImplementedError`, called or not."""
    if not isinstance(node, ast.Raise):
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _written(tree: ast.Module, constants: bool) -> _Writer | None:
    writer = _Writer(constants)
    try:
        writer.body(tree.body, _Scope("module", _bound(tree)))
    except RecursionError:  # deeper nesting than Python's own stack: such a text is not compared
        return None
    return writer


def normal_form(text: str, *, constants: bool = True) -> bytes:
    """16-byte digest of the normal form of `text`; b"" where it has none.

    constants: False writes every literal as the same mark, which makes texts equal that differ only in their
    constants. There is no normal form for a text that is not Python, nor for one without a statement of its own once
    docstrings, `pass`, `...`, bare annotations and `raise NotImplementedError` are taken away (definitions and imports
    are not statements of their own here): stubs would all be clones of each other.
    """
    tree = parse(text)
    return tree_form(tree, constants=constants) if tree is not None else b""


def tree_form(tree: ast.Module, *, constants: bool = True) -> bytes:
    """`normal_form` of a text that is parsed already."""
    writer = _written(tree, constants)
    if writer is None or not writer.statements:
        return b""
    return hashlib.blake2b("\x00".join(writer.out).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def top_level_functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions defined at the top of the text or in its classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
        elif isinstance(node, ast.ClassDef):
            yield from (n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))
