"""Students of other architectures, and trainings that end badly: what is measured, refused and kept."""

import errno
from pathlib import Path
from typing import Any

import models_made  # type: ignore[import-not-found]
import pytest
import torch
from tiny import TOKENS, documents  # type: ignore[import-not-found]

from pipeline.core.errors import DiskFull, RecipeError
from pipeline.execution import Execution
from pipeline.languages.python.stopping import end_tokens
from pipeline.models.loading import load, save
from pipeline.recipe import PhaseTable, StudentTable
from pipeline.stages.student import stage as loop
from pipeline.stages.student.batches import Loader
from pipeline.stages.student.stage import train
from pipeline.stages.tokens.shards import TokenStore
from pipeline.stages.tokens.stage import pack
from pipeline.stages.tokens.tokenizers import train_bpe
from pipeline.training import checkpoint

LIMITS = TOKENS.model_copy(update={"tokenizer": "student", "sequence_length": 32})
EXECUTION = Execution(threads=1)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tokens")
    tokenizer = train_bpe([document.text for document in documents()], 320)
    student = StudentTable(held_out=0.2)
    pack(documents(), table=LIMITS, student=student, seed=0, out=out, cache=out, tokenizer=tokenizer)
    return out


def student_of(packed: Path, kind: str, out: Path, *, steps: int = 2, **further: Any) -> StudentTable:
    """A student of that architecture, with the tokens' tokenizer, that trains a few steps."""
    tokenizer = load_tokenizer_of(packed)
    save(models_made.model(kind, len(tokenizer), **further), tokenizer, out / kind)
    phase = PhaseTable(steps=steps, batch=2, lr=1e-3, warmup_steps=0)
    return StudentTable(init=str(out / kind), phases=(phase,), held_out=0.2)


def load_tokenizer_of(packed: Path) -> Any:
    from pipeline.models.loading import load_tokenizer

    return load_tokenizer(str(TokenStore(packed).tokenizer_folder))


@pytest.mark.parametrize("kind", ["bloom", "gemma2", "gpt_neo", "mpt", "xglm"])
def test_an_architecture_without_fast_attention_is_trained_and_exported(
    kind: str, packed: Path, tmp_path: Path
) -> None:
    student = student_of(packed, kind, tmp_path)
    summary = train(packed, student, LIMITS, seed=1, out=tmp_path / "out", cache=tmp_path, execution=EXECUTION)
    assert summary.steps == 2
    exported = load(str(summary.model), cache=tmp_path)
    before = load(student.init, cache=tmp_path).model.state_dict()
    after = exported.model.state_dict()
    assert before.keys() == after.keys()
    assert any(not torch.equal(after[name], weight) for name, weight in before.items())


DROPOUTS = {"attn_pdrop": 0.5, "embd_pdrop": 0.5, "resid_pdrop": 0.5}


def test_the_held_out_loss_has_no_dropout_and_draws_nothing(packed: Path, tmp_path: Path) -> None:
    """GPT-2 has dropout and no lean forward. Measured twice it is the same, and measuring changes no weight."""
    student = student_of(packed, "gpt2", tmp_path, steps=4, **DROPOUTS)
    weights, losses = [], []
    for every in (0, 1):
        measured = student.model_copy(update={"held_out_steps": every})
        events: list[dict[str, Any]] = []
        out = tmp_path / f"every-{every}"
        summary = train(
            packed, measured, LIMITS, seed=1, out=out, cache=tmp_path, execution=EXECUTION, on_event=events.append
        )
        weights.append(load(str(summary.model), cache=tmp_path).model.state_dict())
        losses.append([event["loss"] for event in events if event["event"] == "train"])
        without = load(student.init, cache=tmp_path).model.eval()
        assert summary.held_out_loss_before == pytest.approx(loss_of(without, packed), abs=1e-4)
    assert losses[0] == losses[1]
    assert all(torch.equal(weights[1][name], weight) for name, weight in weights[0].items())


