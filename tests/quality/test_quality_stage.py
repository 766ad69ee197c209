import random

import pytest

from pipeline.quality import Quality, heuristics
from pipeline.recipe import QualityTable
from pipeline.records import Document, Passage
from pipeline.stage import Dropped, Kept, Tally, checked

GOOD_TEXT = (
    'def mean(values):\n    """Arithmetic mean, 0 for none."""\n    return sum(values) / len(values) if values else 0\n'
)


def outcome(text: str, **settings: object) -> Kept[Document] | Dropped:
    tally = Tally()
    (one,) = checked(Quality(QualityTable(**settings)), [Passage(text=text)], tally)  # type: ignore[arg-type]
    return one


def reason(text: str, **settings: object) -> str:
    one = outcome(text, **settings)
    return one.reason if isinstance(one, Dropped) else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD_TEXT, ""),
        ("x = 1\n", "too-short"),
        ("", "too-short"),
        ("print('same line again')\n" * 9 + "x = 2\n", "repeated"),
        ("the same words over and over " * 200, "repeated"),
        ("# ---- ==== ++++ **** //// ---- ==== ++++\n!!!! $$$$ %%%%", "low-value"),
        (f"DATA = '{''.join(random.Random(0).choices('abcdefghijklmnop', k=3_000))}'\n", "low-value"),
        ("Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do.", "low-value"),
        ("  }\n" * 30 + GOOD_TEXT, ""),
        ("漢字かな交じり文は空白を使わないが、" * 3 + "読む価値がある文章である。それは長い文でも同じことである。", ""),
    ],
)
def test_each_heuristic_has_its_reason(text: str, expected: str) -> None:
    assert reason(text) == expected


def test_details_show_both_numbers() -> None:
    for text in ("x", "print('same line again')\n" * 9, "!!!! ???? ---- ++++ ==== //// **** .... ,,,,"):
        one = outcome(text)
        assert isinstance(one, Dropped)
        assert sum(any(c.isdigit() for c in part) for part in one.detail.replace(">", "<").split("<")) == 2


def test_blank_and_bracket_lines_are_no_repeats() -> None:
    assert heuristics.repeated_line_fraction("a\n\n\n\n)\n)\n)\nb\n") == 0.0
    assert heuristics.repeated_line_fraction("a\na\na\na\n") == 0.5
    assert heuristics.repeated_line_fraction("a\nb\na\nc\na\nd\n") == 0.0
    assert heuristics.repeated_line_fraction("") == 0.0
