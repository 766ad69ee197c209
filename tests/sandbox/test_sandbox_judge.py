"""The judge without processes: encoding, reduction and comparison, held against Python's own."""

import ast
import collections
import datetime
import decimal
import fractions
import json
import math
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sandbox import Limits, codec, wire
from pipeline.sandbox.judge import Judge, Session
from pipeline.sandbox.outcomes import judge_assertion, plan
from pipeline.sandbox.reduce import Irreducible, reduce
from pipeline.sandbox.remote import decode_arguments, decode_values
from pipeline.sandbox.sealing import Sealing
from pipeline.sandbox.show import same_output
from pipeline.sandbox.types import VERDICTS

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.complex_numbers(allow_nan=False)
    | st.fractions()
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes().map(lambda moment: moment.replace(fold=0))  # fold is no part of `==`
    | st.timedeltas()
    | st.just(...)
    | st.builds(range, st.integers(-5, 5), st.integers(-5, 5))
)
HASHABLE = st.recursive(SCALARS, lambda v: st.tuples(v, v) | st.frozensets(v, max_size=3), max_leaves=5)
VALUES = st.recursive(
    HASHABLE,
    lambda v: (
        st.lists(v, max_size=4)
        | st.tuples(v)
        | st.dictionaries(HASHABLE, v, max_size=3)
        | st.sets(HASHABLE, max_size=3)
        | st.lists(v, max_size=3).map(collections.deque)
    ),
    max_leaves=12,
)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.sampled_from([0.0, -0.0, 1.0, 0.1 + 0.2, 0.3])
    | st.text("ab", max_size=2),
    lambda v: st.lists(v, max_size=3) | st.tuples(v, v) | st.dictionaries(st.text("ab", max_size=1), v, max_size=2),
    max_leaves=6,
)


def through(value: object) -> object:
    """A value as it arrives in the judge."""
    return decode_values(codec.load(codec.dump(codec.encode(value))))


def holds(test: str, *values: object) -> bool:
    """Whether a test with one assert holds where its calls return `values`."""
    reduced = reduce(test, "f")
    assert len(reduced.calls) == len(values)
    results = [through(value) for value in values]
    return judge_assertion(reduced.assertions[0], results, reduced.constants) is None


@given(VALUES)
@settings(max_examples=200, deadline=None)
def test_every_value_comes_back_equal_and_of_its_type(value: object) -> None:
    back = through(value)
    assert type(back) is type(value)
    assert back == value
    assert repr(back) == repr(value) or isinstance(value, set | frozenset | dict | list | tuple | collections.deque)


@given(PLAIN, PLAIN)
@settings(max_examples=300, deadline=None)
def test_the_judge_says_what_python_says_of_honest_values(got: object, expected: object) -> None:
    assert holds(f"assert f() == {expected!r}", got) == (got == expected)
    assert holds(f"assert f() != {expected!r}", got) == (got != expected)
    assert holds("assert f()", got) == bool(got)
    assert holds("assert not f()", got) == (not got)


@given(st.floats(-10, 10), st.floats(-10, 10), st.sampled_from([1e-9, 1e-6, 0.1]))
@settings(deadline=None)
def test_tolerances_are_those_of_the_test(got: float, expected: float, tolerance: float) -> None:
    assert holds(f"assert abs(f() - {expected!r}) < {tolerance!r}", got) == (abs(got - expected) < tolerance)
    test = f"assert math.isclose(f(), {expected!r}, abs_tol={tolerance!r})"
    assert holds(test, got) == math.isclose(got, expected, abs_tol=tolerance)


def test_nan_keeps_its_identity() -> None:
    assert through(math.nan) is math.nan
    assert through([math.nan]) == [math.nan]
    assert through(float("nan")) is not math.nan
    assert not holds("assert f() == float('nan')", float("nan"))
    assert through([math.inf, -math.inf]) == [math.inf, -math.inf]


class Liar:
    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        return True


class LyingInt(int):
    __eq__ = Liar.__eq__
    __hash__ = None  # type: ignore[assignment]


