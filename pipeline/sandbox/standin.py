"""The test's end of the calls between processes: stand-ins for the program's functions, classes and objects."""

import builtins
import enum
import sys
import types
from collections.abc import Callable, Generator
from typing import Any

from pipeline.sandbox import codec, wire
from pipeline.sandbox.remote import ANYTHING, FAR, IDENTITY, NamedDecoder, Peer, by_name, restore

_TEST_MODULE = "__main__"
_TELLING = FAR - {
    *("__len__", "__iter__", "__next__", "__reversed__", "__getitem__", "__setitem__", "__delitem__", "__call__"),
    *("__enter__", "__exit__", "__str__", "__repr__", "__format__"),
    *("__aenter__", "__aexit__", "__aiter__", "__anext__", "__await__"),
}
"""Special methods by which an object decides a comparison or passes for a number."""
_UNTRUSTED_MODULES = frozenset({"unittest", "doctest", "pdb", "bdb"})
"""Modules whose exceptions steer a test, such as `unittest.SkipTest`."""


class StandIn:
    """An object of the program. Every operation is a message; it never equals a builtin value."""

    _caller: "Caller"
    _number: int
    _comparable = False

    def __init__(self, caller: "Caller", number: int) -> None:
        object.__setattr__(self, "_caller", caller)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__") and name != "__name__":
            raise AttributeError(name)
        return self._caller.get(self._number, name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._caller.set(self._number, name, value)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, StandIn):
            if other is not None and not self._comparable:
                self._caller.uncompared = type(self).__name__
            return False
        return self._caller.special(self._number, "__eq__", (other,)) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self._number)


class StandInClass(type):
    """A class of the program, as a class here, so that `isinstance`, `except` and subclassing find one."""

    _caller: "Caller"
    _number: int

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        if "_number" not in cls.__dict__:
            return super().__call__(*arguments, **named)
        return cls._caller.call(cls._number, arguments, named)

    def __getattr__(cls, name: str) -> Any:
        if "_number" not in cls.__dict__ or (name.startswith("__") and name.endswith("__")):
            raise AttributeError(name)
        return cls._caller.get(cls._number, name)

    def __instancecheck__(cls, instance: Any) -> bool:
        number = getattr(type(instance), "_instance_number", _no_number)(instance)
        if "_number" not in cls.__dict__ or number is None:
            return super().__instancecheck__(instance)
        return cls._caller.ask("isinstance", cls._number, number)[0] is True


def _no_number(value: Any) -> int | None:
    return None


def _forward(name: str) -> Callable[..., Any]:
    def method(self: Any, *arguments: Any) -> Any:
        return self._caller.special(self._number, name, arguments)

    method.__name__ = name
    return method


def _call(self: Any, *arguments: Any, **named: Any) -> Any:
    return self._caller.call(self._number, arguments, named)


@types.coroutine
def _turn() -> Generator[None, None, None]:
    """Let the test's event loop go on with what else it has."""
    yield


async def _awaited(caller: "Caller", number: int) -> Any:
    """A coroutine, or another awaitable, of the program: started there, and asked after until it has ended."""
    caller.ask("start", number)
    while True:
        try:
            await _turn()
        except BaseException:  # cancelled, or thrown away
            caller.ask("cancel", number)
            raise
        ended, tree = caller.ask("step", number)
        if ended is True:
            return caller.decode(tree)


def _await(self: Any) -> Any:
    return _awaited(self._caller, self._number).__await__()