@torch.no_grad()
def loss_of(model: Any, packed: Path) -> float:
    """The held-out loss by transformers' own forward."""
    from pipeline.stages.student.batches import collate, held_out_rows

    store = TokenStore(packed)
    total, labels = 0.0, 0
    for row in held_out_rows(store, LIMITS.sequence_length, loop.HELD_OUT_ROWS):
        batch = collate(store, [row])
        logits = model(batch.ids).logits
        total += float(torch.nn.functional.cross_entropy(logits[0], batch.labels[0], reduction="sum"))
        labels += int((batch.labels >= 0).sum())
    return total / labels


def test_a_phase_without_a_step_is_an_error(packed: Path) -> None:
    phase = PhaseTable(name="short", epochs=1e-6)
    with pytest.raises(RecipeError, match="phase 'short' has no step: 1e-06 epochs of its .* documents are less than"):
        Loader(TokenStore(packed), phase, sequence_length=32, mask_documents=True, seed=0)
    with pytest.raises(ValueError, match="at least 1 item"):
        StudentTable(phases=())


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def safetensors_full(*_: Any, **__: Any) -> None:
    from safetensors import SafetensorError

    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize("fails", [full, safetensors_full])
def test_a_full_disk_at_the_export_loses_no_training(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: Any
) -> None:
    student = student_of(packed, "llama", tmp_path, steps=3)
    settings: dict[str, Any] = {"seed": 1, "cache": tmp_path, "execution": EXECUTION}
    whole = train(packed, student, LIMITS, out=tmp_path / "whole", **settings)
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(loop, "save", fails)
        with pytest.raises(DiskFull, match="no space left for the trained model of step 3"):
            train(packed, student, LIMITS, out=out, **settings)
    assert not (out / "model").exists()
    assert not (out / ".model").exists()
    assert [one.name for one in sorted((out / "checkpoints").glob("step-*"))] == ["step-00000003"]
    events: list[dict[str, Any]] = []
    again = train(packed, student, LIMITS, out=out, on_event=events.append, **settings)
    assert not [event for event in events if event["event"] == "train"]
    ours, theirs = (load(str(one.model), cache=tmp_path).model.state_dict() for one in (again, whole))
    assert all(torch.equal(ours[name], weight) for name, weight in theirs.items())
    assert not (out / "checkpoints").exists()


def test_an_older_checkpoint_gives_way_to_the_export(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    student = student_of(packed, "llama", tmp_path, steps=3)
    out, real = tmp_path / "out", save

    def while_there_are_two(*arguments: Any) -> None:
        if len(list((out / "checkpoints").glob("step-*"))) > 1:
            full()
        real(*arguments)

    monkeypatch.setattr(loop, "save", while_there_are_two)
    execution = EXECUTION.model_copy(update={"checkpoint_seconds": 1e-9})
    summary = train(packed, student, LIMITS, seed=1, out=out, cache=tmp_path, execution=execution)
    assert (summary.model / "model.safetensors").is_file()


def test_any_error_at_the_export_leaves_the_training(
    packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(loop, "save", broken)
    student = student_of(packed, "llama", tmp_path)
    with pytest.raises(PermissionError):
        train(packed, student, LIMITS, seed=1, out=tmp_path / "out", cache=tmp_path, execution=EXECUTION)
    assert list((tmp_path / "out" / "checkpoints").glob("step-00000002"))


def test_a_student_ends_as_its_documents_do(packed: Path, tmp_path: Path) -> None:
    """Whatever else ended the model that it began as."""
    student = student_of(packed, "llama", tmp_path)
    init = Path(student.init)
    for name in ("config.json", "generation_config.json"):
        text = (init / name).read_text(encoding="utf-8")
        (init / name).write_text(text.replace('"eos_token_id": 0', '"eos_token_id": 7'), encoding="utf-8")
    summary = train(packed, student, LIMITS, seed=1, out=tmp_path / "out", cache=tmp_path, execution=EXECUTION)
    exported = load(str(summary.model), cache=tmp_path)
    assert exported.model.generation_config.eos_token_id == [7, 0]
    assert {0, 7} <= end_tokens(exported.model, exported.tokenizer)


def test_the_newest_checkpoint_is_the_one_that_stays(tmp_path: Path) -> None:
    for step in (1, 2):
        checkpoint.write(tmp_path, step, {}, "settings")
    assert checkpoint.drop_older(tmp_path) == 1
    assert [one.name for one in tmp_path.glob("step-*")] == ["step-00000002"]
