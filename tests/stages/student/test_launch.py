"""Training in several processes that a run starts: what it asks of torchrun, and what it makes of how they end."""

import json
from pathlib import Path

import pytest
from tiny import STUDENT, TOKENS, Alone  # type: ignore[import-not-found]

from pipeline.core.errors import RecipeError, TrainingError
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_text import load
from pipeline.stages.student import finished, launch
from pipeline.stages.student import job as jobs
from pipeline.stages.student.job import Job
from pipeline.stages.student.stage import train

ENDED = """
============================================================
Failures:
[1]:
  rank      : 0 (local_rank: 0)
  exitcode  : -15 (pid: 11) (SIGTERM)
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  time      : 2026-11-29_17:32:35
  host      : node-1
  rank      : {rank} (local_rank: 1)
  exitcode  : {code} (pid: 12)
  error_file: <N/A>
============================================================
"""


def a_job(folder: Path, corpus: Path, execution: Execution | None = None) -> Job:
    recipe = Recipe(name="tiny", seed=3, student=STUDENT, tokens=TOKENS)
    return Job(
        recipe=recipe, execution=execution or Execution(threads=1), tokens=corpus, out=folder, models=folder / "models"
    )


def test_a_job_is_the_same_after_its_travel(corpus: Path, tmp_path: Path) -> None:
    job = a_job(tmp_path, corpus, Execution(threads=1, processes=2, parallel="fsdp"))
    assert jobs.read(job.write()) == job


@pytest.mark.parametrize("recipe", ["phi-1", "first-run", "tiny"])
def test_every_recipe_can_travel(recipe: str, tmp_path: Path) -> None:
    loaded = load(recipe)
    job = Job(recipe=loaded.recipe, execution=loaded.execution, tokens=tmp_path, out=tmp_path, models=tmp_path)
    assert jobs.read(job.write()) == job


def test_a_run_trains_alone_unless_it_is_told_otherwise() -> None:
    assert not launch.several(Execution())
    assert launch.several(Execution(processes=2))
    assert launch.several(Execution(processes=0))
    assert launch.several(Execution(nodes=2, rendezvous="a:1"))


def test_machines_without_a_place_to_meet_are_refused() -> None:
    for wrong in ("execution.nodes=2", 'execution.rendezvous="node-0"', 'execution.rendezvous="node-0:99999"'):
        with pytest.raises(RecipeError, match="rendezvous"):
            load("tiny", [wrong])


def test_torchrun_is_told_of_this_machine_alone_or_of_all_and_where_they_meet(tmp_path: Path) -> None:
    file = tmp_path / "3f9c.partial" / jobs.FILE
    assert launch._arguments(file, Execution(processes=4)) == ["--standalone", "--nproc-per-node=4"]
    assert launch._arguments(file, Execution(processes=4, nodes=3, rendezvous="node-0:29400")) == [
        "--nnodes=3", "--nproc-per-node=4", "--rdzv-backend=c10d", "--rdzv-endpoint=node-0:29400",
        "--rdzv-id=3f9c.partial",
    ]  # fmt: skip


def test_events_are_followed_line_by_whole_line(tmp_path: Path) -> None:
    path = tmp_path / launch.EVENTS
    new = launch.followed(path)
    assert list(new()) == []
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert [event["step"] for event in new()] == [1, 2]
    with path.open("a") as file:
        file.write('ep": 3}\n')
    assert [event["step"] for event in new()] == [3]
    assert list(new()) == []


def test_a_process_that_a_signal_ended_is_named_with_the_step_to_go_on_from(tmp_path: Path) -> None:
    launch.log_of(tmp_path).write_text(ENDED.format(rank=1, code=-9))
    (tmp_path / "error-0.json").write_text(json.dumps({"kind": "RuntimeError", "message": "closed", "hint": ""}))
    found = launch.failure(tmp_path, 1)
    assert "process 1 of the training was ended by SIGKILL" in found.message
    assert "goes on from its start: there is no checkpoint yet" in found.hint
    (tmp_path / "checkpoints" / "step-00000120").mkdir(parents=True)
    assert "goes on from step 120" in launch.failure(tmp_path, 1).hint


def test_an_error_of_ours_in_a_process_is_the_run_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launch.log_of(tmp_path).write_text(ENDED.format(rank=1, code=1))
    for rank, error in (("0", RuntimeError("connection closed")), ("1", RecipeError("no batch", hint="smaller"))):
        monkeypatch.setenv("RANK", rank)
        launch.confess(tmp_path, error)
    found = launch.failure(tmp_path, 1)
    assert isinstance(found, RecipeError)
    assert (found.message, found.hint) == ("no batch", "smaller")


def test_any_other_error_in_a_process_is_told_with_what_it_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch.log_of(tmp_path).write_text(ENDED.format(rank=2, code=1))
    monkeypatch.setenv("RANK", "2")
    launch.confess(tmp_path, ValueError("no such thing"))
    found = launch.failure(tmp_path, 1)
    assert isinstance(found, TrainingError)
    assert found.message == "process 2 of the training failed: ValueError: no such thing"
    assert str(launch.log_of(tmp_path)) in found.hint


def test_a_finished_training_is_found_and_one_of_other_settings_is_not(
    corpus: Path, alone: Alone, tmp_path: Path
) -> None:
    job = a_job(alone.out, corpus)
    found = finished.read(alone.out, job.settings)
    assert found == alone.summary
    assert finished.read(alone.out, job.model_copy(update={"recipe": Recipe(name="tiny", seed=4)}).settings) is None
    assert finished.read(tmp_path, job.settings) is None
    events: list[object] = []
    again = train(
        corpus, STUDENT, TOKENS, seed=3, out=alone.out, cache=tmp_path, execution=Execution(), on_event=events.append
    )
    assert (again, events) == (alone.summary, [])


def test_the_first_setting_that_differs_is_named_with_both_values() -> None:
    ours = {"seed": 1, "student": {"phases": [{"lr": 0.1}, {"lr": 0.2}]}}
    assert finished.difference(ours, ours) == ""
    theirs = {"seed": 1, "student": {"phases": [{"lr": 0.1}, {"lr": 0.3}]}}
    assert finished.difference(theirs, ours) == "student.phases.1.lr = 0.3 there, 0.2 in the run"
    assert finished.difference(ours | {"seed": 2, "extra": 3}, ours) == "seed = 2 there, 1 in the run"
    assert finished.difference(ours | {"extra": 3}, ours) == "extra = 3 there, null in the run"


@pytest.mark.slow
def test_two_processes_that_a_launch_starts_train_as_one_does(corpus: Path, alone: Alone, tmp_path: Path) -> None:
    """Among the fast tests `hornbook run` launches two (`end_to_end/test_several_processes.py`)."""
    job = a_job(tmp_path, corpus, Execution(threads=1, processes=2))
    events: list[dict[str, object]] = []
    summary = launch.launch(job, events.append)  # type: ignore[arg-type]
    curve = {event["step"]: event["loss"] for event in events if event["event"] == "train"}
    assert curve == pytest.approx(alone.curve, rel=1e-3)
    assert summary.held_out_loss == pytest.approx(alone.summary.held_out_loss, rel=1e-3)
    assert summary.model == tmp_path / "model"
    assert not (tmp_path / jobs.FILE).exists()
