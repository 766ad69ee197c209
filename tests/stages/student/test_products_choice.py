"""What multiplies matrices is measured once; it rounds in its own way, so a resumed run keeps to it."""

import importlib
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import PHASE, STUDENT, TOKENS  # type: ignore[import-not-found]

from pipeline.execution import Execution
from pipeline.models import rates
from pipeline.models.products import available, live, onednn
from pipeline.recipe import TokensTable
from pipeline.stages.student import compiled, passes
from pipeline.stages.student.stage import train
from pipeline.stages.student.summary import TrainingSummary
from pipeline.training import precision

SHORT = STUDENT.model_copy(update={"phases": (PHASE.model_copy(update={"steps": 4}),), "precision": "fp32"})

pytestmark = pytest.mark.skipif(not available(torch.empty(0)), reason="this torch has no oneDNN")


class Killed(Exception):
    """Stands for the process' death."""


def run(
    corpus: Path, out: Path, fatal: int = 0, limits: TokensTable = TOKENS, wanted: str = "off", **changes: Any
) -> tuple[TrainingSummary, dict[int, float]]:
    """The summary and the loss curve; killed after step `fatal`."""
    curve: dict[int, float] = {}

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "train":
            curve[event["step"]] = event["loss"]
            if event["step"] == fatal:
                raise Killed

    execution = Execution.model_validate({"threads": 1, "checkpoint_seconds": 1e-6, "compile": wanted})
    student = SHORT.model_copy(update=changes)
    return train(corpus, student, limits, seed=3, out=out, cache=out, execution=execution, on_event=on_event), curve


@pytest.mark.parametrize("first", ["onednn", "torch"])
def test_a_resumed_run_keeps_its_products_whatever_is_faster_now(
    first: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "onednn_wins", lambda: first == "onednn")
    whole, curve = run(corpus, tmp_path / "whole")
    assert whole.products == first
    with pytest.raises(Killed):
        run(corpus, tmp_path / "killed", fatal=2)
    monkeypatch.setattr(passes, "onednn_wins", lambda: first != "onednn")
    resumed, rest = run(corpus, tmp_path / "killed")
    assert resumed.products == first
    assert rest
    assert rest == {step: curve[step] for step in rest}
    ours, theirs = (load_file(summary.model / "model.safetensors") for summary in (resumed, whole))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    monkeypatch.setattr(passes, "onednn_wins", lambda: first != "onednn")
    other, other_curve = run(corpus, tmp_path / "other")
    assert other.products != first
    assert other_curve == pytest.approx(curve, rel=1e-5)


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_passes_go_through_onednn_too(
    backend: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "onednn_wins", lambda: True)
    monkeypatch.setattr(compiled, "BACKEND", backend)
    if backend == "inductor":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module("torch._inductor.compile_fx")
    torch._dynamo.reset()
    one_length = TOKENS.model_copy(update={"mask_documents": False})
    fused, curve = run(corpus, tmp_path / "on", limits=one_length, wanted="on")
    torch._dynamo.reset()
    plain, plain_curve = run(corpus, tmp_path / "off", limits=one_length)
    assert (fused.compiled, fused.products) == (True, "onednn")
    assert (plain.compiled, plain.products) == (False, "onednn")
    assert curve == pytest.approx(plain_curve, rel=1e-5)


def test_only_fp32_goes_through_onednn(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "onednn_wins", lambda: True)
    summary, _ = run(corpus, tmp_path, precision="bf16")
    assert summary.products == "torch"


@pytest.mark.parametrize(("rate", "wins"), [(2.0, True), (1.1, False), (0.5, False)])
def test_onednn_must_be_clearly_faster(rate: float, wins: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def scripted(*_: Any, product: Any = None, **__: Any) -> float:
        return rate if product is onednn else 1.0

    monkeypatch.setattr(rates, "gemm_gflops", scripted)
    rates.onednn_wins.cache_clear()
    assert rates.onednn_wins() == wins
    rates.onednn_wins.cache_clear()


def test_the_best_fp32_rate_counts_against_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    def scripted(dtype: torch.dtype, *_: Any, product: Any = None, **__: Any) -> float:
        return 1.5 if dtype is torch.bfloat16 else 1.4 if product is onednn else 1.0

    monkeypatch.setattr(rates, "gemm_gflops", scripted)
    rates.bf16_wins.cache_clear()
    assert precision.pick_precision("auto", torch.device("cpu")) == "fp32"
    rates.bf16_wins.cache_clear()
    assert precision.peak_flops("fp32", torch.device("cpu")) == 1.4e9


def test_a_teacher_is_read_through_the_faster_library(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    from pipeline.stages.student import objective
    from pipeline.stages.student.batches import IGNORE, Batch

    torch.manual_seed(0)
    config = LlamaConfig(
        hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, vocab_size=50
    )
    model = LlamaForCausalLM(config).eval()
    ids = torch.randint(0, 50, (2, 9))
    batch = Batch(ids, torch.where(ids > 5, ids, IGNORE), ids)
    calls: list[bool] = []
    whole = live

    def counted(modules: Any) -> Any:
        calls.append(True)
        return whole(modules)

    monkeypatch.setattr(objective, "live", counted)
    losses = []
    for wins in (True, False):
        monkeypatch.setattr(objective, "onednn_wins", lambda wins=wins: wins)
        losses.append(objective.Objective.reading(model)(batch, training=False).detach())
    assert calls
    torch.testing.assert_close(*losses, rtol=1e-5, atol=1e-4)
    monkeypatch.setattr(objective, "onednn_wins", lambda: True)
    calls.clear()
    objective.Objective.reading(model.to(torch.bfloat16))
    assert not calls


def test_measuring_draws_no_random_number() -> None:
    for measured in (rates.onednn_wins, rates.bf16_wins):
        measured.cache_clear()
        torch.manual_seed(1)
        before = torch.get_rng_state()
        measured()
        assert torch.equal(torch.get_rng_state(), before)
