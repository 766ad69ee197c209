"""Calls between the test's process and the program's, by message: one request, one answer, nested where they call back.

Two sides of one protocol, with unequal trust. `Owner` is the program's side: it gives away everything the program has.
`Caller` is the test's side: builtins arrive as exact copies, objects and classes of the program as stand-ins whose
every operation is a message, and of the test's own objects the program can only call functions and read public
attributes of instances of classes that the test defines.
"""

import builtins
import collections
import enum
import operator
import sys
import types
from collections.abc import Callable
from typing import Any

from pipeline.sandbox import codec, wire

_FAR = """
abs add aenter aexit aiter and anext await bool call complex contains delitem enter eq exit float floordiv format ge
getitem gt hash iadd index int invert iter le len lshift lt matmul mod mul ne neg next or pos pow radd repr reversed
rmul round rshift rsub setitem str sub truediv xor
"""
FAR = frozenset(f"__{name}__" for name in _FAR.split())
"""Special methods that a stand-in passes on."""


IDENTITY, ANYTHING = "identity", "anything"
"""Stand among the special methods of an object whose type compares by identity, or that equals anything."""
_NAMELESS = {value: name for name, value in vars(types).items() if isinstance(value, type)}
"""Builtin types that only the module `types` names, as that of generators."""


def by_name(value: Any) -> Any:
    """A builtin type or function, or one of the standard library, by name; None for anything else."""
    name = getattr(value, "__name__", "")
    if getattr(builtins, name, None) is value:
        return {"b": ["builtins", name]}
    if isinstance(value, type) and value in _NAMELESS:
        return {"b": ["types", _NAMELESS[value]]}
    if isinstance(value, enum.Enum):
        kind = by_name(type(value))
        return kind and {"b": [kind["b"][0], f"{kind['b'][1]}.{value._name_}"]}
    module = getattr(value, "__module__", None)
    if isinstance(module, str) and module.split(".")[0] in sys.stdlib_module_names:
        loaded = sys.modules.get(module)
        if loaded is not None and loaded.__dict__.get(name) is value:
            return {"b": [module, name]}
    if isinstance(value, types.ModuleType) and name.split(".")[0] in sys.stdlib_module_names:
        return {"b": [name, ""]}
    return None


class NamedDecoder(codec.Decoder):
    """A decoder that also takes `by_name` references: of builtin classes alone, unless the sender is trusted."""

    def __init__(self, resolve: Any, subclass: Any, *, trusted: bool, judging: bool = False) -> None:
        super().__init__(resolve, subclass, judging=judging)
        self.trusted = trusted

    def _tagged(self, tag: str, body: Any) -> Any:
        if tag != "b":
            return super()._tagged(tag, body)
        module, name = body
        if self.trusted:
            __import__(module)
            return operator.attrgetter(name)(sys.modules[module]) if name else sys.modules[module]
        value = _BUILTIN_CLASSES.get(name) if module == "builtins" else None
        if value is None:
            raise codec.Malformed(f"a reference to {str(module)[:40]}.{str(name)[:40]}")
        return value


_BUILTIN_CLASSES = {
    name: value for name, value in vars(builtins).items() if isinstance(value, type) and value is not type
}


decode_arguments = NamedDecoder(codec.resolve_opaque, codec.inert, trusted=True)
"""Decodes arguments that the judge has sent to the program."""
decode_values = NamedDecoder(codec.resolve_opaque, codec.inert, trusted=False, judging=True)
"""Decodes values that the program has sent to the judge."""


def builtin_class_or_opaque(value: Any) -> Any:
    """How a value without an encoding is sent to the judge."""
    name = getattr(value, "__name__", None) if isinstance(value, type) else None
    return {"b": ["builtins", name]} if name and _BUILTIN_CLASSES.get(name) is value else codec.opaque(value)


def look_up(namespace: dict[str, Any], name: str) -> tuple[bool, Any]:
    """(whether the program defines `name`, its value); `name` may be an expression, such as `Solution().two`."""
    if name in namespace:
        return True, namespace[name]
    if name.isidentifier():
        return False, None
    try:
        return True, eval(name, namespace)  # noqa: S307 - in the program's own process
    except (NameError, AttributeError):
        return False, None


