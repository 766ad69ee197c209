import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.records import Document, Passage
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import QualityTable
from pipeline.stages.quality import heuristics
from pipeline.stages.quality.stage import Quality

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
        ('def test_words():\n    assert fold("Lorem ipsum dolor sit amet, consectetur adipiscing") == 3\n', ""),
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
    assert heuristics.repeated_line_fraction("a\na\na\na\n") == 0.75
    assert heuristics.repeated_line_fraction("a\nb\na\nc\na\nd\n") == 0.0
    assert heuristics.repeated_line_fraction("") == 0.0


FUNCTION = """def largest(values, default=None):
    best = default
    for value in values:
        if best is None or value > best:
            best = value
    return best
"""
TESTS = "".join(
    f"""
def test_{name}_edges_are_kept():
    graph = networkx.{name}_graph(5)
    graph.add_edge(0, 1, weight=2)
    graph.add_edge(1, 2, weight=3)
    flow = networkx.maximum_flow(graph, 0, {number})
    graph.remove_edge(0, 1)
    assert flow.value == {number * 7}
"""
    for number, name in enumerate(["path", "star", "wheel", "cycle", "ladder", "complete", "barbell", "lollipop"])
)
"""Eight tests as people write them: most lines recur, in rows of three at most."""
NUMBERS = "MODEL = {\n" + "".join(
    f"    {row}: {{\n" + "".join(f"        {column}: {(row * column) % 4},\n" for column in range(40)) + "    },\n"
    for row in range(40)
)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        (FUNCTION, 0.0),
        (FUNCTION * 2, 0.5),
        (FUNCTION * 3, 2 / 3),
        (TESTS + FUNCTION * 20, (19 * 6) / (20 * 6 + 8 * 7)),
        ("x = 1\n" * 12 + FUNCTION, 11 / 18),
        ("first = 1\nsecond = 2\n" * 8 + FUNCTION, 14 / 22),
        (TESTS, 0.0),
    ],
)
def test_loops_count_line_by_line_and_rows_of_a_few_lines_do_not(text: str, share: float) -> None:
    assert heuristics.repeated_line_fraction(text) == pytest.approx(share)


def test_copied_blocks_count_wherever_they_stand_and_tables_by_pairs_of_lines() -> None:
    block = "".join(f"step_{i} = after(step_{i - 1})\n" for i in range(1, 21))
    others = ["".join(f"other_{k}_{i} = {i}\n" for i in range(3)) for k in range(6)]
    copied = "".join(block + other for other in others)
    assert heuristics.repeated_line_fraction(copied) == pytest.approx(5 * 16 / (6 * 23))
    assert reason(copied) == "repeated"
    assert reason(NUMBERS) == "repeated"
    assert heuristics.alphabetic_fraction(NUMBERS) < heuristics.MIN_ALPHABETIC
    assert reason(TESTS) == ""


def test_code_that_has_data_in_it_is_kept_and_data_with_a_little_code_is_not() -> None:
    digits = "".join(random.Random(0).choices("123456789", k=6_000))
    checks = "".join(f"    assert expand(power(base_{i}, {i})) == product(base_{i}, {i * i})\n" for i in range(100))
    assert reason(f"def test_powers():\n{checks}    assert power(3, 9_999) == {digits}\n") == ""
    one = outcome(f"def test_powers():\n{checks[:3_000]}    assert power(3, 9_999) == {digits}\n")
    assert isinstance(one, Dropped)
    assert one.detail == "in runs without a space 0.66 > 0.2, lines of ordinary length 49 < 100"


@given(st.lists(st.sampled_from(["a = 1", "b = 2", "c = 3", "1, 2, 3,", ")"]), max_size=30), st.floats(0, 1))
def test_a_share_below_what_matters_may_be_left_out_and_none_above_it(lines: list[str], least: float) -> None:
    text = "\n".join(lines)
    exact = heuristics.repeated_line_fraction(text)
    assert 0 <= exact < 1
    quick = heuristics.repeated_line_fraction(text, least)
    assert quick == exact or (quick == 0 and exact < least)


@given(st.text(max_size=60))
def test_the_share_of_letters_is_that_of_the_characters_one_by_one(text: str) -> None:
    solid = [character for character in text if not character.isspace()]
    wanted = sum(map(str.isalpha, solid)) / len(solid) if solid else 0.0
    assert heuristics.alphabetic_fraction(text) == pytest.approx(wanted)
