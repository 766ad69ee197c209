"""Bits per byte of reference solutions: means, paired changes, and what card, page and report.json say of them."""

import json
from dataclasses import replace

import pytest
from arms_made import likelihoods
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.card import card
from pipeline.report.experiment_text import points
from pipeline.report.html import render
from pipeline.report.summary import Summary
from pipeline.stages.likelihoods.results import Change, Surprise, changes, difference_text, signed_bits, surprises
from pipeline.stages.scores.statistics import Interval

BITS = st.lists(st.floats(0.01, 4.0), min_size=1, max_size=12)


def measured(before: list[float], after: list[float], benchmark: str) -> tuple[list[Surprise], list[Change]]:
    rows = [*likelihoods(before, "before", benchmark), *likelihoods(after, "after", benchmark)]
    found = surprises(rows, 0)
    return found, changes(rows, found, 0)


@given(BITS, st.floats(0.5, 2.0))
def test_the_mean_is_over_problems_and_the_change_is_on_the_same_ones(bits: list[float], by: float) -> None:
    (before, after), (change,) = measured(bits, [by * one for one in bits], "b")
    assert (before.model, after.model, before.problems, change.problems) == ("before", "after", len(bits), len(bits))
    assert before.value == pytest.approx(sum(bits) / len(bits))
    assert change.difference.value == pytest.approx(after.value - before.value)
    assert before.interval.low <= before.value + 1e-9
    assert before.value <= before.interval.high + 1e-9


def test_fewer_bits_on_nearly_every_problem_are_a_claim_and_a_few_on_some_are_none() -> None:
    bits = [0.4 + n / 50 for n in range(30)]
    _, (likelier,) = measured(bits, [one - 0.01 for one in bits], "b")
    assert (likelier.claim, likelier.difference.interval.high < 0) == ("likelier", True)
    _, (less,) = measured(bits, [one + 0.01 for one in bits], "b")
    assert less.claim == "less likely"
    _, (none,) = measured(bits, [one + (0.1 if n % 2 else -0.1) for n, one in enumerate(bits)], "b")
    assert none.claim == "none"


def test_a_difference_that_is_claimed_is_never_shown_as_nothing() -> None:
    assert [signed_bits(value) for value in (-0.0214, 0.00042, -0.00099, 0.0, 0.001)] == [
        "-0.021", "+0.00042", "-0.00099", "+0.000", "+0.001",
    ]  # fmt: skip
    assert difference_text(0.0004, Interval(0.0002, 0.0011)) == "+0.00040 [+0.00020, +0.001]"
    assert points(0.0004, "bits per byte") == "+0.00040"


def test_problems_that_one_side_alone_has_are_not_compared() -> None:
    _, (change,) = measured([0.5, 0.6, 0.7], [0.4, 0.5], "b")
    assert change.problems == 2
    assert change.difference.value == pytest.approx(-0.1)
    rows = likelihoods([0.5], "after")
    assert changes(rows, surprises(rows, 0), 0) == []


def test_card_page_and_json_say_what_was_measured(summary: Summary) -> None:
    benchmark = summary.scores[0].benchmark
    found, compared = measured([0.5, 0.6] * 9, [0.4, 0.5] * 9, benchmark)
    told = replace(summary, likelihoods=tuple(found), likelihood_comparisons=tuple(compared))
    assert "reference solutions: 0.550 -> 0.450 bits per byte" in card(told)
    assert "-0.100 [-0.100, -0.100], paired bootstrap p < 0.001: likelier" in card(told)
    assert "the student finds them likelier" in render(told)
    data = json.loads(json.dumps(told.to_json()))
    assert data["likelihoods"][0] | {"interval": None} == {
        "benchmark": benchmark,
        "model": "before",
        "problems": 18,
        "bits_per_byte": pytest.approx(0.55),
        "interval": None,
    }
    assert data["likelihood_comparisons"][0]["claim"] == "likelier"
    assert "bits per byte" not in card(summary)
    assert "bits per byte" not in render(summary)


def test_benchmarks_of_which_no_answer_was_asked_for_are_told_too(summary: Summary) -> None:
    found, compared = measured([0.5, 0.6] * 9, [0.4, 0.5] * 9, "mine")
    told = replace(summary, likelihoods=tuple(found), likelihood_comparisons=tuple(compared))
    assert "  mine (18)\n    reference solutions: 0.550 -> 0.450 bits per byte" in card(told)
    assert render(told).count("No answers were asked for.") == 1
    alone = replace(told, scores=(), comparisons=(), samples=())
    assert "Scores\n  mine (18)\n" in card(alone)
    assert "pass@1" not in card(alone)
    assert "Share of problems solved" not in render(alone)
    assert "the student finds them likelier" in render(alone)
