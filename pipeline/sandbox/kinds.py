"""Values of the standard library that cross between processes beside the builtin ones: a closed set of exact types.

A kind is taken apart into builtin values on one side and made of them on the other. Only exact types of the library
are, never a class of the program, and what a type's own constructor refuses is refused here: a value that arrives is
one that the library has made. Names are bound early: programs patch modules.
"""

import array
import builtins
import collections
import datetime
import decimal
import fractions
import functools
import ipaddress
import operator
import pathlib
import re
import sys
import types
import uuid
import warnings
import zoneinfo
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

_LONGEST_IN_JUDGE = 1_000_000
"""Elements of a range or a network beyond which going through them takes too long."""
_LONGEST_NUMBER = {int: 1 << 20, decimal.Decimal: 20_000, fractions.Fraction: 1 << 17}
"""Bits, and digits of a decimal, beyond which one operation takes too long: its time grows with their square."""

_LONGEST_UNION = 256


class Malformed(Exception):
    """A message is not in the encoding: its sender is broken or hostile."""


class Unusable(Exception):
    """A value that is in the encoding and must not be made here; the message names its type."""


class Kind(NamedTuple):
    """take: a value's parts, or NotImplemented where it has none; make: the value of such parts."""

    take: Callable[[Any], Any]
    make: Callable[[Any], Any]


def hashable(values: Iterable[Any]) -> list[Any]:
    """`values` as a list that is safe to put into a set: not made to collide, which would cost quadratic time."""
    items = list(values)
    if len(items) > 512:
        shared = max(collections.Counter(map(hash, items)).values())
        if shared > 256:
            raise Malformed(f"{shared} elements share one hash")
    return items


def _keyed(values: Any, kind: type[dict[Any, Any]]) -> Any:
    return kind.fromkeys(hashable(values))


def _paired(pairs: Any, kind: type[dict[Any, Any]]) -> Any:
    hashable(key for key, _ in pairs)
    return kind(pairs)


def _zone_parts(zone: datetime.timezone) -> Any:
    offset, name = zone.utcoffset(None), zone.tzname(None)
    return (offset, None if name == datetime.timezone(offset).tzname(None) else name)


def _zone(parts: Any) -> datetime.timezone:
    offset, name = parts
    if name is not None:
        return datetime.timezone(offset, name)
    return datetime.timezone(offset) if offset else datetime.UTC


def _memory_parts(view: memoryview) -> Any:
    shape = list(view.shape or ()) if 0 not in (view.shape or ()) else [0]
    return [view.format, shape, view.readonly, view.tobytes()]


def _memory(parts: Any) -> memoryview:
    style, shape, fixed, data = parts
    held = memoryview(data if fixed else bytearray(data))
    return held.cast(style) if len(shape) == 1 else held.cast(style, shape)


