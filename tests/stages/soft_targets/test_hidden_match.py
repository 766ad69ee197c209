"""Hidden states matched: 0 iff equal, projected where widths differ, resumed with the projection, never exported."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distilled import STUDENT, TOKENIZER, TOKENS  # type: ignore[import-not-found]
from safetensors.torch import load_file

from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.models.architectures import Shape, build, phi_config
from pipeline.models.loading import LoadedModel, save
from pipeline.recipe import SoftTargetsTable
from pipeline.stages.student.batches import IGNORE, document_rows, micro_batches
from pipeline.stages.student.hidden import HiddenMatch, layer_map
from pipeline.stages.student.initial import refuse_unsharded
from pipeline.stages.student.objective import Objective
from pipeline.stages.student.online import online_loss
from pipeline.stages.student.stage import train
from pipeline.stages.tokens.shards import TokenStore

NARROW = Shape(2, 64, 128, 2, 32, tied=True)


def narrow(seed: int = 3) -> Any:
    """A student of half the teacher's width and blocks."""
    from transformers import PhiForCausalLM

    torch.manual_seed(seed)
    return PhiForCausalLM(phi_config(NARROW, vocabulary=len(TOKENIZER), positions=64, dropout=0.0, end=0))


def same_shape(seed: int = 4) -> Any:
    torch.manual_seed(seed)
    return build("phi-1-nano", vocabulary=len(TOKENIZER), positions=64, dropout=0.0, end=0)


def made(tokens: Path, teacher: LoadedModel, **settings: Any) -> Any:
    table = SoftTargetsTable(**{"teacher": "t", "mode": "online", "hidden_weight": 2.0, **settings})
    return online_loss(teacher, table, TokenStore(tokens), TOKENS)


def batch_of(tokens: Path) -> Any:
    store = TokenStore(tokens)
    [batch, *_] = micro_batches(store, document_rows(store, np.arange(len(store.spans)), TOKENS.sequence_length), 200)
    return batch


def matching(tokens: Path, loss: Any, student: Any) -> float:
    """The hidden part of a batch's loss alone: what is there beside the loss of its logits."""
    loss.learned(student, 0)
    batch, of_logits, match = loss.prepare(batch_of(tokens), student)
    objective = Objective(student)
    with torch.no_grad():
        both = objective(batch, training=False, loss=of_logits, matching=match)
        return float(both - objective(batch, training=False, loss=of_logits))


def test_it_is_zero_if_and_only_if_the_states_are_equal(exercises: Path, teacher: LoadedModel) -> None:
    loss = made(exercises, teacher)
    assert matching(exercises, loss, teacher.model) == pytest.approx(0, abs=1e-3)
    assert matching(exercises, loss, same_shape()) > 1
    nearly = same_shape()
    nearly.load_state_dict(teacher.model.state_dict())
    with torch.no_grad():
        nearly.model.layers[1].mlp.fc2.weight[0] += 0.1
    assert matching(exercises, loss, nearly) > 1e-2


@pytest.mark.parametrize("layers", [(0, 1, 2, 2), (2, 0, 1, 2)])
def test_it_is_the_mean_squared_difference_of_transformers_states(
    exercises: Path, teacher: LoadedModel, layers: tuple[int, ...]
) -> None:
    student, batch = same_shape(), batch_of(exercises)
    at = batch.labels != IGNORE
    with torch.no_grad():
        ours, theirs = (m(batch.ids, output_hidden_states=True).hidden_states for m in (student, teacher.model))
    found = matching(exercises, made(exercises, teacher, hidden_layers=layers), student)
    # transformers' last state has been through the last norm, so that of block 3 is taken from where it is not.
    last: list[torch.Tensor] = []
    hook = student.model.layers[3].register_forward_hook(lambda module, given, out: last.append(out))
    student(batch.ids)
    hook.remove()
    states = [*ours[1:4], last[0][0] if isinstance(last[0], tuple) else last[0]]
    want = sum((states[n][at] - theirs[layer + 1][at]).square().mean(-1).sum() for n, layer in enumerate(layers)) / 4
    assert found == pytest.approx(2.0 * float(want.detach()), rel=1e-3)


def test_other_widths_are_projected_and_the_projection_learns(exercises: Path, teacher: LoadedModel) -> None:
    student, loss = narrow(), made(exercises, teacher)
    match = loss.learned(student, 0)
    assert match.layers == (1, 3)
    assert [tuple(p.shape) for p in match.parameters()] == [(128, 64)] * 2
    batch, of_logits, matched = loss.prepare(batch_of(exercises), student)
    Objective(student)(batch, training=True, loss=of_logits, matching=matched).backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in match.parameters())
    again = HiddenMatch(narrow(), teacher.model, (), 0)
    assert all(torch.equal(a, b) for a, b in zip(match.parameters(), again.parameters(), strict=True))


def test_a_killed_run_goes_on_with_its_projection_and_exports_a_student_alone(
    exercises: Path, teacher: LoadedModel, tmp_path: Path
) -> None:
    save(narrow(), TOKENIZER, tmp_path / "narrow")
    student = STUDENT.model_copy(update={"init": str(tmp_path / "narrow")})
    distances: list[float] = []

    def trained(out: Path, stop_at: int = 0) -> dict[str, torch.Tensor]:
        loss = made(exercises, teacher)

        def watch(event: dict[str, Any]) -> None:
            if event["event"] == "train":
                with torch.no_grad():
                    distances.append(float(sum(p.square().sum() for p in loss.match.parameters())))
                if event["step"] == stop_at:
                    raise KeyboardInterrupt

        execution = Execution(threads=1, checkpoint_seconds=1e-6)
        summary = train(
            exercises, student, TOKENS, seed=1, out=out, cache=out, execution=execution, loss=loss, on_event=watch
        )
        return load_file(summary.model / "model.safetensors")  # type: ignore[no-any-return]

    whole = trained(tmp_path / "whole")
    uninterrupted, distances = distances, []
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", stop_at=4)
    resumed = trained(tmp_path / "killed")
    assert len(set(uninterrupted)) == len(uninterrupted)
    assert distances[-1] == uninterrupted[-1]
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert whole.keys() == load_file(tmp_path / "narrow" / "model.safetensors").keys()


def test_maps() -> None:
    assert layer_map(2, 6) == (2, 5)
    assert layer_map(4, 4) == (0, 1, 2, 3)
    assert layer_map(3, 2) == (0, 0, 1)
    assert layer_map(2, 6, (0, 5)) == (0, 5)
    for wrong in [(0,), (0, 6)]:
        with pytest.raises(RecipeError, match=r"one of the teacher's 6 blocks, .* the student's 2, got \[0") as caught:
            layer_map(2, 6, wrong)
        assert "evenly spaced they are [2, 5]" in str(caught.value)


def test_what_has_no_states_or_no_whole_weights_is_refused(
    exercises: Path, teacher: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecipeError, match=r"hidden_weight = 2.0 needs whole weights"):
        refuse_unsharded(STUDENT, hidden_weight=2.0)
    monkeypatch.setattr("pipeline.models.lean.Lean.knows", staticmethod(lambda model: False))
    with pytest.raises(RecipeError, match=r"hidden_weight' = 2.0 needs .* models, got a teacher that is Phi"):
        made(exercises, teacher).learned(narrow(), 0)
