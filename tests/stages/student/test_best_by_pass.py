"""The best checkpoint by pass@1: answers of the corpus' own held-out exercises, run in the sandbox."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file
from tiny import PHASE, STUDENT, TOKENS, WEIGHT, planted  # type: ignore[import-not-found]

from pipeline.core.errors import RecipeError, StoreFormatError, TrainingError
from pipeline.core.records import Document, Exercise
from pipeline.execution import Execution
from pipeline.models.loading import LoadedModel, load
from pipeline.recipe import Recipe, StudentTable, ValidatedTable
from pipeline.stages.student import held_out_judge as exercises
from pipeline.stages.student.held_out_judge import HeldOutExercises, judge_of
from pipeline.stages.student.initial import refuse_unsharded
from pipeline.stages.student.selection import Candidate, Judge, Solved
from pipeline.stages.student.stage import train
from pipeline.stages.student.summary import TrainingSummary
from pipeline.stages.tokens.shards import TokenStore
from pipeline.stages.tokens.stage import pack

EXECUTION = Execution(threads=1, workers=1, checkpoint_seconds=1e-6)
ANSWER = "    return x + 1\n"
LEARNT = StudentTable.model_validate(
    {
        **STUDENT.model_dump(),
        "keep": "best-pass@1",
        "held_out_steps": 4,
        "held_out": 0.2,
        "phases": [PHASE.model_copy(update={"epochs": 3, "batch": 8})],
    }
)


def exercise(number: int, test: str = "assert f{n}(1) == 2") -> Exercise:
    return Exercise(
        prompt=f"def f{number}(x):\n",
        solution=ANSWER,
        entry_point=f"f{number}",
        test=test.format(n=number),
        test_owner="seed",
    )


def packed(documents: list[Document], out: Path) -> TokenStore:
    pack(documents, table=TOKENS, student=LEARNT, seed=0, out=out, cache=out)
    return TokenStore(out)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """Exercises that all have one answer, of which some are held out, and one held-out exercise without a test."""
    return packed(
        [exercise(n) for n in range(60)] + [exercise(n, "") for n in range(60, 90)], tmp_path_factory.mktemp("t")
    )


class Killed(Exception):
    """Stands for the process' death."""


def run(
    store: TokenStore, out: Path, judge: Judge | None, student: StudentTable = LEARNT, fatal: int = 0
) -> tuple[TrainingSummary, list[dict[str, Any]]]:
    """Train; die after step `fatal`, before what it is measured for."""
    events: list[dict[str, Any]] = []

    def on_event(event: dict[str, Any]) -> None:
        events.append(event)
        if event["event"] == "train" and event["step"] == fatal:
            raise Killed

    summary = train(
        store.folder, student, TOKENS, seed=3, out=out, cache=out, execution=EXECUTION, on_event=on_event, judge=judge
    )
    return summary, events


def by_digest(model: LoadedModel, weights: str, journal: Path) -> Solved:
    """As many solved as the weights' digest says: the same for the same weights alone."""
    return Solved(int(weights[:8], 16) % 5, 4)


def measured(events: list[dict[str, Any]]) -> dict[int, Candidate]:
    found = [event for event in events if event["event"] == "held-out"]
    return {e["step"]: Candidate(e["step"], e["held_out_loss"], e.get("held_out_pass_rate")) for e in found}


def test_held_out_exercises_with_tests_are_packed_by_id_and_no_other(store: TokenStore) -> None:
    held_out = {store.spans.document_id[n] for n in store.spans.held_out.nonzero()[0]}
    with_tests = {exercise(n).id for n in range(60)}
    ids = [problem.task_id for problem in store.problems]
    assert ids == sorted(held_out & with_tests)
    assert 0 < len(ids) < len(held_out)
    assert all(p.canonical_solution == ANSWER and p.test == f"assert {p.entry_point}(1) == 2" for p in store.problems)


def test_what_was_learnt_is_solved_in_the_sandbox(store: TokenStore, tmp_path: Path) -> None:
    """A student that cannot move solves none, for its weights are random; one that has read one answer solves all."""
    judge = judge_of(store, Recipe(student=LEARNT), EXECUTION)
    assert judge is not None
    for rate, solved in ((1e-30, 0.0), (3e-3, 1.0)):
        phase = PHASE.model_copy(update={"batch": 8, "lr": rate, "warmup_steps": 0, "steps": 8})
        student = LEARNT.model_copy(update={"phases": (phase,)})
        summary, events = run(store, tmp_path / str(rate), judge, student)
        assert [candidate.pass_rate for candidate in measured(events).values()] == [solved, solved]
        assert summary.held_out_pass_rate == solved
    model = load(str(summary.model), cache=tmp_path)
    (tmp_path / "again").mkdir()
    assert judge(model, "exported", tmp_path / "again") == Solved(len(store.problems), len(store.problems))


