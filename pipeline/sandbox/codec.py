"""Values on the wire: JSON text in which every value is of an exact builtin type, or says that it is not.

Never pickle, never `repr`: what arrives is data, rebuilt by `decode` from a closed set of forms, and whatever does not
fit raises `Malformed`. An object of any other type travels as a reference that only its owner can follow. Both sides
capture what they need at import, before a program can patch it.
"""

import collections
import datetime
import decimal
import fractions
import json
import math
import zoneinfo
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pipeline.sandbox import kinds
from pipeline.sandbox.kinds import Malformed as Malformed
from pipeline.sandbox.kinds import hashable as hashable
from pipeline.sandbox.opaque import Opaque as Opaque
from pipeline.sandbox.opaque import OpaqueItems as OpaqueItems
from pipeline.sandbox.opaque import OpaqueUsed as OpaqueUsed
from pipeline.sandbox.opaque import equals_anything as equals_anything
from pipeline.sandbox.opaque import opaque as opaque

MAX_DEPTH = 200
"""Nesting beyond which a value is not sent."""
_BIG = 1 << 4096

Reference = Callable[[Any], Any]


class TooDeep(Exception):
    """A value is nested deeper than `MAX_DEPTH`."""


_PLAIN = frozenset({str, bool, type(None)})
_BASES = (int, float, complex, str, bytes, tuple, list, dict, set, frozenset)
_DATES = {t.__name__: t for t in (datetime.date, datetime.datetime, datetime.time)}


def encode(value: Any, reference: Reference = opaque, depth: int = 0) -> Any:
    """`value` as a JSON-able tree. What has no encoding is what `reference` says, by default an opaque mark."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is int:
        return value if -_BIG < value < _BIG else {"i": hex(value)}
    if kind is float:
        return value if value - value == 0.0 else {"f": "m" if value is math.nan else str(value)}
    if depth > MAX_DEPTH:
        raise TooDeep(f"nested deeper than {MAX_DEPTH}")
    depth += 1
    if kind is list:
        return [encode(v, reference, depth) for v in value]
    special = _ENCODERS.get(kind)
    if special is not None:
        return special(value, reference, depth)
    if kind.__module__ == "numpy" and hasattr(value, "tolist"):
        data = encode(value.tolist(), reference, depth)
        parts = kinds.numpy_parts(value)
        return data if parts is NotImplemented else {"m": [encode(parts), data]}
    for base in _BASES:
        if isinstance(value, base):
            if getattr(kind, "__eq__", None) is not getattr(base, "__eq__", None):
                break
            return {"u": [kind.__qualname__[:80], encode(_as_base(value, base), reference, depth), reference(value)]}
    return reference(value)


def _as_base(value: Any, base: type) -> Any:
    """The data of a subclass instance as an exact `base`, read by the base's own methods."""
    if base is int:
        return int.__add__(value, 0)
    if base is float:
        return float.__pos__(value)
    if base is complex:
        return complex.__pos__(value)
    if base is str:
        return str.__str__(value)
    if base is bytes:
        return bytes.__getitem__(value, slice(None))
    if base is dict:
        return dict(dict.items(value))
    iterate: Any = base.__iter__  # type: ignore[attr-defined]
    return base(iterate(value))


def _items(tag: str) -> Callable[[Any, Reference, int], Any]:
    def run(value: Any, reference: Reference, depth: int) -> Any:
        return {tag: [encode(v, reference, depth) for v in value]}

    return run


def _pairs(tag: str) -> Callable[[Any, Reference, int], Any]:
    def run(value: Any, reference: Reference, depth: int) -> Any:
        return {tag: [[encode(k, reference, depth), encode(v, reference, depth)] for k, v in dict.items(value)]}

    return run


