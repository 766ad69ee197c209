"""Calls that an exercise shows, calls at their edges, and what its docstring says of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.languages.python.calls import edge_calls, further_steps, literal, read_literal, sameness, shown_calls
from pipeline.languages.python.said import calls_in, with_values, without_values

PROMPT = '''from datetime import time

def f(xs: list[int], k: int = 1) -> int:
    """Sum.

    For example, f([1], 2) returns 5 because so. And `f([2])` -> `7`.
    - f([3], k=-2) returns 4.
    >>> f([1, 2])
    9
    >>> f([])
    Traceback (most recent call last):
    ValueError: x
    >>> x = f([7])
    >>> x
    8
    """
'''


def test_calls_are_those_of_examples_prose_and_test_each_once() -> None:
    test = "assert f([1, 2]) == 4\nassert list(f([9], 1)) == [3]\nfor x in y:\n    assert f(x) == 2\n"
    test += "assert f(f([4])) == 3\nassert f(lambda q: q, time(8)) == 3\nassert f(Node(1)) == 2\ng(f([5]), f([6]))\n"
    assert shown_calls(PROMPT, test, "f") == (
        "f([1, 2])",
        "f([])",
        "f([7])",
        "f([1], 2)",
        "f([2])",
        "f([3], k=-2)",
        "list(f([9], 1))",
        "f(f([4]))",
        "f(lambda q: q, time(8))",
        "f([5])",
        "f([6])",
    )


@pytest.mark.parametrize(
    ("calls", "edges"),
    [
        (["f([1, 2])"], ["f([])", "f([1])"]),
        (["f('ab', 3)"], ["f('', 3)", "f('a', 3)", "f('ab', 0)", "f('ab', 1)"]),
        (["f(3)", "f(-2)"], ["f(0)", "f(1)", "f(-3)"]),
        (["f(2.5)"], ["f(0.0)", "f(1.0)"]),
        (["f(True)"], ["f(False)"]),
        (["f((1, 2))"], []),
        (["f((1, 2))", "f((3,))"], ["f(())", "f((1,))"]),
        (["f({1: 2, 3: 4})"], ["f({})", "f({1: 2})"]),
        (["f({2, 1})"], ["f(set())", "f({1})"]),
        (["f([1], k=2)"], ["f([], k=2)", "f([1], k=0)", "f([1], k=1)"]),
        (["list(f([1, 2]))"], ["list(f([]))", "list(f([1]))"]),
        (["f(lambda x: x)"], []),
        (["f(x=None)"], []),
        ([], []),
    ],
)
def test_edges_of_the_arguments(calls: list[str], edges: list[str]) -> None:
    assert list(edge_calls(calls, "f")) == edges


def test_a_docstring_without_values_shows_calls_alone() -> None:
    assert without_values(PROMPT, "f") == (
        'from datetime import time\n\ndef f(xs: list[int], k: int = 1) -> int:\n    """Sum.\n\n'
        "    For example, f([1], 2)\n    - f([3], k=-2)\n"
        '    >>> f([1, 2])\n    >>> f([])\n    >>> x = f([7])\n    >>> x\n    """\n'
    )


@pytest.mark.parametrize(
    "prompt",
    [
        'def f(x):\n    """Twice."""\n',
        "def f(x):\n    '''f(x) returns twice x.'''\n",
        "def g(x):\n    '''f(3) returns 4.'''\n",
        "def f(x):\n",
        "x = (",
        "",
    ],
)
def test_a_prompt_without_values_stays_as_it_is(prompt: str) -> None:
    assert without_values(prompt, "f") == prompt


def test_values_are_put_right_and_what_is_not_known_is_left_out() -> None:
    shown = ["3\n", None, "", None]
    known = {"f([1], 2)": "5", "f([2])": "8"}
    assert with_values(PROMPT, "f", shown, known.get, lambda said, found: said == found.strip()) == (
        'from datetime import time\n\ndef f(xs: list[int], k: int = 1) -> int:\n    """Sum.\n\n'
        "    For example, f([1], 2) returns 5 because so. And `f([2])` -> `8\n"
        "    >>> f([1, 2])\n    3\n    >>> f([])\n    Traceback (most recent call last):\n    ValueError: x\n"
        '    >>> x = f([7])\n    """\n'
    )


REPEATING = '''def f(xs, k=1):
    """Sum.

    >>> f([1])
    2
    >>> f([1], k=2)
    3
    >>> f( [1] )
    2
    >>> x = f([1])
    >>> x = f([1])
    >>> f([1], k=2)
    3"""
'''


