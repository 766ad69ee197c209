"""A teacher in the loop: the same loss as targets on disk, and the student's own samples scored."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from distilled import PASSAGES, STUDENT, TOKENIZER, TOKENS  # type: ignore[import-not-found]
from torch.nn import functional

from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.models.architectures import build
from pipeline.models.loading import LoadedModel
from pipeline.recipe import SoftTargetsTable, TokensTable
from pipeline.stages.soft_targets.stage import write_soft_targets
from pipeline.stages.student import objective
from pipeline.stages.student.batches import IGNORE, Batch, document_rows, micro_batches
from pipeline.stages.student.divergences import DIVERGENCES, soften
from pipeline.stages.student.objective import Objective
from pipeline.stages.student.online import online_loss
from pipeline.stages.student.own_samples import continuations, with_own_samples
from pipeline.stages.student.soft_loss import SoftLoss
from pipeline.stages.student.soft_targets import SoftTargets
from pipeline.stages.student.stage import train
from pipeline.stages.tokens.shards import TokenStore
from pipeline.stages.tokens.tokenizers import train_bpe

EXECUTION = Execution(threads=1)


def model(seed: int, vocabulary: int = len(TOKENIZER)) -> Any:
    torch.manual_seed(seed)
    return build("phi-1-nano", vocabulary=vocabulary, positions=64, dropout=0.0, end=0)


def batches(tokens: Path, size: int = 200) -> list[Batch]:
    store = TokenStore(tokens)
    return list(micro_batches(store, document_rows(store, np.arange(len(store.spans)), TOKENS.sequence_length), size))


def table(**settings: Any) -> SoftTargetsTable:
    return SoftTargetsTable(**{"teacher": "test", "mode": "online", **settings})


def online(tokens: Path, teacher: LoadedModel, **settings: Any) -> Any:
    return online_loss(teacher, table(**settings), TokenStore(tokens), TOKENS)


def loss_of(student: Any, batch: Batch, made: Any, training: bool = True) -> torch.Tensor:
    batch, loss, _ = made.prepare(batch, student)
    return Objective(student)(batch, training=training, loss=loss)


@pytest.mark.parametrize("name", sorted(DIVERGENCES))
def test_online_is_cached_with_the_whole_vocabulary(
    exercises: Path, teacher: LoadedModel, tmp_path: Path, name: str
) -> None:
    cached_table = SoftTargetsTable(teacher="test", top_k=len(TOKENIZER), divergence=name)  # type: ignore[arg-type]
    write_soft_targets(
        exercises, cached_table, TOKENS, out=tmp_path, cache=tmp_path, execution=EXECUTION, teacher=teacher
    )
    cached, live = SoftLoss(SoftTargets(tmp_path), cached_table), online(exercises, teacher, divergence=name)
    student = model(2)
    for batch in batches(exercises):
        first, second = loss_of(student, batch, cached), loss_of(student, batch, live)
        # float16 on disk: 3 digits.
        assert float(first.detach()) == pytest.approx(float(second.detach()), rel=2e-3)
        gradients = []
        for loss in (first, second):
            student.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            gradients.append(torch.cat([p.grad.flatten() for p in student.parameters()]))
        assert float(functional.cosine_similarity(gradients[0], gradients[1], dim=0)) > 0.9999


@pytest.mark.parametrize("name", sorted(DIVERGENCES))
def test_the_teacher_itself_loses_nothing(exercises: Path, teacher: LoadedModel, name: str) -> None:
    made = online(exercises, teacher, alpha=1.0, divergence=name)
    [batch, *_] = batches(exercises)
    assert float(loss_of(teacher.model, batch, made, training=False).detach()) == pytest.approx(0, abs=1e-4)
    assert float(loss_of(model(2), batch, made).detach()) > 1


def test_a_padded_embedding_changes_nothing(exercises: Path, teacher: LoadedModel) -> None:
    """Teacher and student with other numbers of unused entries past the tokenizer's."""
    wide = model(3, vocabulary=len(TOKENIZER) + 20)
    same = LoadedModel(wide, TOKENIZER, {})
    [batch, *_] = batches(exercises)
    made = online(exercises, same, alpha=1.0, temperature=1.0)
    student = model(4)
    with torch.no_grad():
        at = batch.labels >= 0
        theirs = soften(wide(batch.ids).logits[at][:, : len(TOKENIZER)], 1.0)
        ours = soften(student(batch.ids).logits[at], 1.0)
        want = float(DIVERGENCES["forward-kl"](theirs, ours).sum())
    assert float(loss_of(student, batch, made).detach()) == pytest.approx(want, rel=1e-4)
    assert torch.isfinite(loss_of(model(5, len(TOKENIZER) + 64), batch, online(exercises, same)))


