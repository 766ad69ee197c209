import pytest

from pipeline.benchmarks.problems import ProblemSet, data_digest
from pipeline.core.records import Problem, Score
from pipeline.evaluation.board import Contestant, board, paired
from pipeline.stages.scores.results import Result, Speed, summarise
from pipeline.stages.scores.splits import split_scores

PROBLEMS = tuple(Problem(benchmark="b", task_id=f"T/{n}", prompt="p", entry_point="f", test=str(n)) for n in range(4))
SET = ProblemSet("b", data_digest(PROBLEMS), "here", PROBLEMS)


def scores(*passed: bool) -> list[Score]:
    return [
        Score(
            sample_id=p.id,
            problem_id=p.id,
            benchmark="b",
            task_id=p.task_id,
            model="m",
            passed=ok,
            verdict="passed" if ok else "failed",
        )
        for p, ok in zip(PROBLEMS, passed, strict=True)
    ]


def result(*passed: bool, tokens: int = 0) -> Result:
    made = summarise(scores(*passed), SET, settings={"max_new_tokens": tokens})
    return Result(**{f: getattr(made, f) for f in made.__slots__} | {"speed": Speed(4, 400, 2.0, 0.01)})


def test_the_board_says_what_share_of_the_teacher_is_kept_and_what_it_costs() -> None:
    teacher = Contestant("teacher", [result(True, True, True, True)], None, None)
    student = Contestant("student", [result(True, True, False, False)], 135_000_000, 540_000_000)
    first, second = board(teacher, [student])
    assert (first.model, first.share, first.paired) == ("teacher", 1.0, None)
    assert (second.share, second.parameters, second.tokens_per_second) == (0.5, 135_000_000, 200.0)
    assert second.usd_per_1000 == pytest.approx(2.5)
    assert second.paired is not None
    assert (second.paired.gained, second.paired.lost) == (0, 2)
    assert second.to_json()["share_of_teacher"] == 0.5


def test_a_teacher_that_solves_nothing_has_no_share() -> None:
    rows = board(Contestant("t", [result(*[False] * 4)]), [Contestant("s", [result(*[True] * 4)])])
    assert [row.share for row in rows] == [None, None]


def test_results_of_other_settings_do_not_stand_side_by_side() -> None:
    with pytest.raises(ValueError, match="differ in settings"):
        board(Contestant("t", [result(*[True] * 4)]), [Contestant("s", [result(*[True] * 4, tokens=5)])])


def test_sampled_scores_are_not_paired() -> None:
    twice = summarise(scores(*[True] * 4) + scores(*[True] * 4), SET)
    assert paired(twice, twice) is None


def test_a_score_splits_into_similar_and_other_problems() -> None:
    verdicts = {f"T/{n}": [passed] for n, passed in enumerate((True, True, False, True))}
    closest = {"T/0": 0.95, "T/1": 1.0, "T/2": 0.8, "T/3": 0.94}
    made = split_scores(verdicts, closest, taus=(0.95, 0.8))
    assert [(one.tau, one.similar.pass_at_k) for one in made] == [(0.95, {1: 1.0}), (0.8, {1: 0.75})]
    assert made[0].others.pass_at_k == {1: 0.5}
    assert made[1].others.problems == 0
    assert made[1].to_json()["non_similar"]["pass@k"] == {}


def test_a_problem_that_was_not_compared_with_the_corpus_is_in_no_split() -> None:
    with pytest.raises(ValueError, match=r"1 problems were not compared with the corpus, among them T/1"):
        split_scores({"T/0": [True], "T/1": [True]}, {"T/0": 0.9})