def test_the_most_solved_are_exported_and_of_equals_the_one_with_less_loss(
    store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    solved = iter((1, 2, 2, 0))
    made = planted(monkeypatch, 9.0, 1.0, 3.0, 2.0, 0.5)
    student = LEARNT.model_copy(update={"phases": (PHASE.model_copy(update={"steps": 16}),)})
    summary, events = run(store, tmp_path, lambda *_: Solved(next(solved), 4), student)
    found = measured(events)
    assert list(found.values()) == [(4, 1.0, 0.25), (8, 3.0, 0.5), (12, 2.0, 0.5), (16, 0.5, 0.0)]
    [best] = [event for event in events if event["event"] == "best"]
    assert (best["step"], summary.held_out_loss, summary.held_out_pass_rate) == (12, 2.0, 0.5)
    assert torch.equal(load_file(summary.model / "model.safetensors")[WEIGHT], made.weights[3])
    assert Candidate(8, 2.0, 0.5).better(Candidate(4, 1.0, 0.25))
    assert Candidate(8, 1.0, 0.5).better(Candidate(4, 2.0, 0.5))
    assert not Candidate(8, 2.0, 0.5).better(Candidate(4, 2.0, 0.5))


def test_a_killed_run_exports_the_same_weights(store: TokenStore, tmp_path: Path) -> None:
    """Killed right before a measurement of the last phase, and right after one."""
    student = LEARNT.model_copy(
        update={"phases": (PHASE, PHASE.model_copy(update={"name": "second", "epochs": 2})), "dropout": 0.1}
    )
    whole, events = run(store, tmp_path / "whole", by_digest, student)
    last = {step: c for step, c in measured(events).items() if c.pass_rate is not None}
    assert min(last) > min(measured(events))  # the first phase is not chosen from, and so not asked
    for fatal in (min(last), min(last) + 1, 0):
        try:
            resumed, again = run(store, tmp_path / "killed", by_digest, student, fatal)
        except Killed:
            torch.rand(5)
    assert "resume" in [event["event"] for event in again]
    assert (resumed.held_out_loss, resumed.held_out_pass_rate) == (whole.held_out_loss, whole.held_out_pass_rate)
    ours, theirs = (load_file(s.model / "model.safetensors") for s in (resumed, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_answers_and_scores_of_the_same_weights_are_not_made_again(
    store: TokenStore, tmp_path: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(str(llama), cache=tmp_path)
    judge = HeldOutExercises(store.problems[:4], ValidatedTable(), EXECUTION)
    first = judge(model, "one", tmp_path)
    assert first == Solved(0, 4)
    with (tmp_path / exercises.SCORES).open("a") as file:
        file.write('{"key": "torn')
    monkeypatch.setattr(exercises, "sample", None)
    assert judge(model, "one", tmp_path) == first
    with pytest.raises(TypeError):
        judge(model, "other weights", tmp_path)


def test_nothing_to_choose_by_is_refused(tmp_path: Path, store: TokenStore) -> None:
    untested = packed([exercise(n, "") for n in range(40)], tmp_path / "untested")
    with pytest.raises(
        RecipeError, match=r"needs held-out exercises with tests, but none of the \d+ held-out .* = 0.2"
    ):
        judge_of(untested, Recipe(student=LEARNT), EXECUTION)
    with pytest.raises(ValidationError, match="keep = 'best-pass@1' needs held_out_steps and held_out above 0"):
        StudentTable(keep="best-pass@1")
    with pytest.raises(RecipeError, match=r"best-pass@1' needs whole weights .* got execution.parallel = 'fsdp'"):
        refuse_unsharded(LEARNT)
    with pytest.raises(ValueError, match="there is no judge"):
        run(store, tmp_path, None)
    (untested.folder / "held-out.jsonl").unlink()
    with pytest.raises(StoreFormatError, match="has no held-out.jsonl"):
        judge_of(TokenStore(untested.folder), Recipe(student=LEARNT), EXECUTION)


def test_where_nothing_can_be_scored_training_stops_and_can_go_on(store: TokenStore, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="could score none of the held-out exercises"):
        run(store, tmp_path, lambda model, weights, journal: Solved(0, 0))
    _, events = run(store, tmp_path, by_digest)
    assert "resume" in [event["event"] for event in events]


def test_other_recipes_have_no_judge(store: TokenStore) -> None:
    assert judge_of(store, Recipe(student=LEARNT.model_copy(update={"keep": "best"})), EXECUTION) is None
