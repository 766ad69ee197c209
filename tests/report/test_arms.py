"""Arms side by side: rates, differences on the same problems, costs, and the page."""

from dataclasses import replace

import pytest
from arms_made import arm, likelihoods, rows, run, stage

from pipeline.core.errors import UsageError
from pipeline.core.money import hours_text
from pipeline.report.arms import BEFORE, Arm, Failed, Pair, pairs, results
from pipeline.report.costs import Cost
from pipeline.report.experiment import experiment, of_runs
from pipeline.report.experiment_page import render
from pipeline.report.experiment_text import text
from pipeline.stages.scores.statistics import Interval, mcnemar

HALF = [True, False] * 20
NONE = [False] * 40


def test_a_rate_is_over_the_problems_that_each_run_has_a_score_for() -> None:
    (found,) = results([arm("a", [True, True, None, False], [True, False, True, False])])
    (score,) = found.scores
    assert score.tasks == ("T/000", "T/001", "T/003")
    assert (score.asked, score.seeds) == (4, (1, 2))
    assert score.whole.value == pytest.approx(0.5)
    assert [one["pass@1"] for one in score.to_json()["per_seed"]] == pytest.approx([2 / 3, 1 / 3])


def test_benchmarks_that_ask_for_the_same_are_compared_together_too() -> None:
    def scored(name: str, first: list[bool], second: list[bool]) -> Arm:
        answers = [*rows(first, benchmark="humaneval"), *rows(second, benchmark="mbpp")]
        return Arm(name, "", {1: run(f"{name}.1", answers)})

    found = results([scored("a", NONE, NONE), scored("b", [True] * 4 + NONE[4:], [True] * 4 + NONE[4:])])
    assert [(score.benchmark, score.whole.problems) for score in found[1].scores] == [
        ("humaneval", 40),
        ("mbpp", 40),
        ("humaneval + mbpp", 80),
    ]
    apart, other, both = pairs(found, [("a", "b")])
    assert (apart.claim, other.claim, both.claim) == ("none", "none", "rise")
    assert both.p == mcnemar(NONE + NONE, [*([True] * 8), *NONE, *NONE[8:]]).p


def test_two_arms_of_one_greedy_run_are_compared_by_mcnemar() -> None:
    (pair,) = pairs(results([arm("a", NONE), arm("b", HALF)]), [("a", "b")])
    assert pair.test == "mcnemar"
    assert pair.p == mcnemar(NONE, HALF).p
    assert (pair.difference, pair.problems, pair.claim) == (0.5, 40, "rise")


def test_arms_of_several_seeds_are_compared_by_bootstrap_with_mcnemar_of_each_seed_beside() -> None:
    (pair,) = pairs(results([arm("a", HALF, HALF), arm("b", NONE, NONE)]), [("a", "b")])
    assert pair.test == "paired bootstrap"
    assert (pair.difference, pair.claim) == (-0.5, "fall")
    assert [(seed, test.lost) for seed, test in pair.by_seed] == [(1, 20), (2, 20)]


def test_p_is_adjusted_for_all_pairs_of_a_benchmark() -> None:
    almost = [True] * 6 + NONE[6:]  # McNemar's p of 6 to 0 is 0.03
    found = results([arm("a", NONE), arm("b", almost), arm("c", almost), arm("d", NONE)])
    alone, beside, same = pairs(found, [("a", "b"), ("a", "c"), ("a", "d")])
    assert alone.p == pytest.approx(0.03125)
    assert alone.adjusted == beside.adjusted == pytest.approx(3 * 0.03125)
    assert (same.p, same.adjusted, alone.claim) == (1.0, 1.0, "none")
    assert pairs(found, [("a", "b")])[0].claim == "rise"


def test_the_untrained_student_is_an_arm_where_it_was_scored() -> None:
    made = run("a.1", [*rows(NONE, BEFORE), *rows(HALF)], [stage("samples-before", "k")])
    found = results([replace(arm("a", HALF), runs={1: made})])
    assert [(one.arm.name, one.scores[0].whole.value) for one in found] == [(BEFORE, 0.0), ("a", 0.5)]
    assert [pair.difference for pair in pairs(found, [(BEFORE, "a")])] == [0.5]


def test_problems_are_split_by_what_the_corpus_of_the_named_arm_has() -> None:
    near = {"closest": {"bench": {f"T/{n:03}": [0.92, "d"] for n in range(0, 40, 2)}}}
    found = results([arm("a", HALF, stages=[stage("scores", "s", near)]), arm("b", NONE)], "a")
    taus = {tau: (similar, others) for tau, similar, others in found[0].scores[0].split}
    assert taus[0.95][0].problems == 0
    assert (taus[0.9][0].problems, taus[0.9][0].value, taus[0.9][1].value) == (20, 1.0, 0.0)
    assert {tau: similar.value for tau, similar, _ in found[1].scores[0].split}[0.9] == 0.0


def test_what_arms_share_is_counted_once_and_replayed_answers_at_their_price() -> None:
    shared = stage("completions", "c", {"teachers": [{"usd": 1.0, "earlier_usd": 0.5, "tokens": 7}]}, hours=2.0)
    gpu = stage("student", "s2", {"seconds": 7200.0, "device": "cuda", "tokens": 9}, hours=1.0)
    a = arm("a", HALF, stages=[shared, stage("student", "s1", {"device": "cpu", "seconds": 9.0}, hours=3.0)])
    b = arm("b", HALF, stages=[shared, gpu])
    found = experiment([a, b], [("a", "b")])
    assert found.arms[0].alone == found.arms[0].added == Cost(1.5, 7, 5.0, 0.0)
    assert (found.arms[1].alone, found.arms[1].added) == (Cost(1.5, 7, 3.0, 2.0), Cost(0.0, 0, 1.0, 2.0))
    assert found.total == Cost(1.5, 7, 6.0, 2.0)
    assert (found.pairs[0].stage, found.pairs[0].cost) == ("student", Cost(0.0, 0, 1.0, 2.0))