class Caller(Peer):
    """The test's end: asks the program's end, and lets it call functions and read instances of the test, no more.

    lost: called, and not expected to return, when the program is gone or sends what is not in the encoding; a test
    that expects exceptions must not take that for one. strict: refuse to have the program's objects compare
    themselves with builtin values or do arithmetic with them, which would tell the program the expected value and
    leave it the verdict; set where the function under test is a function, not a class. identities: keep every list,
    dict and set that it returns, so that the same one is the same here; set where the test asks which object one
    is. uncompared, refusal: the type of the last object of the program that was held against a plain value in vain,
    and the error that refused to have it compare.
    """

    def __init__(self, fd: int, lost: Callable[[Exception], Any]) -> None:
        super().__init__(fd)
        self.lost = lost
        self.strict = True
        self.identities = False
        self.known: dict[int, Any] = {}
        self.shapes: dict[tuple[Any, ...], type] = {}
        self.raised: BaseException | None = None
        self.uncompared = ""
        self.refusal: BaseException | None = None
        self.decode = NamedDecoder(self._resolve, self._subclass, trusted=False)

    def ask(self, *request: Any) -> Any:
        """As `Peer.ask`, but never raises for a broken channel."""
        try:
            return super().ask(*request)
        except (wire.Closed, codec.Malformed) as error:
            return self.lost(error)

    def look_up(self, name: str) -> tuple[bool, Any]:
        """(whether the program defines `name`, its value)."""
        known, tree = self.ask("global", name)
        return known is True, self.decode(tree) if known is True else None

    def call(self, number: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function of the program; what it changed in lists, dicts and sets is changed here too."""
        try:
            body = self.ask("call", number, self.encode(arguments), self.encode(named), self.identities)
        except StopIteration as error:
            # Raised in a function given to `map` or `filter`, it would end the test's iteration early and silently.
            raise RuntimeError("the program raised StopIteration") from error
        tree, changed, same, result = body
        for index, new in changed:
            restore(arguments[int(index)], self.decode(new))
        if type(same) is int and 0 <= same < len(arguments):
            return arguments[same]
        return self._result(self.decode(tree), result)

    def _result(self, value: Any, number: Any) -> Any:
        """A result, or the earlier one that it is the same object as, with what that holds now."""
        known = self.known.setdefault(number, value) if number else value
        if known is not value and type(known) is type(value):
            restore(known, value)
            return known
        return value

    def get(self, number: int, name: str) -> Any:
        """An attribute of one of the program's objects."""
        return self.decode(self.ask("get", number, name)[0])

    def set(self, number: int, name: str, value: Any) -> None:
        """Set an attribute of one of the program's objects."""
        self.ask("set", number, name, self.encode(value))

    def special(self, number: int, name: str, arguments: tuple[Any, ...]) -> Any:
        """The result of a special method of one of the program's objects."""
        if self.strict and name in _TELLING and not all(isinstance(a, StandIn) for a in arguments or (None,)):
            refusal = TypeError(f"{name} of an object of the program, where a plain value is expected")
            if not getattr(self.known.get(number), "_comparable", True):
                self.uncompared = type(self.known[number]).__name__
                self.refusal = refusal
            raise refusal
        tree = self.ask("special", number, name, self.encode(arguments))[0]
        return NotImplemented if tree == {"l": 1} else self.decode(tree)

    def reference(self, value: Any) -> Any:
        if isinstance(value, StandInClass):
            number = value.__dict__.get("_number")
        else:
            number = getattr(type(value), "_instance_number", _no_number)(value)
        if number is not None:
            return {"h": ["own", number]}
        named = by_name(value)
        if named is not None:
            return named
        return {"h": [self.number(value), getattr(value, "__name__", type(value).__name__)[:80]]}

    def encode(self, value: Any) -> Any:
        return codec.encode(value, self.reference)

    def perform(self, action: str, *arguments: Any) -> list[Any]:
        target = self.objects[arguments[0]]
        if action == "call" and callable(target):
            return [self.encode(target(*self.decode(arguments[1]), **self.decode(arguments[2])))]
        public = type(target).__module__ == _TEST_MODULE and not arguments[1].startswith("_")
        if action == "get" and public:
            return [self.encode(getattr(target, arguments[1]))]
        if action == "set" and public:
            setattr(target, arguments[1], self.decode(arguments[2]))
            return [None]
        raise AttributeError(f"the program may not reach this of the test: {action}")

    def raise_answer(self, bases: Any, arguments: Any, kind: Any, error: Any) -> None:
        self.raised = self._error(bases, arguments, kind, int(error["h"][0]))
        raise self.raised

    def _error(self, bases: Any, arguments: Any, kind: Any, number: int) -> BaseException:
        """An exception of the program as one of the nearest class there is here."""
        cls = _library_error(kind) or self.decode(kind)
        values = self.decode(arguments)
        if not (isinstance(cls, type) and issubclass(cls, BaseException)):
            cls = next(
                (
                    c
                    for b in bases
                    if isinstance(c := getattr(builtins, str(b), None), type) and issubclass(c, BaseException)
                ),
                Exception,
            )
        made: BaseException
        try:
            made = cls.__new__(cls, *values)
            made.args = values
            if type(cls) is StandInClass:
                made.__dict__["_number"] = number
        except (TypeError, ValueError, KeyError):
            made = Exception(*values)
        return made

    def _resolve(self, body: Any) -> Any:
        number, name = int(body[0]), str(body[1])
        kind, detail, library = body[2:5]
        known = self.known.get(number)
        if known is not None:
            return known
        made = _library_value(library)
        if made is not None:
            pass
        elif kind == "class":
            made = self._new_class(number, name, detail)
        elif kind == "error":
            bases, arguments, type_of = detail
            made = self._error(bases, arguments, type_of, number)
        elif kind == "coroutine":
            made = _awaited(self, number)
        else:
            specials, library_class = detail
            known_specials = tuple(sorted(n for n in specials if n in FAR or n in (IDENTITY, ANYTHING)))
            made = self._shape(name, known_specials, _loaded(*(library_class or ("", ""))))(self, number)
        self.known[number] = made
        return made

    def _new_class(self, number: int, name: str, bases: Any) -> Any:
        base: type = object
        for candidate in bases:
            found = getattr(builtins, str(candidate), None)
            if isinstance(found, type) and issubclass(found, BaseException):
                base = found
                break
        names: dict[str, Any] = {"_caller": self, "_number": number, "__module__": "program"}
        if base is not object:
            names["__str__"] = _exception_text
            names["__getattr__"] = _exception_attribute
            names["_instance_number"] = _exception_number
        return StandInClass(name or "C", (base,), names)

    def _shape(self, name: str, specials: tuple[str, ...], library: Any) -> type:
        """The class of stand-ins for objects of a class `name` with these special methods.

        library: the class itself, where it is the standard library's: `isinstance` of such an object is true.
        """
        library = library if isinstance(library, type) and library not in codec.EXACT else None
        known = self.shapes.get((name, specials, library))
        if known is None:
            skipped = {"__eq__", "__ne__", "__hash__", "__call__", "__await__", IDENTITY, ANYTHING}
            names: dict[str, Any] = {s: _forward(s) for s in specials if s not in skipped}
            names["_comparable"] = IDENTITY in specials or ANYTHING in specials
            if "__call__" in specials:
                names["__call__"] = _call
            if "__await__" in specials:
                names["__await__"] = _await
            if library is not None:
                names["__class__"] = property(lambda self: library)
            names["_instance_number"] = lambda self: self._number
            known = self.shapes[name, specials, library] = type(name or "C", (StandIn,), names)
        return known

    def _subclass(self, name: str, data: Any, reference: Any) -> Any:
        """An instance of a subclass of a builtin: its data, with the program's attributes where it has others."""
        body = reference.get("h") if isinstance(reference, dict) else None
        if body is None or isinstance(data, bool | bytes):
            return data
        member = _library_value(body[4])
        if isinstance(member, type(data)) and member == data:
            return member
        base = type(data)
        key = ("data", name, base)
        made = self.shapes.get(key)
        if made is None:
            names = {
                "__getattr__": _data_attribute,
                "_instance_number": lambda self: self._number,
                "__module__": "program",
            }
            made = self.shapes[key] = type(name or "C", (base,), names)
        value = made(data)
        value.__dict__.update(_caller=self, _number=int(body[0]))
        return value


def _loaded(module: Any, name: Any) -> Any:
    """What a module of the standard library that this process has loaded names so, or None."""
    found = sys.modules.get(str(module))
    if found is None or str(module).split(".")[0] not in sys.stdlib_module_names:
        return None
    first, _, member = str(name).partition(".")
    value = vars(found).get(first)
    return vars(value).get("_member_map_", {}).get(member) if member and isinstance(value, type) else value


def _library_value(library: Any) -> Any:
    """A class of values that cross, or an enumeration or a member of one, that the program named; None for any other.

    No other class: an object made by it here could equal anything, as those of `unittest.mock` do.
    """
    found = _loaded(*library) if library else None
    known = isinstance(found, type) and (found in codec.EXACT or issubclass(found, enum.Enum))
    return found if known or isinstance(found, enum.Enum) else None


def _library_error(kind: Any) -> type | None:
    """The standard library's exception class that the program named, where this process has it loaded already."""
    library = kind["h"][4] if "h" in kind else None
    if not library or str(library[0]).split(".")[0] in _UNTRUSTED_MODULES:
        return None
    found = _loaded(*library)
    return found if isinstance(found, type) and issubclass(found, Exception) else None


def _data_attribute(self: Any, name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    return self._caller.get(self._number, name)


def _exception_number(self: Any) -> int | None:
    number: int | None = self.__dict__.get("_number")
    return number


def _exception_text(self: Any) -> str:
    number = self.__dict__.get("_number")
    text = type(self)._caller.special(number, "__str__", ()) if number is not None else None
    return text if isinstance(text, str) else BaseException.__str__(self)


def _exception_attribute(self: Any, name: str) -> Any:
    number = self.__dict__.get("_number")
    if number is None or name.startswith("_"):
        raise AttributeError(name)
    return type(self)._caller.get(number, name)