def test_a_call_is_shown_once() -> None:
    """Whatever is said to come of it; what is no call of the function alone may be there for its effect."""
    assert without_values(REPEATING, "f") == (
        'def f(xs, k=1):\n    """Sum.\n\n    >>> f([1])\n    >>> f([1], k=2)\n'
        '    >>> x = f([1])\n    >>> x = f([1])\n    """\n'
    )
    shown = ["2\n", "3\n", "2\n", "", "", "3\n"]
    assert with_values(REPEATING, "f", shown, lambda call: None, lambda said, found: said == found.strip()) == (
        'def f(xs, k=1):\n    """Sum.\n\n    >>> f([1])\n    2\n    >>> f([1], k=2)\n    3\n'
        '    >>> x = f([1])\n    >>> x = f([1])\n    """\n'
    )


def test_backslashes_and_quotes_of_a_docstring_stay_what_they_mean() -> None:
    prompt = "def f(x):\n    r'''A \\d \"\"\" b.\n\n    >>> f(1)\n    5\n    '''\n"
    again = with_values(prompt, "f", ["'\\\\n'\n"], lambda call: None, lambda said, found: False)
    scope: dict[str, object] = {}
    exec(again + "    return x\n", scope)  # noqa: S102
    assert scope["f"].__doc__ == 'A \\d """ b.\n\n    >>> f(1)\n    \'\\\\n\'\n    '


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("f(3) returns 9.", "9"),
        ("f(3) should return [1, 2], and so on", "[1, 2]"),
        ("f('a)') == 'b'", "'b'"),
        ("`f(3)` is `True`", "True"),
        ("print(f(3)) # 9", "9"),
        ("f(3) => (1, 2)", "(1, 2)"),
        ("f(3) returns 1, 2 or 3", "1"),
        ("f(3) returns the sum", ""),
        ("f(3)", ""),
    ],
)
def test_what_a_line_says_of_a_call(line: str, value: str) -> None:
    (found,) = calls_in(line, "f")
    assert found.value == value


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner) | st.sets(st.integers()),
    max_leaves=8,
)


@given(LITERALS)
def test_a_literal_reads_back_as_what_it_was(value: object) -> None:
    text = literal(value)
    if text is not None:
        again = read_literal(text)
        assert again == value
        assert type(again) is type(value)
        assert sameness(again) == sameness(value)


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), object(), [object()], {1: object()}, range(3), "x" * 2000]
)
def test_what_has_no_literal(value: object) -> None:
    assert literal(value) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (1, 1.0, True),
        (0.1 + 0.2, 0.3, True),
        (1, True, False),
        ([1], (1,), False),
        ({1: 2, 3: 4}, {3: 4.0, 1: 2}, True),
        ([{1}], [{1}], True),
        ("1", 1, False),
        (None, False, False),
    ],
)
def test_what_counts_as_the_same_result(one: object, other: object, same: bool) -> None:
    assert (sameness(one) == sameness(other)) is same


@pytest.mark.parametrize(
    ("session", "steps"),
    [
        (["f(1)", "list(f(2))", "f(f(3))"], []),
        (["xs = [1]", "f(xs)", "xs", "len(xs), 1", "ys"], ["f(xs)", "xs", "len(xs), 1"]),
        (
            ["f(1)(2)", "f(1).upper()", "f(lambda x: x)(3)", "print(f(2))"],
            ["f(1)(2)", "f(1).upper()", "f(lambda x: x)(3)"],
        ),
        (
            ["import os", "os.sep", "time(1)", "f(unknown)(2)", "y = unknown", "for x in f(1): pass", "x"],
            ["os.sep", "x"],
        ),
        (["x = (", "def g():", "1 +"], []),
    ],
)
def test_further_steps_are_those_of_a_session(session: list[str], steps: list[str]) -> None:
    lines = "".join(f"    >>> {source}\n" for source in session)
    prompt = f'from datetime import time\n\ndef f(x):\n    """Said.\n\n{lines}    """\n'
    assert further_steps(prompt, "f") == tuple(f"{step}\n" for step in steps)


@given(st.text(), st.text())
def test_nothing_is_too_odd_to_be_read(prompt: str, test: str) -> None:
    calls = shown_calls(prompt, test, "f")
    further_steps(prompt, "f")
    edge_calls(calls, "f")
    assert without_values(prompt, "f") == prompt or "f(" in prompt or ">>>" in prompt
