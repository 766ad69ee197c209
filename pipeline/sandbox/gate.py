"""Which programs may share a process with their test: those in which nothing can reach the test or how it is judged.

Read from the program's text, before it runs, by the judge. A closed set of modules, of names of those modules that
reach into the machine or the interpreter, of builtins and of special names is allowed; whatever is not known is
refused, and the program is then judged in a process of its own alone. So a program that shares the process can reach no
frame, no namespace but its own, no file descriptor, no import and nothing of the standard library to change, and has no
objects that decide what they equal. What is refused is named, for the verdict's detail.
"""

import ast
import importlib
import re
import types
from collections.abc import Iterator

_MODULES = """
__future__ abc argparse array asyncio base64 bisect calendar cmath collections collections.abc contextlib copy csv
dataclasses datetime decimal difflib enum fnmatch fractions functools getpass glob hashlib heapq html io ipaddress
itertools json keyword logging math numbers operator os os.path pathlib pprint queue random re secrets shlex statistics
string struct sys tempfile textwrap threading time types typing unicodedata urllib.parse uuid warnings zlib
zoneinfo
"""
MODULES = frozenset(_MODULES.split())
"""What a program may import."""
_OF_MODULE = {
    "asyncio": """
        run sleep gather wait wait_for create_task Task Queue PriorityQueue LifoQueue QueueEmpty QueueFull Lock
        Semaphore BoundedSemaphore Event Condition TimeoutError CancelledError iscoroutinefunction iscoroutine
        as_completed shield timeout to_thread TaskGroup current_task ensure_future FIRST_COMPLETED ALL_COMPLETED
        FIRST_EXCEPTION InvalidStateError
    """,
    "io": "StringIO BytesIO TextIOBase IOBase RawIOBase BufferedIOBase UnsupportedOperation SEEK_SET SEEK_CUR SEEK_END",
    "os": """
        environ getenv path sep linesep name curdir pardir extsep getcwd listdir makedirs mkdir remove rmdir unlink
        rename replace scandir walk stat urandom cpu_count fspath PathLike strerror
    """,
    "sys": """
        stdout stderr stdin argv maxsize setrecursionlimit getrecursionlimit float_info int_info byteorder version
        version_info platform getsizeof intern exit maxunicode
    """,
    "types": "SimpleNamespace MappingProxyType GeneratorType NoneType",
    "logging": """
        getLogger Logger basicConfig debug info warning error critical exception log DEBUG INFO WARNING ERROR CRITICAL
        NOTSET StreamHandler NullHandler disable
    """,
    "threading": """
        Thread Lock RLock Event Condition Semaphore BoundedSemaphore Barrier Timer local current_thread active_count
        get_ident main_thread
    """,
}
_ALLOWED = {module: frozenset(names.split()) for module, names in _OF_MODULE.items()}
_REFUSED = {
    "dataclasses": frozenset({"make_dataclass"}),
    "enum": frozenset({"EnumMeta", "EnumType"}),
    "functools": frozenset({"singledispatch", "singledispatchmethod"}),
    "typing": frozenset({"get_type_hints", "ForwardRef", "get_args"}),
    "operator": frozenset({"attrgetter", "methodcaller"}),
    "string": frozenset({"Formatter"}),
}
"""Names of a module that may, and for other modules those that may not be used."""
_BUILTINS = frozenset(
    {"exec", "eval", "compile", "globals", "locals", "vars", "breakpoint", "delattr", "help", "memoryview", "dir"}
)
_SPECIAL = """
init new post_init len iter next reversed getitem setitem delitem call enter exit str repr format aenter aexit aiter
anext slots doc name qualname annotations class main file all missing
"""
_NAMED = frozenset(f"__{name}__" for name in _SPECIAL.split())
"""Special names that may be written at all: no method among them decides a comparison or does arithmetic."""
_INSIDE = re.compile(
    r"(tb|gi|cr|ag|f|co|func)_\w+|mro|fget|fset|fdel|gen|buffer|raw|detach|format_map|connect_\w+_pipe|add_reader"
    r"|add_writer|with_traceback"
)
"""Attributes that lead into the interpreter, to a file descriptor, or follow names given as text."""
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
    """Reads one program. modules: names that stand for modules. imported: names taken from one. own: names that it
    defines itself, the only private ones that it may read.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.modules: dict[str, str] = {}
        self.imported: set[str] = set()
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
        stores, values = "", ""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Name):
                yield from self._name(node)
                if node.id in self.imported and self._is_value(node):
                    values = node.id
            elif isinstance(node, ast.Attribute):
                yield from self._attribute(node)
                if not isinstance(node.ctx, ast.Load) and _root(node) not in ("self", "cls"):
                    stores = node.attr
            elif isinstance(node, ast.Call):
                yield from self._call(node)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from self._definition(node)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in self.docstrings:
                if "__" in re.sub("|".join(_NAMED), "", node.value):
                    yield f"has the text {node.value[:40]!r}"
            elif isinstance(node, ast.MatchClass) and node.kwd_attrs:
                yield "matches attributes of classes"
        if stores and values:
            yield f"sets the attribute {stores} and passes {values} on"

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
        for alias in node.names:
            if alias.name == "*":
                if module in _ALLOWED or module in _REFUSED:
                    yield f"imports everything of {module}"
                continue
            yield from self._member(module, alias.name)
            if alias.name == "ABCMeta" and alias.asname:
                yield "renames ABCMeta"
            if f"{module}.{alias.name}" in MODULES:
                self.modules[alias.asname or alias.name] = f"{module}.{alias.name}"
            else:
                self.imported.add(alias.asname or alias.name)

    def _member(self, module: str, name: str) -> Iterator[str]:
        """Whether a name of a module may be used."""
        known = _ALLOWED.get(module)
        if f"{module}.{name}" in MODULES or module == "__future__":
            return
        private = name.startswith("_") or name in _REFUSED.get(module, ())
        value = None if private or known is not None else getattr(importlib.import_module(module), name, None)
        if private or (known is not None and name not in known) or isinstance(value, types.ModuleType):
            yield f"uses {module}.{name}"

    def _name(self, node: ast.Name) -> Iterator[str]:
        if (node.id.startswith("__") and node.id not in _NAMED) or node.id in _BUILTINS:
            yield f"uses {node.id}"
        elif node.id == "ABCMeta" and not isinstance(self.parents.get(node), ast.keyword):
            yield "makes a class with ABCMeta"
        elif node.id in ("getattr", "setattr", "hasattr", "open", "type") and not self._is_called(node):
            if node.id != "type" or not self._is_compared(node):
                yield f"passes {node.id} on"
        elif node.id in self.modules:
            parent = self.parents.get(node)
            if not (isinstance(parent, ast.Attribute) and parent.value is node) or not isinstance(node.ctx, ast.Load):
                yield f"passes the module {node.id} on"

    def _is_called(self, node: ast.Name) -> bool:
        parent = self.parents.get(node)
        return isinstance(parent, ast.Call) and parent.func is node

    def _is_compared(self, node: ast.Name) -> bool:
        return isinstance(self.parents.get(node), ast.Compare | ast.arg | ast.Subscript)

    def _is_named(self, node: ast.expr) -> bool:
        """Whether a class is only compared with another, or asked for its name."""
        parent = self.parents.get(node)
        name = parent.attr if isinstance(parent, ast.Attribute) else ""
        return isinstance(parent, ast.Compare) or name in ("__name__", "__qualname__", "__doc__")

    def _is_value(self, node: ast.Name) -> bool:
        """Whether an imported name is used other than by calling it, as a base, in an annotation or for its members."""
        parent = self.parents.get(node)
        plain = ast.Attribute | ast.ClassDef | ast.arg | ast.AnnAssign | ast.Subscript | ast.ExceptHandler | ast.BinOp
        if isinstance(parent, plain | ast.FunctionDef | ast.AsyncFunctionDef | ast.keyword):
            return False
        return not (isinstance(parent, ast.Call) and (parent.func is node or _is_instance_check(parent)))

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
            yield f"changes {ast.unparse(node)}"
        if stored and root in self.imported:
            yield f"changes {ast.unparse(node)}"

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

    def _definition(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
        if node.name.startswith("__") and node.name not in _NAMED:
            yield f"defines {node.name}"
        if isinstance(node, ast.ClassDef):
            for keyword in node.keywords:
                if keyword.arg == "metaclass" and ast.unparse(keyword.value).rpartition(".")[2] != "ABCMeta":
                    yield "has a metaclass"
            if any(ast.unparse(base) == "type" for base in node.bases):
                yield "has a metaclass"


def _is_own(node: ast.Attribute) -> bool:
    """Whether an attribute is one that the program gives its own objects."""
    return not isinstance(node.ctx, ast.Load) and _root(node.value) in ("self", "cls")


def _is_instance_check(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in ("isinstance", "issubclass", "defaultdict")


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
