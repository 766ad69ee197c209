"""Which weights are trained and which exported: averages, the best by held-out loss, frozen blocks."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from safetensors.torch import load_file
from tiny import PHASE, STUDENT, TOKENS, WEIGHT, planted  # type: ignore[import-not-found]

from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.recipe import StudentTable
from pipeline.stages.student import stage
from pipeline.stages.student.passes import Passes
from pipeline.stages.student.stage import train
from pipeline.stages.student.summary import TrainingSummary
from pipeline.training.average import Average, TowardsBase, used
from pipeline.training.optimizer import clipped_step, gradient_norm, make_optimizer


class Killed(Exception):
    """Stands for the process' death."""


def run(
    corpus: Path, out: Path, student: StudentTable, fatal: int | None = None, **more: Any
) -> tuple[TrainingSummary, list[dict[str, Any]]]:
    """Train; die after step `fatal`, before anything that follows it."""
    events: list[dict[str, Any]] = []

    def on_event(event: dict[str, Any]) -> None:
        events.append(event)
        if event["event"] == "train" and event["step"] == fatal:
            raise Killed

    execution = Execution(threads=1, checkpoint_seconds=more.get("checkpoint_seconds", 1e-6))
    summary = train(corpus, student, TOKENS, seed=3, out=out, cache=out, execution=execution, on_event=on_event)
    return summary, events


def changed(**values: Any) -> StudentTable:
    return StudentTable.model_validate({**STUDENT.model_dump(), **values})


def weights(summary: TrainingSummary) -> dict[str, torch.Tensor]:
    return load_file(summary.model / "model.safetensors")  # type: ignore[no-any-return]


def test_an_average_is_the_weighted_mean_of_the_weights() -> None:
    weight = torch.zeros(2, requires_grad=True)
    average = Average([weight], decay=0.15)
    want = torch.zeros(2)
    for value in (1.0, 2.0, 5.0):
        with torch.no_grad():
            weight.fill_(value)
        average.update()
        decay = min(0.15, (1 + average.updates) / (10 + average.updates))
        want = decay * want + (1 - decay) * value
    with average.used():
        torch.testing.assert_close(weight.detach(), want)
    torch.testing.assert_close(weight.detach(), torch.full((2,), 5.0))


@given(share=st.floats(0, 1), values=st.lists(st.floats(-4, 4, width=32), min_size=2, max_size=2))
def test_a_mean_with_the_base_lies_between_and_leaves_the_weights_as_they_are(
    share: float, values: list[float]
) -> None:
    weight = torch.full((3,), values[0], requires_grad=True)
    base = TowardsBase([weight, torch.ones(2)], share)
    assert len(base.base) == 1, "what is not trained is the base's in any case"
    with torch.no_grad():
        weight.fill_(values[1])
    average = Average([weight], decay=0.5)
    with suppress(KeyError), used(average, None, base):
        torch.testing.assert_close(weight.detach(), torch.full((3,), (1 - share) * values[1] + share * values[0]))
        raise KeyError
    assert weight.tolist() == [values[1]] * 3


def test_a_share_of_the_base_is_in_what_is_scored_and_exported(corpus: Path, tmp_path: Path) -> None:
    plain, _ = run(corpus, tmp_path / "plain", STUDENT)
    trained, _ = run(corpus, tmp_path / "trained", changed(init=str(plain.model)))
    mixed, _ = run(corpus, tmp_path / "mixed", changed(init=str(plain.model), base_share=0.25))
    assert mixed.loss == trained.loss
    assert mixed.held_out_loss != trained.held_out_loss
    torch.testing.assert_close(
        weights(mixed)[WEIGHT], 0.75 * weights(trained)[WEIGHT] + 0.25 * weights(plain)[WEIGHT], rtol=1e-5, atol=1e-7
    )


def test_a_share_of_the_base_needs_one() -> None:
    with pytest.raises(
        ValueError, match=r"base_share = 0\.5 mixes in .* init = 'scratch' has none; set init to a model"
    ):
        changed(base_share=0.5)


def test_the_average_is_what_is_scored_and_exported(corpus: Path, tmp_path: Path) -> None:
    plain, _ = run(corpus, tmp_path / "plain", STUDENT)
    averaged, _ = run(corpus, tmp_path / "averaged", changed(ema=0.9))
    assert averaged.loss == plain.loss
    assert averaged.held_out_loss != plain.held_out_loss
    assert not torch.equal(weights(plain)[WEIGHT], weights(averaged)[WEIGHT])