@pytest.mark.parametrize("kind", ["cached", "online"])
def test_chunks_bound_the_logits_and_change_nothing(
    exercises: Path, teacher: LoadedModel, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "cached":
        soft = SoftTargetsTable(teacher="test", top_k=8)
        write_soft_targets(exercises, soft, TOKENS, out=tmp_path, cache=tmp_path, execution=EXECUTION, teacher=teacher)
        made: Any = SoftLoss(SoftTargets(tmp_path), soft)
    else:
        made = online(exercises, teacher)
    student = model(2)
    [batch, *_] = batches(exercises, 2000)
    whole = loss_of(student, batch, made)
    whole.backward()  # type: ignore[no-untyped-call]
    want = [p.grad.clone() for p in student.parameters()]
    largest = []
    head = Objective.head

    def measured(self: Objective, x: torch.Tensor) -> torch.Tensor:
        largest.append(len(x))
        return head(self, x)

    monkeypatch.setattr(Objective, "head", measured)
    monkeypatch.setattr(objective, "CHUNK_LOGITS", 70 * len(TOKENIZER))
    student.zero_grad()
    chunked = loss_of(student, batch, made)
    chunked.backward()  # type: ignore[no-untyped-call]
    assert max(largest) == 70 < int((batch.labels >= 0).sum())
    assert float(chunked.detach()) == pytest.approx(float(whole.detach()), rel=1e-5)
    for parameter, gradient in zip(student.parameters(), want, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-5)


def test_own_samples_keep_the_prompt_and_weigh_as_the_text_did(exercises: Path) -> None:
    student = model(2)
    student.train()
    for batch in batches(exercises):
        torch.manual_seed(0)
        sampled = with_own_samples(
            batch, student, share=1.0, new_tokens=9, length=TOKENS.sequence_length, vocabulary=300, end=0
        )
        assert student.training
        for row in range(len(batch.ids)):
            labels, ours = batch.labels[row] != IGNORE, sampled.batch.labels[row] != IGNORE
            first = int(labels.int().argmax())
            assert bool(sampled.own[row]) == (first > 0)
            if not first:
                width = batch.ids.shape[1]
                assert torch.equal(sampled.batch.ids[row, :width], batch.ids[row])
                continue
            assert torch.equal(sampled.batch.ids[row, : first + 1], batch.ids[row, : first + 1])
            assert int(ours.int().argmax()) == first
            assert 1 <= int(ours.sum()) <= 9
            assert float(sampled.weights[row]) * int(ours.sum()) == pytest.approx(int(labels.sum()))
            places = ours.nonzero()[:, 0]
            assert torch.equal(sampled.batch.labels[row, places], sampled.batch.ids[row, places + 1])
        assert sampled.batch.ids.shape[1] <= TOKENS.sequence_length


def test_samples_come_from_the_students_own_distribution() -> None:
    """Frequencies of the first token over many samples of one prompt."""
    student = model(2)
    prompt = TOKENIZER.encode("def f")
    with torch.no_grad():
        want = student(torch.tensor([prompt])).logits[0, -1].softmax(-1)
    drawn = continuations(student, [prompt] * 4000, [1] * 4000, vocabulary=len(TOKENIZER), end=0, seed=1)
    counts = torch.bincount(torch.tensor([answer[0] for answer in drawn]), minlength=len(want)) / 4000
    assert float((counts - want).abs().sum() / 2) < 0.15
    again = continuations(student, [prompt] * 4000, [1] * 4000, vocabulary=len(TOKENIZER), end=0, seed=1)
    assert drawn == again


def test_on_text_and_on_samples_the_mixture_is_the_stated_one(exercises: Path, teacher: LoadedModel) -> None:
    """With every row its own sample there are no hard labels, so alpha has no say."""
    student = model(2)
    only = [batch for batch in batches(exercises, 24) if int((batch.labels != IGNORE).int().argmax(-1).min()) > 0]
    losses = []
    for alpha in (0.0, 1.0):
        torch.manual_seed(5)
        losses.append(float(loss_of(student, only[0], online(exercises, teacher, alpha=alpha, on_policy=1.0)).detach()))
    assert losses[0] == losses[1] > 0


def test_on_policy_training_goes_on_where_it_was_killed(
    exercises: Path, teacher: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Samples come from the checkpoint's random state: the resumed student is the uninterrupted one, bit for bit."""
    loss = online(exercises, teacher, on_policy=0.5, max_new_tokens=8, alpha=0.7)

    def trained(out: Path, execution: Execution = EXECUTION, stop_at: int = 0) -> dict[str, torch.Tensor]:
        def watch(event: dict[str, Any]) -> None:
            if event["event"] == "train" and event["step"] == stop_at:
                raise KeyboardInterrupt

        summary = train(
            exercises, STUDENT, TOKENS, seed=1, out=out, cache=out, execution=execution, loss=loss, on_event=watch
        )
        from safetensors.torch import load_file

        return load_file(summary.model / "model.safetensors")

    whole = trained(tmp_path / "whole")
    often = Execution(threads=1, checkpoint_seconds=1e-6)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "killed", often, stop_at=4)
    resumed = trained(tmp_path / "killed", often)
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_another_tokenizer_is_refused(exercises: Path, teacher: LoadedModel) -> None:
    other = LoadedModel(teacher.model, train_bpe([d.text for d in PASSAGES], 280), {})
    with pytest.raises(RecipeError, match=r"another tokenizer \(280 entries\) than the tokens \(300\).*") as caught:
        online(exercises, other)
    assert "distils sequences" in str(caught.value)


def test_a_teacher_narrower_than_its_tokenizer_is_refused(exercises: Path) -> None:
    with pytest.raises(RecipeError, match="has 256 entries in its vocabulary, the tokens have 300"):
        online(exercises, LoadedModel(model(1, vocabulary=256), TOKENIZER, {}))


def test_without_the_document_mask_the_teacher_sees_what_the_student_sees(
    exercises: Path, teacher: LoadedModel
) -> None:
    unmasked = TokensTable(sequence_length=24, mask_documents=False)
    made = online_loss(teacher, table(alpha=1.0), TokenStore(exercises), unmasked)
    [batch, *_] = batches(exercises)
    assert float(loss_of(teacher.model, batch, made, training=False).detach()) == pytest.approx(0, abs=1e-4)
