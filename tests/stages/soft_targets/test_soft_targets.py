"""Soft targets on disk: the teacher's own distributions, refused for another tokenizer, and trainable."""

from pathlib import Path

import numpy as np
import pytest
import torch
from distilled import PASSAGES, STUDENT, TOKENIZER, TOKENS  # type: ignore[import-not-found]

from pipeline.core.errors import RecipeError, StoreFormatError
from pipeline.execution import Execution
from pipeline.models.architectures import build
from pipeline.models.loading import LoadedModel, save
from pipeline.recipe import SoftTargetsTable
from pipeline.stages.soft_targets.costs import bytes_needed
from pipeline.stages.soft_targets.stage import write_soft_targets
from pipeline.stages.student.batches import document_rows, micro_batches
from pipeline.stages.student.objective import Objective, cross_entropy
from pipeline.stages.student.soft_loss import SoftLoss
from pipeline.stages.student.soft_targets import SoftTargets
from pipeline.stages.student.stage import train
from pipeline.stages.tokens.shards import TokenStore
from pipeline.stages.tokens.stage import pack
from pipeline.stages.tokens.tokenizers import train_bpe

EXECUTION = Execution(threads=1)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tokens")
    pack(PASSAGES, table=TOKENS, student=STUDENT, seed=0, out=out, cache=out, tokenizer=TOKENIZER)
    return out


def write(tokens: Path, teacher: LoadedModel, out: Path, k: int = 300, temperature: float = 2.0) -> SoftTargets:
    table = SoftTargetsTable(teacher="test", top_k=k, temperature=temperature)
    write_soft_targets(tokens, table, TOKENS, out=out, cache=out, execution=EXECUTION, teacher=teacher)
    return SoftTargets(out)


def all_batches(tokens: Path) -> list:  # type: ignore[type-arg]
    store = TokenStore(tokens)
    rows = document_rows(store, np.arange(len(store.spans)), TOKENS.sequence_length)
    return list(micro_batches(store, rows, 200))


def test_the_teacher_loses_nothing_against_its_targets(tokens: Path, teacher: LoadedModel, tmp_path: Path) -> None:
    targets = write(tokens, teacher, tmp_path)
    loss = SoftLoss(targets, SoftTargetsTable(teacher="test", alpha=1.0))
    objective = Objective(teacher.model)
    labels = 0
    with torch.no_grad():
        for batch in all_batches(tokens):
            count = int((batch.labels >= 0).sum())
            # float16 on disk: 3 digits.
            assert float(objective(batch, training=False, loss=loss)) / count < 1e-4
            labels += count
    assert labels == targets.manifest["rows"]


def test_alpha_mixes_soft_and_hard(tokens: Path, teacher: LoadedModel, tmp_path: Path) -> None:
    targets = write(tokens, teacher, tmp_path, k=8)
    [batch, *_] = all_batches(tokens)
    student = Objective(build("phi-1-nano", vocabulary=len(TOKENIZER), positions=64, dropout=0.0, end=0))
    with torch.no_grad():
        soft, hard, half = (
            float(student(batch, training=False, loss=SoftLoss(targets, SoftTargetsTable(alpha=alpha))))
            for alpha in (1.0, 0.0, 0.5)
        )
        assert hard == pytest.approx(float(student(batch, training=False, loss=cross_entropy)), rel=1e-6)
    assert half == pytest.approx((soft + hard) / 2, rel=1e-5)


def test_the_size_is_the_one_that_plan_states(tokens: Path, teacher: LoadedModel, tmp_path: Path) -> None:
    targets = write(tokens, teacher, tmp_path, k=8)
    store = TokenStore(tokens)
    stated = bytes_needed(targets.manifest["rows"], store.manifest["tokens"], 8, len(TOKENIZER))
    assert targets.manifest["bytes"] == stated == sum(file.stat().st_size for file in tmp_path.glob("*.bin"))
    assert 0 < targets.manifest["covered"] < 1


def test_another_tokenizer_is_refused_with_the_way_out(tokens: Path, teacher: LoadedModel, tmp_path: Path) -> None:
    other = LoadedModel(teacher.model, train_bpe([d.text for d in PASSAGES], 280), {})
    with pytest.raises(RecipeError, match="distils sequences"):
        write(tokens, other, tmp_path)


def test_targets_of_other_token_settings_are_refused(tokens: Path, teacher: LoadedModel, tmp_path: Path) -> None:
    targets = write(tokens, teacher, tmp_path, k=8)
    first = torch.tensor([0])  # a document's first token is predicted from nothing
    with pytest.raises(StoreFormatError, match="other token settings"):
        targets.targets(first)


def test_a_student_learns_from_its_teacher(tokens: Path, teacher: LoadedModel, tmp_path: Path) -> None:
    """Hard-label training first makes a teacher; soft targets then train the student to it."""
    taught = train(tokens, STUDENT, TOKENS, seed=0, out=tmp_path / "t", cache=tmp_path, execution=EXECUTION)
    save(teacher.model, TOKENIZER, tmp_path / "random")
    table = SoftTargetsTable(teacher=str(taught.model), top_k=16, alpha=0.5)
    write_soft_targets(tokens, table, TOKENS, out=tmp_path / "soft", cache=tmp_path, execution=EXECUTION)
    loss = SoftLoss(SoftTargets(tmp_path / "soft"), table)
    distilled = train(
        tokens, STUDENT, TOKENS, seed=1, out=tmp_path / "s", cache=tmp_path, execution=EXECUTION, loss=loss
    )
    assert distilled.held_out_loss is not None
    assert distilled.held_out_loss < (distilled.held_out_loss_before or 0) - 1
