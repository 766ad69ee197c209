"""Rates, comparisons and the sentences that may be said of them."""

from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.benchmarks.problems import ProblemSet, data_digest
from pipeline.core.records import Problem, Score
from pipeline.report.scoring import compare, format_p, model_scores, pools, with_pools
from pipeline.stages.scores.estimates import estimated
from pipeline.stages.scores.results import summarise


def rows(model: str, passed: list[bool | None], benchmark: str = "b") -> list[dict[str, Any]]:
    return [
        {"benchmark": benchmark, "model": model, "problem_id": f"{n:04d}", "task_id": f"b/{n}", "group": "",
         "number": 0, "passed": p, "verdict": "none" if p is None else "pass" if p else "fail"}
        for n, p in enumerate(passed)
    ]  # fmt: skip


def comparison(before: list[bool | None], after: list[bool | None]) -> Any:
    both = rows("before", before) + rows("after", after)
    (found,) = compare(both, model_scores(both, 0, {}), "before", "after")
    return found


def test_a_clear_rise_is_called_one() -> None:
    found = comparison([False] * 40, [True] * 30 + [False] * 10)
    assert (found.claim, found.test.gained, found.test.lost) == ("rise", 30, 0)
    assert found.sentence().startswith("A rise that chance does not explain: 30 gained, 0 lost on 40 problems")


def test_a_clear_fall_is_called_one() -> None:
    assert comparison([True] * 30 + [False] * 10, [False] * 40).claim == "fall"


def test_no_claim_where_chance_could_do_it() -> None:
    found = comparison([True] * 8 + [False] * 156, [True] * 11 + [False] * 153)
    assert found.claim == "none"
    assert "No claim" in found.sentence()


def test_no_claim_where_the_intervals_overlap_though_the_paired_test_is_sure() -> None:
    found = comparison([True] * 20 + [False] * 80, [True] * 30 + [False] * 70)
    assert found.test.p < 0.05
    assert found.overlap
    assert found.claim == "none"
    assert "overlap" in found.sentence()


def test_problems_without_a_score_on_one_side_are_not_compared() -> None:
    found = comparison([None, False, False], [True, None, True])
    assert (found.problems, found.test.gained) == (1, 1)


def test_several_samples_are_compared_by_their_rates() -> None:
    before = [row | {"number": n, "passed": n < 1} for row in rows("before", [True] * 40) for n in range(4)]
    after = [row | {"number": n, "passed": n < 3} for row in rows("after", [True] * 40) for n in range(4)]
    (found,) = compare([*before, *after], model_scores([*before, *after], 0, {}), "before", "after")
    assert (found.test.gained, found.difference.value, found.claim) == (0, pytest.approx(0.5), "rise")
    assert found.sentence().startswith(
        "A rise that chance does not explain: +50.0 points [+50.0, +50.0] on 40 problems"
    )
    assert found.to_json()["p"] == found.difference.p < 0.001


def test_one_answer_a_problem_is_compared_by_counts_alone() -> None:
    found = comparison([False] * 4, [True] * 4)
    assert found.difference is None
    assert found.to_json()["p"] == found.test.p


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["humaneval"], []),
        (["held-out", "humaneval"], []),
        (["mbpp", "humaneval", "held-out"], ["humaneval + mbpp"]),
        (["humaneval", "humaneval+", "mbpp", "mbpp-sanitized"], ["humaneval + mbpp"]),
        (["humaneval", "humaneval+", "mbpp-few-shot", "mbpp+"], ["humaneval + mbpp-few-shot", "humaneval+ + mbpp+"]),
        (["mine.jsonl", "humaneval"], []),
    ],
)
def test_benchmarks_are_pooled_where_no_problem_is_counted_twice(names: list[str], found: list[str]) -> None:
    assert list(pools(names)) == found