def _pattern(parts: Any) -> re.Pattern[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(*parts)


def _error_parts(error: BaseException) -> Any:
    arguments = error.args
    if isinstance(error, OSError) and error.filename is not None and len(arguments) == 2:
        arguments = (*arguments, error.filename)
    return [type(error).__name__, arguments, dict(vars(error))]


def _error(parts: Any) -> BaseException:
    name, arguments, more = parts
    kind = _ERRORS[name]
    error = kind(*arguments)
    error.__dict__.update({str(key): value for key, value in more.items()})
    return error


def _namespace(parts: Any) -> types.SimpleNamespace:
    return types.SimpleNamespace(**{str(key): value for key, value in parts.items()})


def _union(parts: Any) -> Any:
    if len(parts) > _LONGEST_UNION or not all(isinstance(part, type | types.GenericAlias | None) for part in parts):
        raise Malformed("a union of what is no type, or of too many")
    return functools.reduce(operator.or_, parts)


def _chain(parts: Any) -> Any:
    return collections.ChainMap(*parts)


def _data(kind: Any, of: type) -> Callable[[Any], Any]:
    def make(data: Any) -> Any:
        if type(data) is not of:
            raise Malformed(f"{kind.__name__} of {type(data).__name__}")
        made = kind()
        made.data = data
        return made

    return make


_ERRORS = {n: e for n, e in vars(builtins).items() if isinstance(e, type) and issubclass(e, BaseException)}
_DICT, _ORDERED = dict[Any, Any](), collections.OrderedDict[Any, Any]()

KINDS: dict[type, tuple[str, Kind]] = {
    slice: ("slice", Kind(lambda v: [v.start, v.stop, v.step], lambda p: slice(*p))),
    array.array: ("array", Kind(lambda v: [v.typecode, v.tolist()], lambda p: array.array(*p))),
    memoryview: ("memoryview", Kind(_memory_parts, _memory)),
    uuid.UUID: ("uuid", Kind(lambda v: v.int, lambda p: uuid.UUID(int=p))),
    re.Pattern: ("pattern", Kind(lambda v: [v.pattern, v.flags], _pattern)),
    types.SimpleNamespace: ("namespace", Kind(lambda v: dict(vars(v)), _namespace)),
    types.MappingProxyType: ("proxy", Kind(dict, types.MappingProxyType)),
    collections.ChainMap: ("chain", Kind(lambda v: list(v.maps), _chain)),
    collections.UserDict: ("userdict", Kind(lambda v: v.data, _data(collections.UserDict, dict))),
    collections.UserList: ("userlist", Kind(lambda v: v.data, _data(collections.UserList, list))),
    collections.UserString: ("userstring", Kind(lambda v: v.data, lambda p: collections.UserString(p))),
    datetime.timezone: ("timezone", Kind(_zone_parts, _zone)),
    zoneinfo.ZoneInfo: ("zone", Kind(lambda v: NotImplemented if v.key is None else v.key, zoneinfo.ZoneInfo)),
    types.GenericAlias: ("generic", Kind(lambda v: [v.__origin__, v.__args__], lambda p: types.GenericAlias(*p))),
    types.UnionType: ("union", Kind(lambda v: list(v.__args__), _union)),
    type(_DICT.keys()): ("keys", Kind(list, lambda p: _keyed(p, dict).keys())),
    type(_DICT.values()): ("values", Kind(list, lambda p: dict(enumerate(p)).values())),
    type(_DICT.items()): ("items", Kind(list, lambda p: _paired(p, dict).items())),
    type(_ORDERED.keys()): ("okeys", Kind(list, lambda p: _keyed(p, collections.OrderedDict).keys())),
    type(_ORDERED.values()): ("ovalues", Kind(list, lambda p: collections.OrderedDict(enumerate(p)).values())),
    type(_ORDERED.items()): ("oitems", Kind(list, lambda p: _paired(p, collections.OrderedDict).items())),
}
"""The kinds by exact type, each with its name on the wire."""
KINDS.update({t: (t.__name__, Kind(str, t)) for t in (pathlib.PurePosixPath, pathlib.PureWindowsPath)})
KINDS[type(pathlib.Path())] = ("path", Kind(str, pathlib.Path))
KINDS.update(
    {
        t: (t.__name__, Kind(str, t))
        for t in (
            *(ipaddress.IPv4Address, ipaddress.IPv4Network, ipaddress.IPv4Interface),
            *(ipaddress.IPv6Address, ipaddress.IPv6Network, ipaddress.IPv6Interface),
        )
    }
)
KINDS.update({error: ("error", Kind(_error_parts, _error)) for error in set(_ERRORS.values())})

_MAKE = {name: kind.make for name, kind in KINDS.values()}


def make(name: Any, parts: Any, *, judging: bool) -> Any:
    """The value of a kind by its name on the wire; raises Malformed for a name that is none.

    judging: whether this is the judge, which has no limits of its own. There a pattern is not compiled, and a value
    that would take long to go through is not made: both raise Unusable.
    """
    if name not in _MAKE:
        raise Malformed(f"unknown kind {str(name)[:40]!r}")
    if judging and name == "pattern":
        raise Unusable("Pattern")
    value = _MAKE[name](parts)
    if judging and isinstance(value, ipaddress.IPv4Network | ipaddress.IPv6Network):
        bounded(value, value.num_addresses)
    return value


def bounded(value: Any, size: int) -> Any:
    """`value`, which is quick to make and has `size` elements, bits or digits; raises Unusable for too many."""
    most = _LONGEST_NUMBER.get(type(value), _LONGEST_IN_JUDGE)
    if size > most:
        raise Unusable(f"{type(value).__name__} of more than {most:,} elements")
    return value


def small_enough(kind: type, size: int) -> None:
    """Raise Unusable where a number of `kind` has too many bits even to be made."""
    if size > _LONGEST_NUMBER[kind]:
        raise Unusable(f"{kind.__name__} of more than {_LONGEST_NUMBER[kind]:,} bits")


def numpy_parts(value: Any) -> Any:
    """[dtype, shape, None for a scalar] of an array or a scalar of numpy; NotImplemented for records and the like."""
    kind, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if kind is None or shape is None or kind.kind not in "biufcSUMmO":
        return NotImplemented
    return [kind.str if kind.kind != "O" else "O", list(shape) if type(value).__name__ == "ndarray" else None]


def numpy_value(parts: Any, data: Any, *, judging: bool) -> Any:
    """An array or scalar where this process has numpy loaded and is not the judge, else its data as lists."""
    numpy = sys.modules.get("numpy")
    if judging or numpy is None:
        return data
    dtype, shape = parts
    made = numpy.empty(tuple(shape or ()), dtype=numpy.dtype(dtype))
    made[...] = data if made.size else made
    return made if shape is not None else made[()]