class LyingList(list):  # type: ignore[type-arg]
    __eq__ = Liar.__eq__
    __hash__ = None  # type: ignore[assignment]


@given(PLAIN)
@settings(max_examples=60, deadline=None)
def test_an_object_with_a_lying_eq_never_passes(expected: object) -> None:
    for liar in (Liar(), LyingInt(3), LyingList([1]), [Liar()], (1, LyingInt(1)), {"a": Liar()}):
        for test in (f"assert f() == {expected!r}", f"assert {expected!r} == f()", f"assert f() in [{expected!r}]"):
            assert not holds(test, liar) or (
                isinstance(liar, dict | list | tuple) and "in" in test and liar == expected
            )
    assert not holds("assert f()", Liar())
    assert not holds(f"assert f() != {expected!r}", Liar())


def test_a_subclass_that_lies_is_not_even_its_data() -> None:
    assert not holds("assert f() == 3", LyingInt(3))
    assert not holds("assert f() == [1]", LyingList([1]))


def test_subclasses_that_keep_eq_are_their_data() -> None:
    point = collections.namedtuple("point", "x y")
    assert holds("assert f() == (1, 2)", point(1, 2))
    assert holds("assert f() == {'a': 1}", collections.Counter("a"))
    assert holds("assert f() == {'a': [1]}", collections.defaultdict(list, a=[1]))


@pytest.mark.parametrize(
    "tree",
    [
        {"q": [1, 0]},
        {"zz": 1},
        {"t": 5},
        {"t": [], "s": []},
        {"h": []},
        {"f": "x"},
        {"w": ["date", "never"]},
        {"w": ["os", "x"]},
        {"b": ["os", "system"]},
        {"b": ["builtins", "exec"]},
        {"s": [[1]]},
        {"s": [i * (2**61 - 1) for i in range(2000)]},
        {"d": [[i * (2**61 - 1), 0] for i in range(2000)]},
    ],
)
def test_what_is_not_in_the_encoding_is_malformed(tree: object) -> None:
    with pytest.raises(codec.Malformed):
        decode_values(tree)


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"\xff", b"[" * 100_000, b"9" * 5000])
def test_what_is_not_json_is_malformed(text: bytes) -> None:
    with pytest.raises(codec.Malformed):
        codec.load(text)


def test_types_are_named_to_the_program_and_library_names_only_to_it() -> None:
    assert decode_arguments({"b": ["math", "sqrt"]}) is math.sqrt
    assert decode_values({"b": ["builtins", "int"]}) is int


def test_standard_values_are_exact() -> None:
    for value in (
        decimal.Decimal("1.10"),
        fractions.Fraction(1, 3),
        datetime.date(2020, 2, 29),
        1 << 5000,
        -0.0,
        b"\0",
        "\ud800",
    ):
        assert repr(through(value)) == repr(value)


@pytest.mark.parametrize(
    "test",
    [
        "for i in range(3):\n    assert f(i) == i",
        "import random\nassert f(1) == 1",
        "assert f(f(1)) == 1",
        "assert g(1) == 1",
        "assert f(10 ** 10 ** 10) == 1",
        "assert f('a' * 10 ** 9) == 1",
        "assert f(1) * 10 ** 9 == 1",
        "assert '%1000000000d' % f(1)",
        "assert f(1).x == 1",
        "assert __import__('os').system(f(1))",
        "assert [f(i) for i in [1]]",
        "assert (lambda: f(1))()",
        "assert False or f(1)",
        "def check(candidate, more):\n    assert candidate(1) == 1",
        "x = 1\nassert f(x) == 1",
        "f(1)",
        "",
    ],
)
def test_what_the_judge_must_not_evaluate_is_not_reduced(test: str) -> None:
    with pytest.raises(Irreducible):
        reduce(test, "f")


def test_a_check_function_reduces_to_its_calls() -> None:
    test = (
        "METADATA = {}\n\ndef check(c):\n    assert c(1, key='x') == [1, (2,)], 'no'\n"
        "    assert True\n    assert not c(-2 ** 3)\n\ncheck(f)\n"
    )
    reduced = reduce(test, "f")
    assert [call[0] for call in reduced.calls] == ["f", "f"]
    assert reduced.calls[1][1] == [-8]
    assert ast.unparse(reduced.assertions[1].node) == "not c(-2 ** 3)"


