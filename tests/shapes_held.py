"""Whether what a verb prints with --json has the keys that programs may rely on."""

from collections.abc import Mapping
from typing import Any

from pipeline.cli.shapes import ANY, SHAPES, Shape


def faults(value: Any, shape: Shape, place: str = "") -> list[str]:
    """Where a value is not of a shape, one line each; keys that the shape does not name may be there."""
    said = place or "the value"
    if shape is ANY:
        return []
    if isinstance(shape, tuple):
        return min((faults(value, one, place) for one in shape), key=len)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{said} is no list: {value!r:.60}"]
        return [fault for number, one in enumerate(value) for fault in faults(one, shape[0], f"{place}[{number}]")]
    if isinstance(shape, Mapping):
        return _of_object(value, shape, place)
    if not isinstance(shape, type):
        return [] if value == shape and type(value) is type(shape) else [f"{said} is not {shape!r}: {value!r:.60}"]
    wanted = (int, float) if shape is float else (shape,)
    return [] if type(value) in wanted else [f"{said} is no {shape.__name__}: {value!r:.60}"]


def _of_object(value: Any, shape: Mapping[str, Shape], place: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{place or 'the value'} is no object: {value!r:.60}"]
    (first, *_) = shape
    if first.startswith("<"):
        return [fault for key, one in value.items() for fault in faults(one, shape[first], f"{place}.{key}")]
    missing = [f"{place or 'the value'} has no {key!r}" for key in shape if key not in value]
    return missing + [
        fault for key in shape if key in value for fault in faults(value[key], shape[key], f"{place}.{key}")
    ]


def hold(verb: str, value: Any) -> None:
    """Fails where what `verb` printed is not of its shape."""
    assert faults(value, SHAPES[verb]) == []