_ENCODERS: dict[type, Callable[[Any, Reference, int], Any]] = {
    tuple: _items("t"),
    set: _items("s"),
    frozenset: _items("z"),
    dict: _pairs("d"),
    collections.OrderedDict: _pairs("o"),
    collections.Counter: _pairs("c"),
    collections.defaultdict: lambda v, r, d: {"e": [_pairs("d")(v, r, d), encode(v.default_factory, r, d)]},
    collections.deque: lambda v, r, d: {"k": [v.maxlen, [encode(x, r, d) for x in v]]},
    bytes: lambda v, r, d: {"y": v.hex()},
    bytearray: lambda v, r, d: {"a": v.hex()},
    complex: lambda v, r, d: {"x": [encode(v.real), encode(v.imag)]},
    range: lambda v, r, d: {"r": [v.start, v.stop, v.step]},
    type(...): lambda v, r, d: {"l": 0},
    decimal.Decimal: lambda v, r, d: {"n": str(v)},
    fractions.Fraction: lambda v, r, d: {"q": [encode(v.numerator), encode(v.denominator)]},
    datetime.timedelta: lambda v, r, d: {"p": [v.days, v.seconds, v.microseconds]},
    datetime.date: lambda v, r, d: {"w": ["date", v.isoformat()]},
    datetime.datetime: lambda v, r, d: _moment("datetime", v, r, d),
    datetime.time: lambda v, r, d: _moment("time", v, r, d),
}


def _moment(name: str, value: datetime.datetime | datetime.time, reference: Reference, depth: int) -> Any:
    """A moment with its own time zone where that is one of the library's, else with its distance from UTC."""
    if type(value.tzinfo) not in (type(None), datetime.timezone, zoneinfo.ZoneInfo):
        return {"w": [name, value.isoformat(), value.fold, None]}
    return {"w": [name, value.replace(tzinfo=None).isoformat(), value.fold, encode(value.tzinfo, reference, depth)]}


def _kind(name: str, take: Callable[[Any], Any]) -> Callable[[Any, Reference, int], Any]:
    def run(value: Any, reference: Reference, depth: int) -> Any:
        parts = take(value)
        if parts is NotImplemented:
            return reference(value)
        return {"v": [name, encode(parts, reference, depth)]}

    return run


_ENCODERS.update({kind: _kind(name, form.take) for kind, (name, form) in kinds.KINDS.items()})
EXACT = frozenset({*_ENCODERS, *_PLAIN, *_BASES})
"""Types whose values cross as themselves."""


def resolve_opaque(body: Any) -> Opaque:
    """What stands for a reference where no process can be asked."""
    facts = body[2] if len(body) > 2 else {}
    return Opaque(str(body[1]), facts if type(facts) is dict else {})


@lru_cache(maxsize=256)
def _inert(name: str, base: Any) -> Any:
    return type(name.split(".")[-1] or "C", (base,), {"__slots__": ()})


def inert(name: str, data: Any, reference: Any) -> Any:
    """An instance of a subclass of a builtin as one of a subclass without methods: its data, and not that very type."""
    return data if isinstance(data, bool) else _inert(name, type(data))(data)  # type: ignore[arg-type]


_NOT_DECODED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError, RecursionError, OSError)


