"""Tests for HumanEval+ and MBPP+ (Liu et al. 2023): evalplus' inputs, oracles and tolerances as one `check`.

evalplus compares an answer with a reference on each input. The same comparison is written here as a `check(candidate)`
that holds the inputs and the reference's source, so the + sets need nothing but the standard library. Departs from
evalplus in two places, neither of which can pass a wrong answer: a tolerance forced by one float output does not
stick to the later inputs of the task, and time is limited for the program, not for each input. HumanEval/32 can be
passed here: evalplus 0.3.1 does not count the inputs that its oracle for `find_zero` has passed and fails all.
"""

import json
from collections.abc import Callable
from typing import Any

Arguments = list[Any]

NOT_NONE = frozenset({"check_str", "text_match_three", "text_starta_endb"})
"""Entry points whose outputs are match objects: only whether there is one is compared (evalplus' oracle)."""

SET_EQUAL = frozenset(
    {
        "similar_elements",
        "find_char_long",
        "common_in_nested_lists",
        "extract_singly",
        "larg_nnum",
        "intersection_array",
        "find_dissimilar",
        "Diff",
    }
)
"""Entry points whose outputs are compared as sets (evalplus' oracle)."""


def _pairs(arguments: Arguments) -> Arguments:
    return [tuple(a) for a in arguments]


def _lists_of_pairs(arguments: Arguments) -> Arguments:
    return [[tuple(inner) for inner in a] for a in arguments]


def _first_list_of_pairs(arguments: Arguments) -> Arguments:
    return [[tuple(inner) for inner in arguments[0]], *arguments[1:]]


def _second_tuple(arguments: Arguments) -> Arguments:
    return [arguments[0], tuple(arguments[1]), *arguments[2:]]


def _first_tuple(arguments: Arguments) -> Arguments:
    return [tuple(arguments[0]), *arguments[1:]]


def _tuples_of_tuples(arguments: Arguments) -> Arguments:
    return [tuple(tuple(inner) for inner in a) for a in arguments]


def _list_of_sets(arguments: Arguments) -> Arguments:
    return [[set(item) if isinstance(item, list) and item else {} for item in arguments[0]]]


def _float_and_complex(arguments: Arguments) -> Arguments:
    return [float(arguments[0]), complex(arguments[1])]


def _tuple_of_mixed(arguments: Arguments) -> Arguments:
    return [tuple(tuple(i) if isinstance(i, list) else i for i in arguments[0])]


def _dictionary_of_tuples(arguments: Arguments) -> Arguments:
    return [{key: tuple(value) for key, value in arguments[0].items()}, *arguments[1:]]


def _complex(arguments: Arguments) -> Arguments:
    return [complex(arguments[0])]


def _all_tuples(value: Any) -> Any:
    return tuple(_all_tuples(item) for item in value) if isinstance(value, list) else value


def _deep_tuples(arguments: Arguments) -> Arguments:
    return [_all_tuples(argument) for argument in arguments]


_CONVERSIONS: list[tuple[Callable[[Arguments], Arguments], frozenset[int]]] = [
    (
        _pairs,
        frozenset(
            {2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809}
        ),
    ),
    (_lists_of_pairs, frozenset({63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780})),
    (_first_list_of_pairs, frozenset({75, 413, 444, 753})),
    (_second_tuple, frozenset({106, 750})),
    (_list_of_sets, frozenset({115})),
    (_float_and_complex, frozenset({124})),
    (_first_tuple, frozenset({250, 307, 405, 446, 617, 720, 763, 808})),
    (_tuples_of_tuples, frozenset({259, 401, 445})),
    (_tuple_of_mixed, frozenset({278})),
    (_dictionary_of_tuples, frozenset({722})),
    (_complex, frozenset({252})),
    (_deep_tuples, frozenset({580, 615, 791})),
]


