"""report.html: whole, escaped, and in need of nothing else."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.money import dollars
from pipeline.report import html, plots
from pipeline.report.card import card, compact, duration
from pipeline.report.html import boards, render
from pipeline.report.summary import Summary
from pipeline.training.curve import CurvePoint


class Balance(HTMLParser):
    """Collects tags that were left open or closed without being open."""

    VOID = {"meta", "br", "hr", "link", "img"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_bars_show_counts_and_which_side_of_the_limit_they_are_on() -> None:
    grades = plots.grade_bars({"0": 1, "4.5": 3, "5": 4, "10": 2}, 5.0)
    assert [bar.count for bar in grades] == [1, 0, 0, 0, 3, 4, 0, 0, 0, 0, 2]
    assert [bar.height for bar in grades][:5] == [25.0, 0.0, 0.0, 0.0, 75.0]
    assert [bar.below for bar in grades] == [True] * 5 + [False] * 6
    values = plots.value_bars([4, 0, 2, 1], 0.5)
    assert [bar.text for bar in values][:2] == ["0.00 to 0.25: 4", "0.25 to 0.50: 0"]
    assert [bar.below for bar in values] == [True, True, False, False]
    assert [bar.height for bar in plots.value_bars([0, 0], 2.0)] == [0.0, 0.0]
    assert all(bar.below for bar in plots.value_bars([1, 1], 2.0))


def test_code_in_a_message_is_set_as_code_and_still_escaped() -> None:
    assert html.ticks("a line `Grade: <N>` & more") == "a line <code>Grade: &lt;N&gt;</code> &amp; more"
    assert html.ticks("one ` alone <b>") == "one ` alone &lt;b&gt;"


@pytest.fixture(scope="module")
def page(summary: Summary) -> str:
    return render(summary)


def test_every_tag_is_closed(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    assert (parser.open, parser.wrong) == ([], [])


def test_it_fetches_nothing_and_runs_nothing(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    assert all(url.startswith("#") for url in parser.urls)
    assert not re.search(r"<script|<link|@import|url\(|\son\w+=", page)


def test_what_a_model_wrote_is_text_not_markup(page: str) -> None:
    assert "&lt;script&gt;alert(" in page
    assert "&lt;b&gt;write&lt;/b&gt;" in page


def test_all_parts_of_a_run_are_on_it(page: str, summary: Summary) -> None:
    for heading in (
        "Scores",
        "stage by stage",
        "What was dropped",
        "The student",
        "Answers beside",
        "Time",
        "Provenance",
    ):
        assert heading in page
    for line in summary.funnel:
        assert line.key in page
    for drop in summary.drops:
        assert f"<b>{drop.reason}</b>" in page
    for text in ("a fixture with no model in it", "partial", "not counted as failed", "McNemar p", "0123456789ab"):
        assert text in page


def test_the_held_out_loss_is_told_by_kind_of_document(page: str, summary: Summary) -> None:
    assert "0.364 nats a token: 0.312 on 9 exercises, 1.500 on 2 passages" in page
    assert "  held-out exercises 0.312, passages 1.500\n" in card(summary)
    told = summary.to_json()["student"]
    assert told["held_out_by_kind"]["passages"] == {"documents": 2, "loss": 1.5}
    assert "curve" not in told


def test_passed_and_failed_answers_stand_beside_their_problem(page: str, summary: Summary) -> None:
    assert {shown.change for shown in summary.samples} >= {"gained", "failed", "unscored"}
    for shown in summary.samples:
        assert shown.prompt
        assert [answer.model for answer in shown.answers] == ["before", "after"]
        assert all(answer.score_id in page for answer in shown.answers)


def test_the_same_run_gives_the_same_page(page: str, summary: Summary) -> None:
    assert render(summary) == page


def test_groups_are_rows_of_the_chart(summary: Summary) -> None:
    (board,) = boards(summary)
    assert [row.name for row in board.rows] == ["all problems", "new compositions", "new parameters", "new wordings"]
    whole, *groups = board.rows
    assert sum(row.problems for row in groups) == whole.problems


@given(st.text())
def test_any_text_can_be_shown_as_code(text: str) -> None:
    shown = html.code(text)
    assert "<script" not in shown
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", shown)
    shown.encode()


def test_a_long_text_says_how_much_was_cut() -> None:
    assert "… 40 more lines" in html.shortened("x\n" * 100)
    assert "more characters" in html.shortened("x" * 9000)
    assert html.shortened("a\nb\n") == "a\nb"


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 9))
def test_ticks_cover_the_range_at_equal_distances(low: float, span: float, count: int) -> None:
    ticks = plots.nice_ticks(low, low + span, count)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low + 1e-6 * step
    assert ticks[-1] >= low + span - 1e-6 * step
    assert len(ticks) <= 2 * count + 2
    assert all(b - a == pytest.approx(step) for a, b in pairwise(ticks))


def test_a_curve_needs_two_finite_points() -> None:
    points = [CurvePoint(1, 2.0, None), CurvePoint(2, float("nan"), None)]
    assert plots.loss_chart(points) is None
    chart = plots.loss_chart([*points, CurvePoint(3, 1.0, 1e-4)])
    assert chart is not None
    assert chart.raw.count("L") == 1


def test_smoothing_keeps_a_straight_line_and_both_ends() -> None:
    line = [float(n) for n in range(200)]
    assert plots.smoothed(line) == pytest.approx(line)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (99.94, "99.9 s"),
        (99.96, "1 min 40 s"),
        (285.2, "4 min 45 s"),
        (3599.6, "1 h 00 min"),
        (7380, "2 h 03 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("usd", "text"), [(0, "$0.00"), (12.5, "$12.50"), (0.0128, "$0.013"), (0.0000418, "$0.000042")]
)
def test_dollars(usd: float, text: str) -> None:
    assert dollars(usd) == text


@pytest.mark.parametrize(("number", "text"), [(812, "812"), (34_100, "34.1k"), (134_515_008, "135M"), (2.4e9, "2.4B")])
def test_compact_numbers(number: float, text: str) -> None:
    assert compact(number) == text
