"""report.html: whole, escaped, and in need of nothing else."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from example_run import Example, change_run
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.money import dollars
from pipeline.report import html, plots
from pipeline.report.card import card, compact, duration
from pipeline.report.html import boards, render
from pipeline.report.summary import Summary, summarise
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


def test_it_says_where_corpus_and_model_are(page: str, summary: Summary, example: Example) -> None:
    store = example.store.root
    corpus = f"{store}/decontaminated/{example.plan['decontaminated'].key}"
    model = f"{store}/student/{example.plan['student'].key}/model"
    assert (Path(corpus) / "manifest.json").is_file()
    assert (Path(model) / "config.json").is_file()
    assert (summary.corpus_at, summary.model_at) == (corpus, model)
    for path in (corpus, model):
        assert f"<code>{path}</code>" in page
        assert path in card(summary)


def test_a_stopped_run_names_what_it_did_not_reach_in_one_line(example: Example, run_copy: Path) -> None:
    info = json.loads((run_copy / "run.json").read_text())
    places = {stage["name"]: place for place, stage in enumerate(info["stages"])}
    for stage in info["stages"][places["validated"] :]:
        stage |= {"key": "0" * 32, "state": "missing", "seconds": 0.0}
    change_run(run_copy, run="copy", state="budget-reached", stages=info["stages"])
    stopped = summarise(run_copy, example.store)
    page = render(stopped)
    (time,) = re.findall('<section id="time">.*?</section>', page, re.DOTALL)
    assert ">0.0 s" not in time
    assert f"Not reached: {', '.join(list(places)[places['validated'] :])}." in time
    assert stopped.model_at == ""
    assert f"store/documents/{example.plan['documents'].key}</code>" in page
    assert "hornbook show copy documents -n 3" in page


def test_a_table_that_may_be_wide_scrolls_by_itself(page: str) -> None:
    assert len(re.findall("<table>", page)) == len(re.findall(r'<div class="scroll">\s*<table>', page)) >= 4


def test_the_same_run_gives_the_same_page(page: str, summary: Summary) -> None:
    assert render(summary) == page


def test_groups_are_rows_of_the_chart(summary: Summary) -> None:
    (board,) = boards(summary)
    assert [row.name for row in board.rows] == ["all problems", "new compositions", "new parameters", "new wordings"]
    whole, *groups = board.rows
    assert sum(row.problems for row in groups) == whole.problems


@given(st.text(), st.sampled_from(["python", "sql", "regex", "text", ""]))
def test_any_text_can_be_shown_as_code(text: str, language: str) -> None:
    shown = html.code(text, language)
    assert "<script" not in shown
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", shown)
    shown.encode()


def test_a_text_is_coloured_as_its_language_and_one_that_is_not_code_is_not() -> None:
    """Tried: "not" and "in" of an SQL comment were set as Python's keywords."""
    text = "-- towns that are not in use\nSELECT name FROM towns\n"
    assert '<span class="k">' not in html.code(text, "sql").splitlines()[0]
    assert '<span class="k">SELECT</span>' in html.code(text, "sql")
    assert "<span" not in html.code("Four digits, not less: for in and not", "regex")


def test_of_a_corpus_that_has_no_audiences_and_names_the_page_says_nothing_of_them(summary: Summary) -> None:
    assert summary.diversity is not None
    few = replace(summary.diversity, audiences=0, function_names=0, distinct_4grams=None, compression=None, topics=1)
    text = html.corpus_text(replace(few, exercises=2, passages=0, effective_topics=1.0, documents=2, sampled=2))
    assert text == "2 exercises and 0 passages; 1 topics, as varied as 1 equally frequent ones"


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
    assert [tick.text for tick in chart.x_ticks] == ["1", "2", "3"]


def test_a_mean_is_told_of_where_one_is_drawn(page: str, summary: Summary) -> None:
    assert "the heavy line is the mean" in page
    short = render(replace(summary, curve=summary.curve[:5]))
    assert short.count('class="smooth"') == 1
    assert 'class="raw"' not in short
    assert "heavy line" not in short


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