class Peer:
    """One end: sends requests and, while it waits for the answer, serves those of the other end."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.objects: dict[int, Any] = {}
        self.numbers: dict[int, int] = {}

    def number(self, value: Any) -> int:
        """A number for an object of this side; the object is kept alive."""
        known = self.numbers.get(id(value))
        if known is None:
            known = self.numbers[id(value)] = len(self.objects) + 1
            self.objects[known] = value
        return known

    def ask(self, *request: Any) -> Any:
        """Send a request and return its answer's value, or raise the exception that it answered with."""
        wire.send(self.fd, codec.dump(["?", *request]))
        while True:
            kind, *body = codec.load(wire.receive(self.fd))
            if kind == "?":
                self.answer(body)
            elif kind == "=":
                return body
            elif kind == "!":
                self.raise_answer(*body)
            else:
                raise codec.Malformed(f"unknown message {kind!r}")

    def serve(self) -> None:
        """Serve requests until the other end is gone."""
        try:
            while True:
                _, *body = codec.load(wire.receive(self.fd))
                self.answer(body)
        except wire.Closed:
            pass

    def answer(self, request: list[Any]) -> None:
        """Do what was asked and send the answer."""
        try:
            body = ["=", *self.perform(*request)]
        except (wire.Closed, codec.Malformed):
            raise
        except BaseException as error:
            body = ["!", *self.describe(error)]
        self.send_answer(codec.dump(body))

    def send_answer(self, body: bytes) -> None:
        """Send an encoded answer."""
        wire.send(self.fd, body)

    def perform(self, action: str, *arguments: Any) -> list[Any]:
        raise NotImplementedError

    def describe(self, error: BaseException) -> list[Any]:
        """An exception as [names of builtin bases, arguments, reference to its type, reference to it]."""
        return [*self.error_parts(error), self.reference(error)]

    def error_parts(self, error: BaseException) -> list[Any]:
        """An exception as [names of builtin bases, arguments, reference to its type]."""
        bases = [c.__name__ for c in type.mro(type(error)) if c.__module__ == "builtins"]
        try:
            arguments = self.encode(error.args)
        except BaseException:  # too deep, or an `args` of the program's own
            arguments = {"t": []}
        return [bases, arguments, self.reference(type(error))]

    def encode(self, value: Any) -> Any:
        return codec.encode(value, self.reference)

    def reference(self, value: Any) -> Any:
        raise NotImplementedError

    def raise_answer(self, bases: Any, arguments: Any, kind: Any, error: Any) -> None:
        raise NotImplementedError


