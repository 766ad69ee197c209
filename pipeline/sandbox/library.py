"""What the standard library offers a program that shares a process with its test, and what of it is kept from it.

Beside modules that reach into the machine, the library has functions that read or set an attribute whose name is given
as text, or make a class or code of text. The gate reads names; what follows a text would pass below it.
"""

import enum
import functools
import importlib
import inspect
import re
import sys
import types
from typing import Any

_MODULES = """
__future__ abc array asyncio base64 bisect calendar cmath collections collections.abc contextlib copy csv
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
    "enum": "Enum IntEnum StrEnum Flag IntFlag auto unique verify UNIQUE CONTINUOUS NAMED_FLAGS member nonmember",
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
ALLOWED = {module: frozenset(names.split()) for module, names in _OF_MODULE.items()}
REFUSED = {
    "dataclasses": frozenset({"make_dataclass"}),
    "functools": frozenset({"singledispatch", "singledispatchmethod", "update_wrapper"}),
    "typing": frozenset({"get_type_hints", "ForwardRef", "get_args", "get_origin"}),
    "operator": frozenset({"attrgetter", "methodcaller"}),
    "string": frozenset({"Formatter"}),
}
"""Names of a module that may, and for other modules those that may not be used."""

_IMMUTABLE_TYPE = 1 << 8
"""Of `type.__flags__`: no attribute of the class can be set (Py_TPFLAGS_IMMUTABLETYPE)."""
_PRIVATE = re.compile(r"\b_[A-Za-z]\w*")


def found(module: str, name: str) -> Any:
    """What a module of `MODULES` names so, or None."""
    return getattr(importlib.import_module(module), name, None)


def public(module: str) -> list[str]:
    """The names that `from module import *` gives."""
    loaded = importlib.import_module(module)
    return list(getattr(loaded, "__all__", None) or [name for name in vars(loaded) if not name.startswith("_")])


def may_be_used(module: str, name: str) -> bool:
    """Whether a program may use a name of a module: one that is there, for the error of one that is not holds the
    module; no module, and no class of classes but ABCMeta."""
    known = ALLOWED.get(module)
    if f"{module}.{name}" in MODULES or module == "__future__":
        return True
    if name.startswith("_") or name in REFUSED.get(module, ()) or (known is not None and name not in known):
        return False
    if not hasattr(importlib.import_module(module), name):
        return False
    value = found(module, name)
    if isinstance(value, type) and issubclass(value, type):
        return name == "ABCMeta"
    return known is not None or not isinstance(value, types.ModuleType)


def is_enum(value: Any) -> bool:
    """Whether a value is a class of which a call makes another enumeration, of names given as text."""
    return isinstance(value, enum.EnumType)


def can_be_changed(value: Any) -> frozenset[str]:
    """Names of the attributes of a library's object that setting them would change for everybody."""
    if isinstance(value, type):
        changeable = not value.__flags__ & _IMMUTABLE_TYPE
    else:
        changeable = hasattr(value, "__dict__") and not isinstance(value, types.FunctionType | types.ModuleType)
    return frozenset(dir(value)) if changeable else frozenset()


@functools.lru_cache(maxsize=256)
def private_names(module: str) -> frozenset[str]:
    """Private names in the text of a module or package of the library, and of its classes where it has no text."""
    root = module.partition(".")[0]
    names: set[str] = set()
    for name, loaded in list(sys.modules.items()):
        if name == module or name.startswith(f"{root}."):
            try:
                names.update(_PRIVATE.findall(inspect.getsource(loaded)))
            except (OSError, TypeError):
                names.update(*(dir(value) for value in vars(loaded).values() if isinstance(value, type)))
    return frozenset(name for name in names if name.startswith("_") and not name.startswith("__"))
