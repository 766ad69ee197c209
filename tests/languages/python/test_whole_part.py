"""What is whole of an answer that was cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.languages.fences import code_blocks
from pipeline.languages.normalise import normalised
from pipeline.languages.python import exercise
from pipeline.languages.python.answer import MOST_CUT_LINES, code_of, whole_part

FUNCTION = '''from typing import List


def helper(x: int) -> int:
    return x + 1


def total(xs: List[int]) -> int:
    """The sum of what follows each number.

    >>> total([1, 2])
    5
    """
    result = 0
    for x in xs:
        result += helper(x)
    return result
'''
TESTS = {
    "asserts": "\n".join(f"assert total([{n}]) == {n + 1}" for n in range(9)),
    "a function of asserts": "def test_total():\n" + "\n".join(f"    assert total([{n}]) == {n + 1}" for n in range(9)),
    "a table over lines": "for xs, due in [\n" + "".join(f"    ([{n}], {n + 1}),\n" for n in range(9)) + "]:\n"
    "    assert total(xs) == due",
}


def answers(test: str) -> list[str]:
    """The same answer in the forms that teachers give it."""
    return [
        f"Here it is.\n\n```python\n{FUNCTION}\n{test}\n```\nIt adds.\n",
        f"```python\n{FUNCTION}```\n\nAnd its tests:\n\n~~~~py\n{test}\n~~~~\n",
        f"{FUNCTION}\n\n{test}\n",
    ]


def read(text: str) -> tuple[str, str]:
    """Prompt and solution, as the stage `documents` finds them."""
    pieces = code_of(normalised(text))
    assert all(piece.closed for piece in pieces)
    return exercise.cut(*exercise.find(pieces, "total"))[:2]


@given(st.sampled_from(sorted(TESTS)), st.integers(0, 2), st.floats(0, 1))
def test_wherever_an_answer_is_cut_its_function_is_whole_or_it_has_none(which: str, form: int, share: float) -> None:
    answer = answers(TESTS[which])[form]
    cut = answer[: round(share * len(answer))]
    whole = whole_part(cut, "total")
    if whole:
        assert read(whole) == read(answer)
        assert whole_part(whole + "x", "total") == whole
    before_tests = answer.index(TESTS[which])
    if len(cut) <= before_tests:
        assert whole == ""
    if which == "asserts" and len(cut) > before_tests + len("assert total([0]) == 1\nassert"):
        assert "assert total([0]) == 1" in whole


@pytest.mark.parametrize(
    "cut",
    [
        "",
        "I would write",
        "```python\n",
        "```python\ndef total(xs):\n    return",
        '```python\ndef total(xs):\n    """Sum.\n\n    >>> total([1])\n    1\n    >>> total([1, 2',
        "```python\ndef total(xs):\n    return sum(xs)\n\ndef other(x):\n    return total([x]",
        "```python\ndef total(xs):\n    return sum(xs)\n\nassert other([1]) == 1\nassert other([",
        "```sql\nSELECT total FROM a;\nSELECT",
        "```python\ndef total(xs):\n    return sum(xs)\n\nxs = [\n" + "    1,\n" * (MOST_CUT_LINES + 1) + "    total([",
    ],
)
def test_an_answer_that_was_cut_within_its_function_has_nothing_whole(cut: str) -> None:
    assert whole_part(cut, "other" if "def other" in cut else "total") == ""


@given(st.text(alphabet="`~\n dftoal():=1#'\"assert", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    whole = whole_part(text, "total")
    assert not whole or all(block.closed for block in code_blocks(whole))