def deserialised(task_id: str, inputs: list[Arguments]) -> list[Arguments]:
    """Inputs with the tuples, sets and complex numbers that JSON cannot hold, put back by task as evalplus does."""
    benchmark, _, number = task_id.partition("/")
    if benchmark.lower() != "mbpp" or not number.isdecimal():
        return inputs
    for convert, tasks in _CONVERSIONS:
        if int(number) in tasks:
            return [convert(arguments) for arguments in inputs]
    return inputs


_CHECK = """\
import copy as _copy
import math as _math

_TOLERANCE = {tolerance!r}
_INPUTS = {inputs}


def _floats(value):
    if isinstance(value, float):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(item, float) for item in value)


def _close(got, expected, tolerance):
    if isinstance(expected, (list, tuple)):
        return len(got) == len(expected) and all(_close(g, e, tolerance) for g, e in zip(got, expected))
    if got == expected or abs(expected) == _math.inf:
        return got == expected  # a share of infinity is as far as any number
    return abs(got - expected) <= tolerance + 1e-07 * abs(expected)


def _same(got, expected, arguments):
    exact = got == expected
{oracle}
    tolerance = _TOLERANCE or (1e-6 if _floats(expected) else 0)
    if exact or not tolerance:
        return bool(exact)
    return type(got) is type(expected) and _close(got, expected, tolerance)


def check(candidate):
    namespace = {{}}
    exec({reference!r}, namespace)
    reference = namespace[{entry_point!r}]
    for arguments in _INPUTS:
        expected = reference(*_copy.deepcopy(arguments))
        got = candidate(*_copy.deepcopy(arguments))
        assert _same(got, expected, arguments), (
            "for the arguments %.200r expected %.200r, got %.200r" % (arguments, expected, got)
        )
"""

_ORACLES = {
    "find_zero": """\
    return abs(sum(c * _math.pow(got, i) for i, c in enumerate(arguments[0]))) <= _TOLERANCE
""",
    "are_equivalent": "    return True\n",
    "sum_div": "    exact = exact or got == 0\n",
    "surface_Area": """\
    base, height = arguments
    exact = exact or abs(got - round(base**2 + 2 * base * _math.sqrt((base / 2) ** 2 + height**2))) <= _TOLERANCE
""",
    "digit_distance_nums": """\
    first, second = str(arguments[0]), str(arguments[1])
    width = max(len(first), len(second))
    exact = exact or got == sum(abs(int(a) - int(b)) for a, b in zip(first.zfill(width), second.zfill(width)))
""",
}


def _oracle(entry_point: str, humaneval: bool) -> str:
    if entry_point in SET_EQUAL and not humaneval:
        return "    exact = set(got) == set(expected)\n"
    if entry_point in NOT_NONE and not humaneval:
        return "    exact = (got if isinstance(got, bool) else got is not None) == (expected is not None)\n"
    if humaneval != (entry_point == "find_zero"):
        return ""
    return _ORACLES.get(entry_point, "")


def test_of(task_id: str, entry_point: str, reference: str, inputs: list[Arguments], tolerance: float) -> str:
    """Source of a `check(candidate)` that compares a candidate with `reference` (whole source) on every input.

    tolerance: evalplus' `atol`; where it is 0, float outputs are still compared to 1e-6, as evalplus does.
    """
    return _CHECK.format(
        tolerance=tolerance,
        inputs=_literal(deserialised(task_id, inputs)),
        oracle=_oracle(entry_point, task_id.startswith("HumanEval/")),
        reference=reference,
        entry_point=entry_point,
    )


def _literal(inputs: list[Arguments]) -> str:
    """Python source of the inputs; infinities and NaN, which have no literal, through `float`."""
    try:
        json.dumps(inputs, allow_nan=False)
        return repr(inputs)
    except (TypeError, ValueError):
        return _source(inputs)


def _source(value: Any) -> str:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f"float({str(value)!r})"
    if isinstance(value, list):
        return "[" + ", ".join(map(_source, value)) + "]"
    if isinstance(value, tuple):
        return "(" + "".join(_source(item) + ", " for item in value) + ")"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_source(k)}: {_source(v)}" for k, v in value.items()) + "}"
    return repr(value)