class Decoder:
    """Rebuilds values from a tree.

    resolve: what stands for a reference; gets its body. subclass: what stands for an instance of a subclass of a
    builtin; gets the type's name, the data as an exact builtin, and the reference's tree. judging: see `kinds.make`.
    """

    def __init__(
        self,
        resolve: Callable[[Any], Any] = resolve_opaque,
        subclass: Callable[[str, Any, Any], Any] = inert,
        *,
        judging: bool = True,
    ) -> None:
        self.resolve = resolve
        self.subclass = subclass
        self.judging = judging

    def __call__(self, tree: Any) -> Any:
        """The value of `tree`; raises Malformed for what is not in the encoding."""
        try:
            return self._value(tree)
        except _NOT_DECODED as error:
            raise Malformed(f"{type(error).__name__}: {error}"[:200]) from None

    def _value(self, tree: Any) -> Any:
        kind = type(tree)
        if kind is list:
            return [self._value(v) for v in tree]
        if kind is not dict:
            return tree
        if len(tree) != 1:
            raise Malformed("a tagged value has one tag")
        ((tag, body),) = tree.items()
        try:
            return self._tagged(tag, body)
        except kinds.Unusable as error:
            return Opaque(str(error), {"identity": True, "truth": True})  # no constant of a test is as large
        except OpaqueUsed:  # hashed, to be an element or a key
            return Opaque({"s": "set", "z": "frozenset"}.get(tag, "dict"))

    def _tagged(self, tag: str, body: Any) -> Any:
        if tag == "t":
            return tuple([self._value(v) for v in body])
        if tag == "d":
            return dict(_distinct([(self._value(k), self._value(v)) for k, v in body]))
        if tag == "s":
            return set(hashable(self._value(v) for v in body))
        if tag == "z":
            return frozenset(hashable(self._value(v) for v in body))
        if tag == "h":
            return self.resolve(body)
        if tag == "u":
            name, data, reference = body
            return self.subclass(str(name), self._value(data), reference)
        if tag == "g":
            return OpaqueItems(str(body[0]), [self._value(v) for v in body[1]])
        if tag == "i":
            return self._bounded(int(body, 16), 4 * len(body) - 16)
        if tag == "f":
            return math.nan if body == "m" else {"nan": float("nan"), "inf": math.inf, "-inf": -math.inf}[body]
        if tag == "o":
            return collections.OrderedDict(_distinct([(self._value(k), self._value(v)) for k, v in body]))
        if tag == "c":
            return collections.Counter(dict(_distinct([(self._value(k), self._value(v)) for k, v in body])))
        if tag == "e":
            factory = self._value(body[1])
            return collections.defaultdict(factory if callable(factory) else None, self._value(body[0]))
        if tag == "k":
            return collections.deque([self._value(v) for v in body[1]], body[0])
        if tag in ("y", "a"):
            return bytes.fromhex(body) if tag == "y" else bytearray.fromhex(body)
        if tag == "x":
            return complex(self._value(body[0]), self._value(body[1]))
        if tag == "r":
            return self._bounded(range(*body), (body[1] - body[0]) // body[2])
        if tag == "l":
            return ...
        if tag == "n":
            number = decimal.Decimal(body)
            return self._bounded(number, max(len(body), abs(number.adjusted())) if number.is_finite() else 0)
        if tag == "q":
            return self._fraction(self._value(body[0]), self._value(body[1]))
        if tag == "p":
            return datetime.timedelta(*body)
        if tag == "w":
            moment: Any = _DATES[body[0]].fromisoformat(body[1])
            if len(body) == 2:
                return moment
            zone = self._value(body[3])
            return moment.replace(fold=body[2], **({} if zone is None else {"tzinfo": zone}))
        if tag == "v":
            return kinds.make(body[0], self._value(body[1]), judging=self.judging)
        if tag == "m":
            return kinds.numpy_value(self._value(body[0]), self._value(body[1]), judging=self.judging)
        raise Malformed(f"unknown tag {tag!r}")

    def _fraction(self, above: int, below: int) -> fractions.Fraction:
        if self.judging:
            kinds.small_enough(fractions.Fraction, max(above.bit_length(), below.bit_length()))
        return fractions.Fraction(above, below)

    def _bounded(self, value: Any, size: int) -> Any:
        return kinds.bounded(value, size) if self.judging else value


def _distinct(pairs: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    hashable(k for k, _ in pairs)
    return pairs


_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":"), check_circular=False).encode


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is not in the encoding")


_loads = json.JSONDecoder(parse_constant=_no_constant).decode


def dump(tree: Any) -> bytes:
    """A JSON-able tree as bytes."""
    return _dumps(tree).encode("ascii")


def load(data: bytes) -> Any:
    """The tree in `data`; raises Malformed for anything but the JSON that `dump` makes."""
    try:
        return _loads(data.decode("ascii"))
    except (ValueError, RecursionError) as error:
        raise Malformed(f"{type(error).__name__}: {error}"[:200]) from None


decode = Decoder()
"""Decodes with opaque stand-ins for objects."""
