"""The loss: right under packing, accumulation and chunking."""

import inspect
from pathlib import Path

import pytest
import torch
from torch.nn import functional
from transformers import AutoConfig, AutoModelForCausalLM

from pipeline.models.lean import Lean
from pipeline.recipe import PhaseTable
from pipeline.stages.student import objective
from pipeline.stages.student.batches import IGNORE, Batch, Loader, Piece, collate, micro_batches
from pipeline.stages.student.objective import Objective
from pipeline.stages.tokens.shards import TokenStore


def gradients(model: torch.nn.Module, batches: list[Batch]) -> tuple[float, dict[str, torch.Tensor]]:
    """Summed loss and gradients of one step over `batches`."""
    loss_of = Objective(model)
    model.zero_grad()
    total = 0.0
    for batch in batches:
        loss = loss_of(batch, training=True)
        loss.backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach())
    return total, {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def same(first: tuple[float, dict[str, torch.Tensor]], second: tuple[float, dict[str, torch.Tensor]]) -> None:
    assert first[0] == pytest.approx(second[0], rel=1e-5)
    assert first[1].keys() == second[1].keys()
    for name, gradient in first[1].items():
        torch.testing.assert_close(gradient, second[1][name], rtol=1e-4, atol=1e-5)


def rows_of(corpus: Path) -> tuple[TokenStore, tuple[tuple[Piece, ...], ...]]:
    store = TokenStore(corpus)
    return store, Loader(store, PhaseTable(batch=16), sequence_length=64, mask_documents=True, seed=0).step(0).rows


def test_packing_is_training_each_document_alone_and_accumulation_the_large_batch(corpus: Path, llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    store, rows = rows_of(corpus)
    large = gradients(model, [collate(store, rows)])
    same(large, gradients(model, [collate(store, [row]) for row in rows]))
    same(large, gradients(model, list(micro_batches(store, rows, 128))))


def test_the_loss_is_transformers_loss(corpus: Path, llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    store, rows = rows_of(corpus)
    batch = collate(store, rows[:1])
    with torch.no_grad():
        logits = model(batch.ids).logits
        ours = Objective(model)(batch, training=False)
    want = functional.cross_entropy(logits.flatten(0, 1), batch.labels.flatten(), ignore_index=IGNORE, reduction="sum")
    assert float(ours) == pytest.approx(float(want), rel=1e-5)


def test_models_that_the_lean_forward_does_not_know_give_the_same_loss(
    corpus: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    store, rows = rows_of(corpus)
    batches = list(micro_batches(store, rows, 128))
    lean = gradients(model, batches)
    monkeypatch.setattr(Lean, "knows", staticmethod(lambda model: False))
    same(lean, gradients(model, batches))


def test_chunks_change_nothing(corpus: Path, llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    store, rows = rows_of(corpus)
    whole = gradients(model, [collate(store, rows)])
    monkeypatch.setattr(objective, "CHUNK_LOGITS", 7 * 320)
    same(whole, gradients(model, [collate(store, rows)]))


def test_without_a_gradient_through_the_prompt_the_loss_is_the_same(corpus: Path, llama: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    store, rows = rows_of(corpus)
    batches = list(micro_batches(store, rows, 256))
    whole, cut = Objective(model), Objective(model, prompt_gradient=False)
    for batch in batches:
        with torch.no_grad():
            first, second = (loss_of.selected(batch, training=True) for loss_of in (whole, cut))
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["llama", "qwen2"])
def test_the_prompt_is_context_only(corpus: Path, llama: Path, kind: str) -> None:
    """The gradient is that of transformers with the prompt's cache taken as a constant."""
    shape = AutoConfig.from_pretrained(llama).to_dict() | {"model_type": kind, "architectures": None}
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**shape))
    store, rows = rows_of(corpus)
    row = next(row for row in rows if row[0].loss_start > row[0].start + 2)
    batch = collate(store, [row])
    model.zero_grad()
    Objective(model, prompt_gradient=False)(batch, training=True).backward()  # type: ignore[no-untyped-call]
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    context = row[0].loss_start - row[0].start - 1
    argument = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    with torch.no_grad():
        past = model(batch.ids[:, :context], use_cache=True)[argument]
    logits = model(batch.ids[:, context:-1], **{argument: past}).logits
    functional.cross_entropy(logits[0], batch.labels[0, context:-1], reduction="sum").backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(ours[name], parameter.grad, rtol=1e-4, atol=1e-5)


def test_rows_without_a_prompt_have_the_whole_gradient(
    corpus: Path, llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = AutoModelForCausalLM.from_pretrained(llama)
    store, rows = rows_of(corpus)
    batches = [collate(store, [row]) for row in rows if row[0].loss_start == row[0].start]
    assert batches
    whole = gradients(model, batches)
    monkeypatch.setattr(Objective, "__init__", lambda self, model: _cut(self, model))
    same(whole, gradients(model, batches))


def _cut(self: Objective, model: torch.nn.Module) -> None:
    self.model, self.lean, self.prompt_gradient = model, Lean(model), False  # type: ignore[assignment]