def test_a_fit_has_a_line_for_each_series() -> None:
    def at(name: str, tokens: int, solved: int, series: str) -> object:
        made = [True] * solved + [False] * (40 - solved)
        return arm(name, made, stages=[stage("student", name, {"tokens": tokens})], series=series)

    arms = [at("a", 100, 4, "x"), at("b", 200, 8, "x"), at("c", 400, 12, "x"), at("d", 100, 1, "y")]
    one, two = experiment(arms, [], fit=True).curves  # type: ignore[arg-type]
    assert one.fit is not None
    assert one.fit.slope == pytest.approx(0.1)
    assert one.to_json()["per_doubling"] == pytest.approx(0.1)
    assert (two.series, two.fit) == ("y", None)


def test_runs_that_differ_in_their_seed_alone_are_one_arm() -> None:
    assert [one.arm.name for one in of_runs([run("a", rows(HALF)), run("b", rows(NONE))]).arms] == ["a", "b"]
    with pytest.raises(UsageError, match="one run is named"):
        of_runs([run("a", rows(HALF)), run("a", rows(HALF))])


def test_the_text_has_every_arm_its_differences_and_what_was_not_made() -> None:
    failed = Failed("x.b.2", 2, "student", "the loss is not finite", "lower it")
    found = experiment([arm("a", NONE), replace(arm("b", HALF), failed=(failed,))], [("a", "b")], name="x")
    said = text(found)
    assert "  b  50.0% [35.0, 65.0]     1 seed                   what b is" in said
    assert "  b against a: a rise\n    +50.0 [+35.0, +65.0] points, 20 gained, 0 lost; McNemar p < 0.001;" in said
    assert "Not made\n  b, seed 2: student: the loss is not finite\n    lower it" in said


def test_the_page_escapes_what_names_and_messages_hold() -> None:
    bad = "<script>alert(1)</script>"
    failed = Failed("r", 1, bad, bad, bad)
    made = replace(arm("a", HALF), caption=bad, failed=(failed,), series=bad)
    page = render(experiment([made], [], name=bad, description=bad, recipe=bad, fit=True))
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_page_of_arms_without_any_score_can_be_made() -> None:
    assert "What each arm took" in render(experiment([replace(arm("a"), runs={1: run("a.1", [])})], [], name="x"))


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (123_456.7, "123,457 CPU h"),
        (99.94, "99.9 CPU h"),
        (3.21, "3.2 CPU h"),
        (0.5, "30 CPU min"),
        (0.01, "36 CPU s"),
        (0.0002, "under 1 CPU s"),
        (0.0, "0 CPU s"),
    ],
)
def test_hours_are_told_in_the_unit_that_fits(hours: float, said: str) -> None:
    assert hours_text(hours, "CPU") == said


def test_a_claim_needs_both_p_and_the_interval() -> None:
    pair = Pair("a", "b", "x", "pass@1", 9, 0.1, Interval(0.01, 0.2), 0.01, 0.01, "mcnemar", (), "", Cost())
    assert pair.claim == "rise"
    assert replace(pair, adjusted=0.05).claim == "none"
    assert replace(pair, interval=Interval(-0.01, 0.2)).claim == "none"


def test_bits_per_byte_are_a_board_of_their_own_beside_the_rates() -> None:
    bits = [0.5 + n / 100 for n in range(40)]
    better = [value - 0.02 - n / 10_000 for n, value in enumerate(bits)]
    arms = [
        replace(arm("a"), runs={seed: run(f"a.{seed}", rows(NONE), likely=likelihoods(bits)) for seed in (1, 2)}),
        replace(arm("b"), runs={seed: run(f"b.{seed}", rows(NONE), likely=likelihoods(better)) for seed in (1, 2)}),
    ]
    found = experiment(arms, [("a", "b"), ("b", "a")], name="x")
    assert found.boards == (("bench", "pass@1"), ("bench", "bits per byte"))
    solved, likelier, _, less = found.pairs
    assert (solved.measure, solved.claim, solved.difference) == ("pass@1", "none", 0)
    assert (likelier.measure, likelier.claim, less.claim) == ("bits per byte", "likelier", "less likely")
    assert likelier.difference == pytest.approx(-0.02195)
    assert likelier.adjusted == pytest.approx(2 * likelier.p)  # of two pairs, not of the four that there are
    one, two = (found.to_json()["arms"][place] for place in (0, 1))
    assert [score["benchmark"] for score in one["scores"]] == ["bench"]
    assert one["likelihoods"][0]["bits_per_byte"] == pytest.approx(0.695)
    assert [seed["seed"] for seed in two["likelihoods"][0]["per_seed"]] == [1, 2]
    said = text(found)
    assert "bench, bits per byte of the reference solutions (fewer: likelier) of 40 problems" in said
    assert "b against a: likelier\n    -0.022 [" in said
    page = render(found)
    assert "What the reference solutions of 40 problems cost, in bits per byte" in page
    assert "0.695" in page


def test_the_student_before_training_has_its_bits_too() -> None:
    likely = [*likelihoods([0.9] * 40, BEFORE), *likelihoods([0.8] * 40)]
    made = run("a.1", [*rows(NONE, BEFORE), *rows(HALF)], [stage("samples-before", "k")], likely)
    found = results([replace(arm("a"), runs={1: made})])
    assert [one.score("bench", "bits per byte").whole.value for one in found] == pytest.approx([0.9, 0.8])  # type: ignore[union-attr]