@pytest.mark.parametrize(
    ("want", "got", "raised", "same"),
    [
        ("5\n", "5\n", False, True),
        ("5\n", "6\n", False, False),
        ("", "", False, True),
        ("", "None\n", False, False),
        ("{2, 1}\n", "{1, 2}\n", False, True),
        ('"a"\n', "'a'\n", False, True),
        ("[1,2]\n", "[1, 2]\n", False, True),
        ("a ... z\n", "a b c z\n", False, True),
        ("a\n<BLANKLINE>\nb\n", "a\n\nb\n", False, True),
        ("Traceback (most recent call last):\n ...\nValueError: bad\n", "ValueError: bad", True, True),
        ("Traceback (most recent call last):\n ...\nValueError: bad\n", "ValueError: worse", True, False),
        ("Traceback (most recent call last):\nValueError\n", "ValueError: any", True, True),
        ("ValueError: bad\n", "ValueError: bad", True, False),
        ("Traceback (most recent call last):\n ...\nValueError: bad\n", "ValueError: bad\n", False, False),
    ],
)
def test_example_output_is_compared_as_doctest_does(want: str, got: str, raised: bool, same: bool) -> None:
    assert same_output(want, got, raised) is same


PARTS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.sampled_from([1 << 70, 1e999, -1e999, 0.5])
    | st.text(max_size=4),
    lambda v: st.lists(v, max_size=5) | st.dictionaries(st.sampled_from("itdfhbum"), v, max_size=2),
    max_leaves=8,
)
KINDS = [
    *("value", "loaded", "error", "exit", "missing", "syntax", "example-syntax", "large", "shown"),
    *("compared", "mutating", "test", "held", "empty", "broke", "uncomparable", "raised", "lost", "nonsense"),
]


def session_of(test: str, together: bool) -> tuple[Session, socket.socket]:
    """A session as the worker begins it, and the end of its channel that the program has."""
    program = {"source": "", "test": test, "entry_point": "f", "observe": False, "needs_test": True}
    program["examples"] = [["f(1)\n", "1\n", []]]
    judge = Judge(None, -1, Limits())  # type: ignore[arg-type]  # no server: nothing is started
    reduced = None if together else plan(test, "f")
    made = Session(
        judge, program, reduced, None, {"verdict": "failed"} if together else None, Sealing(test) if together else None
    )
    made.channel, far = socket.socketpair()
    return made, far


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.lists(PARTS, max_size=5)), max_size=4),
    st.sampled_from(["assert f(1) == 1\n", "for i in [1]:\n    assert f(i) == i\n", ""]),
    st.booleans(),
    st.sampled_from([0, 1]),
)
@settings(max_examples=400, deadline=None)
def test_whatever_a_program_sends_is_its_own_verdict(
    messages: list[tuple[str, list[object]]], test: str, together: bool, role: int
) -> None:
    session, far = session_of(test, together and bool(test))
    with session.channel, far:
        for kind, parts in messages:
            wire.send(far.fileno(), json.dumps([kind, *parts]).replace("Infinity", "1e999").encode())
        far.close()
        inbox = wire.Inbox(session.channel.fileno(), 1 << 20)
        inbox.fill()
        outcome = session._take(role, inbox)
    assert outcome is None or outcome.verdict in VERDICTS - {"infrastructure"}


def test_where_the_judge_itself_fails_it_is_one_programs_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def plan(*_: object) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("pipeline.sandbox.outcomes.plan", plan)
    program = {"source": "", "test": "assert f() == 1\n", "entry_point": "f", "examples": [], "observe": False}
    session = Judge(None, -1, Limits()).begin(program, None)  # type: ignore[arg-type]  # nothing is started
    session.run()
    assert session.again() is None
    said = session.finish()
    assert (said["verdict"], said["detail"]) == (
        "uncomparable",
        "the judge could not compare it: RecursionError: too deep",
    )