@pytest.mark.parametrize(("keep", "exported"), [("best", 2), ("last", 4)])
def test_the_best_weights_are_exported_where_training_ends_badly(
    keep: str, exported: int, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two that are equally good the first is the best; a measurement that is due at the last step is made once."""
    phase = PHASE.model_copy(update={"steps": 12})
    student = changed(phases=(phase,), keep=keep, held_out_steps=3, held_out=0.2)
    made = planted(monkeypatch, 9.0, 3.0, 1.0, 1.0, 2.0)
    summary, events = run(corpus, tmp_path, student)
    measured = {e["step"]: e["held_out_loss"] for e in events if e["event"] == "held-out"}
    assert measured == {3: 3.0, 6: 1.0, 9: 1.0, 12: 2.0}
    assert [e["step"] for e in events if e["event"] == "best"] == ([6] if keep == "best" else [])
    assert (summary.held_out_loss_before, summary.held_out_loss) == (9.0, made.losses[exported])
    same = [torch.equal(weights(summary)[WEIGHT], seen) for seen in made.weights]
    assert same == [number == exported for number in range(5)]


def test_the_loss_by_kind_is_of_the_weights_that_are_exported(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was trained last is in place again afterwards, for the checkpoint of a failed export."""
    seen: list[torch.Tensor] = []
    measured, finished = Passes.held_out_by_kind, stage._Run._finish

    def measuring(self: Passes, rows: Any) -> Any:
        seen.append(self.objective.model.get_parameter(WEIGHT).detach().clone())
        return measured(self, rows)

    def finishing(self: Any) -> None:
        seen.append(self.model.get_parameter(WEIGHT).detach().clone())
        finished(self)

    monkeypatch.setattr(Passes, "held_out_by_kind", measuring)
    monkeypatch.setattr(stage._Run, "_finish", finishing)
    made = planted(monkeypatch, 9.0, 1.0, 2.0)
    phase = PHASE.model_copy(update={"steps": 4})
    summary, _ = run(corpus, tmp_path, changed(phases=(phase,), keep="best", held_out_steps=2, held_out=0.2))
    exported = weights(summary)[WEIGHT]
    assert [torch.equal(exported, weight) for weight in made.weights] == [False, True, False]
    assert torch.equal(seen[0], exported)
    assert torch.equal(seen[1], made.weights[2])
    assert summary.held_out_by_kind.keys() == {"exercises", "passages"}


def test_best_of_the_last_phase_only(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pretrain phase that fits better than what follows it is not what a fine-tune exports."""
    phases = [PHASE.model_copy(update={"name": name, "steps": 4}) for name in ("pretrain", "fine-tune")]
    student = changed(phases=phases, keep="best", held_out_steps=2, held_out=0.2)
    made = planted(monkeypatch, 9.0, 0.5, 0.25, 2.0, 3.0)
    summary, events = run(corpus, tmp_path, student)
    [chosen] = [e for e in events if e["event"] == "best"]
    assert (chosen["step"], chosen["held_out_loss"], summary.held_out_loss) == (6, 2.0, 2.0)
    assert torch.equal(weights(summary)[WEIGHT], made.weights[3])


def test_best_without_a_measurement_is_refused() -> None:
    with pytest.raises(ValidationError, match="keep = 'best' needs held_out_steps and held_out above 0"):
        changed(keep="best")


@pytest.mark.parametrize("base_share", [0.0, 0.3])
def test_a_resumed_run_with_averages_and_best_is_the_uninterrupted_one(
    base_share: float, corpus: Path, tmp_path: Path, llama: Path
) -> None:
    base = {"init": str(llama), "base_share": base_share} if base_share else {}
    student = changed(ema=0.8, keep="best", held_out_steps=2, held_out=0.2, dropout=0.1, **base)
    whole, _ = run(corpus, tmp_path / "whole", student)
    for fatal in (4, whole.steps // 2, None):
        try:
            resumed, events = run(corpus, tmp_path / "killed", student, fatal)
        except Killed:
            torch.rand(3)
    assert "resume" in [event["event"] for event in events]
    assert resumed.held_out_loss == whole.held_out_loss
    ours, theirs = weights(resumed), weights(whole)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("init", ["scratch", "llama"])
def test_frozen_blocks_keep_their_weights_and_the_others_learn(
    init: str, corpus: Path, tmp_path: Path, llama: Path
) -> None:
    student = changed(init=str(llama) if init == "llama" else "scratch", frozen_layers=1)
    start, _ = run(corpus, tmp_path / "start", student.model_copy(update={"phases": (_still(),)}))
    summary, _ = run(corpus, tmp_path / "run", student)
    before, after = weights(start), weights(summary)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert not any(name.startswith("model.layers.0.") for name in moved)
    assert any(name.startswith("model.layers.1.") for name in moved)
    assert summary.held_out_loss is not None
    assert summary.held_out_loss < (summary.held_out_loss_before or 0)


def _still() -> Any:
    return PHASE.model_copy(update={"lr": 1e-30, "steps": 1, "weight_decay": 0.0})


def test_more_frozen_blocks_than_there_are_is_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"'student.frozen_layers' should be less than the 4 blocks .* got 4"):
        run(corpus, tmp_path, changed(frozen_layers=4))


@pytest.mark.parametrize("clip", [0.0, 0.5, 1e9])
def test_a_clipped_step_is_that_of_clipped_gradients(clip: float) -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Linear(5, 3) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    optimizers = [make_optimizer(model) for model in (ours, theirs)]
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for _ in range(3):
        x = torch.randn(7, 5)
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = 0.1
            optimizer.zero_grad()
            model(x).square().sum().backward()
        norm = gradient_norm(optimizers[0])
        assert norm > 0.5
        want = torch.nn.utils.clip_grad_norm_(theirs.parameters(), clip or float("inf"))
        assert norm == pytest.approx(float(want))
        clipped_step(optimizers[0], norm, clip, scaler)
        optimizers[1].step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