class Owner(Peer):
    """The program's end: everything in its namespace can be called, read and set.

    most: bytes of the largest answer; `too_large` is called with the size of a larger one, and does not return.
    """

    def __init__(self, fd: int, namespace: dict[str, Any], most: int, too_large: Callable[[int], Any]) -> None:
        super().__init__(fd)
        self.most = most
        self.too_large = too_large
        self.namespace = namespace
        self.loop: Any = None
        self.tasks: dict[int, Any] = {}
        self.decode = NamedDecoder(self._resolve, self._subclass, trusted=True)

    def send_answer(self, body: bytes) -> None:
        if len(body) > self.most:
            self.too_large(len(body))
        super().send_answer(body)

    def _subclass(self, name: str, data: Any, reference: Any) -> Any:
        if not isinstance(reference, dict):
            return data
        if "b" in reference:  # a member of one of the library's enumerations
            return self.decode(reference)
        body = reference.get("h")
        return self.objects[body[1]] if body is not None and body[0] == "own" else data

    def reference(self, value: Any) -> Any:
        named = by_name(value)
        library = named and named["b"]
        if library and library[0] == "builtins" and library[1] in _BUILTIN_CLASSES:
            return named
        kind = type(value)
        if isinstance(value, type):
            bases = [c.__name__ for c in type.mro(value) if c.__module__ == "builtins"]
            return {"h": [self.number(value), value.__qualname__[:80], "class", bases, library]}
        if isinstance(value, BaseException):
            return {"h": [self.number(value), kind.__qualname__[:80], "error", self.error_parts(value), library]}
        specials = [n for n in FAR if n in _BASIC or hasattr(kind, n)]
        if getattr(kind, "__eq__", None) is object.__eq__:
            specials.append(IDENTITY)
        elif codec.equals_anything(value):
            specials.append(ANYTHING)
        what = "coroutine" if kind is types.CoroutineType else "object"
        named = by_name(kind)
        return {"h": [self.number(value), kind.__qualname__[:80], what, [specials, named and named["b"]], library]}

    def _resolve(self, body: Any) -> Any:
        if body[0] == "own":
            return self.objects[body[1]]
        return _Callback(self, *body)

    def perform(self, action: str, *arguments: Any) -> list[Any]:
        if action == "global":
            known, value = look_up(self.namespace, arguments[0])
            return [known, self.encode(value) if known else None]
        target = self.objects[arguments[0]]
        if action == "call":
            positional, named = self.decode(arguments[1]), self.decode(arguments[2])
            before = [codec.dump(self.encode(p)) if isinstance(p, _MUTABLE) else b"" for p in positional]
            value = target(*positional, **named)
            changed = []
            for index, (item, old) in enumerate(zip(positional, before, strict=True)):
                if old and codec.dump(self.encode(item)) != old:
                    changed.append([index, self.encode(item)])
            same = next((i for i, p in enumerate(positional) if p is value and isinstance(p, _MUTABLE)), -1)
            number = self.number(value) if arguments[3] and type(value) in _MUTABLE else 0
            return [self.encode(value), changed, same, number]
        if action == "get":
            return [self.encode(getattr(target, arguments[1]))]
        if action == "set":
            setattr(target, arguments[1], self.decode(arguments[2]))
            return [None]
        if action == "special":
            function = getattr(type(target), arguments[1])
            value = function(target, *self.decode(arguments[2]))
            return [{"l": 1} if value is NotImplemented else self.encode(value)]
        if action == "start":
            from asyncio import ensure_future

            self.tasks[arguments[0]] = ensure_future(target, loop=self._loop())
            return [None]
        if action == "step":
            return self._step(self.tasks[arguments[0]])
        if action == "cancel":
            self.tasks[arguments[0]].cancel()
            return [None]
        if action == "isinstance":
            return [isinstance(self.objects[arguments[1]], target)]
        if action == "issubclass":
            return [issubclass(self.objects[arguments[1]], target)]
        raise codec.Malformed(f"unknown action {action!r}")

    def _loop(self) -> Any:
        """The one event loop of the program's process: all that the test awaits runs in it, and so at the same time."""
        if self.loop is None:
            import asyncio

            self.loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self.loop)
        return self.loop

    def _step(self, task: Any) -> list[Any]:
        """Run the loop for a moment: [whether `task` has ended, its result]; raises what it ended with."""
        from asyncio import wait

        self._loop().run_until_complete(wait({task}, timeout=_STEP_SECONDS))
        return [True, self.encode(task.result())] if task.done() else [False, None]

    def raise_answer(self, bases: Any, arguments: Any, kind: Any, error: Any) -> None:
        name = next((b for b in bases if isinstance(getattr(builtins, str(b), None), type)), "Exception")
        raise getattr(builtins, name)(*self.decode(arguments))


_STEP_SECONDS = 0.01
"""After so long the test gets its turn, for what it does beside awaiting the program, such as a timeout."""
_MUTABLE = (list, dict, set, bytearray, collections.deque)
_BASIC = frozenset({"__eq__", "__ne__", "__str__", "__repr__", "__hash__"})


class _Callback:
    """In the program: a function or object of the test."""

    def __init__(self, peer: Peer, number: int, name: str, *_: Any) -> None:
        self.__dict__.update(_peer=peer, _number=number, __name__=name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        peer: Any = self._peer
        return peer.decode(peer.ask("call", self._number, peer.encode(arguments), peer.encode(named))[0])

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        peer: Any = self._peer
        return peer.decode(peer.ask("get", self._number, name)[0])

    def __setattr__(self, name: str, value: Any) -> None:
        peer: Any = self._peer
        peer.ask("set", self._number, name, peer.encode(value))


def restore(old: Any, new: Any) -> None:
    """Make a mutable argument of the test what the program made of its copy; what has not changed stays itself."""
    if type(old) is not type(new):
        return
    if isinstance(old, list):
        if len(old) == len(new):
            for index, (before, after) in enumerate(zip(old, new, strict=True)):
                if isinstance(before, list | dict | set) and type(before) is type(after):
                    restore(before, after)
                else:
                    old[index] = after
        else:
            old[:] = new
    elif isinstance(old, dict | set):
        old.clear()
        old.update(new)
    elif isinstance(old, bytearray):
        old[:] = new
    elif isinstance(old, collections.deque):
        old.clear()
        old.extend(new)
