from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.benchmarks.problems import ProblemSet, data_digest
from pipeline.core.records import Problem, Score
from pipeline.stages.scores.results import Result, summarise
from pipeline.stages.scores.statistics import pass_at_k


def problem(number: int, group: str = "") -> Problem:
    return Problem(benchmark="b", task_id=f"T/{number}", prompt="p", entry_point="f", test=str(number), group=group)


def problem_set(*problems: Problem) -> ProblemSet:
    return ProblemSet("b", data_digest(problems), "here", problems)


def score(of: Problem, passed: bool | None, number: int = 0) -> Score:
    return Score(
        sample_id=f"{of.task_id} {number} {passed}",
        problem_id=of.id,
        benchmark="b",
        task_id=of.task_id,
        model="m",
        group=of.group,
        number=number,
        passed=passed,
        verdict={True: "passed", False: "failed", None: "infrastructure"}[passed],
        detail="d",
    )


ONE, TWO, THREE = problem(1), problem(2), problem(3)


def test_problems_without_a_sample_are_unscored_and_the_result_is_partial() -> None:
    result = summarise([score(ONE, True)], problem_set(ONE, TWO, THREE))
    assert (result.estimate.problems, result.estimate.scored) == (3, 1)
    assert result.estimate.pass_at_k == {1: 1.0}
    assert result.unscored == {"T/2": "no sample", "T/3": "no sample"}
    assert result.partial == "1 of 3 problems scored"


def test_an_unscored_sample_is_not_counted_as_wrong() -> None:
    result = summarise([score(ONE, True), score(TWO, None), score(THREE, False)], problem_set(ONE, TWO, THREE))
    assert result.estimate.pass_at_k == {1: 0.5}
    assert result.unscored == {"T/2": "infrastructure: d"}
    assert [r["passed"] for r in result.to_json()["results"]] == [True, None, False]


def test_nothing_scored_is_null_not_zero() -> None:
    made = summarise([], problem_set(ONE)).to_json()
    assert made["pass@k"] == {}
    assert made["interval"] is None
    assert made["scored"] == 0


def test_a_k_without_enough_samples_is_left_out_and_said() -> None:
    scores = [score(ONE, n == 0, n) for n in range(3)] + [score(TWO, False, n) for n in range(2)]
    result = summarise(scores, problem_set(ONE, TWO), ks=(1, 2, 3))
    assert set(result.estimate.pass_at_k) == {1, 2}
    assert result.estimate.pass_at_k[2] == pytest.approx(pass_at_k(3, 1, 2) / 2)
    assert result.notes == ("pass@3 needs 3 scored samples a problem; T/2 has 2",)


def test_groups_are_scored_apart() -> None:
    old, new = problem(1, "old"), problem(2, "new")
    result = summarise([score(old, True), score(new, False)], problem_set(old, new))
    assert {name: e.pass_at_k[1] for name, e in result.groups.items()} == {"new": 0.0, "old": 1.0}
    assert {name: e.problems for name, e in result.groups.items()} == {"new": 1, "old": 1}


def test_raw_scores_are_reported_where_they_differ_only() -> None:
    some = problem_set(ONE, TWO)
    scores = [score(ONE, True), score(TWO, True)]
    same = summarise(scores, some, raw_scores=scores)
    differing = summarise(scores, some, raw_scores=[score(ONE, True), score(TWO, False)])
    assert same.raw is None
    assert differing.raw is not None
    assert differing.raw.pass_at_k == {1: 0.5}


def test_scores_of_changed_data_are_refused() -> None:
    with pytest.raises(ValueError, match="other data"):
        summarise([score(replace(ONE, test="changed"), True)], problem_set(ONE))


def test_the_json_has_the_keys_that_programs_rely_on() -> None:
    made = summarise([score(ONE, True)], problem_set(ONE)).to_json()
    assert {"benchmark", "data_digest", "problems", "scored", "pass@k", "interval", "results"} <= made.keys()
    assert made["pass@k"] == {"1": 1.0}
    assert made["results"] == [
        {"task_id": "T/1", "passed": True, "verdict": "passed", "detail": "d", "judged": "", "number": 0}
    ]
    low, high = made["interval"]
    assert 0 < low < high <= 1


@given(st.lists(st.lists(st.sampled_from([True, False, None]), max_size=4), min_size=1, max_size=6))
def test_problems_are_scored_or_unscored_and_pass_at_1_is_the_mean_of_means(outcomes: list[list[bool | None]]) -> None:
    problems = [problem(number) for number in range(len(outcomes))]
    scores = [score(p, passed, n) for p, many in zip(problems, outcomes, strict=True) for n, passed in enumerate(many)]
    result: Result = summarise(scores, problem_set(*problems))
    assert result.estimate.scored + len(result.unscored) == len(problems)
    means = [sum(map(bool, kept)) / len(kept) for many in outcomes if (kept := [p for p in many if p is not None])]
    if means:
        assert result.estimate.pass_at_k[1] == pytest.approx(sum(means) / len(means))


def test_the_text_names_the_numbers_and_what_limits_them() -> None:
    text = summarise([score(ONE, True), score(TWO, None)], problem_set(ONE, TWO, THREE), ks=(1, 2)).to_text()
    assert text.startswith("b: pass@1 100.0% [")
    assert "1 of 3 problems" in text
    assert "PARTIAL: 1 of 3 problems scored; the rest is unscored, not wrong" in text
    assert "samples: 1 passed, 1 infrastructure" in text
    assert "note: pass@2 needs 2 scored samples a problem" in text
    assert "nothing" not in text
    assert summarise([], problem_set(ONE)).to_text().startswith("b: 0 of 1 problems")