def test_a_pool_is_a_benchmark_whose_groups_are_its_parts() -> None:
    one = rows("after", [True, False], "humaneval")
    two = [row | {"problem_id": f"m{row['problem_id']}"} for row in rows("after", [True] * 6, "mbpp")]
    own = rows("after", [True] * 3, "held-out")
    scores = {score.benchmark: score for score in model_scores(with_pools([*own, *one, *two]), 0, {})}
    assert list(scores) == ["held-out", "humaneval", "mbpp", "humaneval + mbpp"]
    pool = scores["humaneval + mbpp"]
    assert (pool.overall.problems, pool.overall.passed) == (8, 7)
    assert {name: part.problems for name, part in pool.groups.items()} == {"humaneval": 2, "mbpp": 6}


def test_nothing_to_compare_is_no_comparison() -> None:
    both = rows("before", [None]) + rows("after", [True])
    assert compare(both, model_scores(both, 0, {}), "before", "after") == []


def test_nothing_scored_is_no_rate() -> None:
    found = estimated([[None], [None, None]], (1,), 0)
    assert (found.problems, found.scored, found.value, found.interval) == (2, 0, None, None)
    assert found.to_json()["pass@1"] is None


def test_several_samples_give_several_k() -> None:
    many = [row | {"number": n, "passed": n == 0} for row in rows("after", [True] * 3) for n in range(5)]
    (found,) = model_scores(many, 0, {})
    assert found.overall.pass_at_k == {1: pytest.approx(0.2), 5: 1.0}


def test_a_benchmark_that_was_not_asked_whole_is_partial() -> None:
    (found,) = model_scores(rows("after", [True] * 4), 0, {"b": 164})
    assert found.partial
    assert found.to_json()["benchmark_problems"] == 164


@given(st.lists(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4), min_size=1, max_size=12))
def test_an_unscored_sample_changes_no_rate(problems: list[list[bool | None]]) -> None:
    without = [[p for p in samples if p is not None] for samples in problems]
    found, wanted = (estimated(each, (1, 2), 0) for each in (problems, [samples for samples in without if samples]))
    assert found == replace(wanted, problems=len(problems))


@given(st.permutations(range(12)), st.integers(0, 2**12 - 1))
def test_the_order_of_the_rows_changes_nothing(order: list[int], bits: int) -> None:
    passed: list[bool | None] = [bool(bits >> n & 1) for n in range(12)]
    both = rows("before", [not p for p in passed]) + rows("after", passed)
    shuffled = [both[n] for n in order] + [both[n + 12] for n in order]
    assert [s.to_json() for s in model_scores(both, 0, {})] == [s.to_json() for s in model_scores(shuffled, 0, {})]


@pytest.mark.parametrize(("p", "text"), [(0.0001, "< 0.001"), (0.0312, "= 0.031"), (0.45, "= 0.45"), (1.0, "= 1.00")])
def test_p_is_written_as_readers_expect(p: float, text: str) -> None:
    assert format_p(p) == text


def test_a_report_and_an_evaluation_say_the_same_of_the_same_samples() -> None:
    problems = tuple(
        Problem(benchmark="b", task_id=f"b/{n}", prompt="", entry_point="f", test=str(n)) for n in range(6)
    )
    passed = [[True, False], [False, False], [None, True], [True, True], [None, None], [False, True]]
    scores = [
        Score(sample_id=f"{p.id} {number}", problem_id=p.id, benchmark="b", task_id=p.task_id, model="after",
              number=number, passed=one, verdict="passed" if one else "failed")
        for p, many in zip(problems, passed, strict=True)
        for number, one in enumerate(many)
    ]  # fmt: skip
    evaluated = summarise(scores, ProblemSet("b", data_digest(problems), "here", problems), ks=(1,)).to_json()
    (reported,) = model_scores([asdict(score) for score in scores], 0, {})
    keys = ("problems", "scored", "passed", "pass@1", "pass@k", "interval", "intervals")
    assert {key: evaluated[key] for key in keys} == {key: reported.to_json()[key] for key in keys}
    assert (evaluated["problems"], evaluated["scored"], evaluated["passed"]) == (6, 5, 3.0)
