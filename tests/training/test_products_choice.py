"""What multiplies matrices is measured once; it rounds in its own way, so a resumed run keeps to it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import PHASE, STUDENT, TOKENS  # type: ignore[import-not-found]

from pipeline.execution import Execution
from pipeline.student.products import available
from pipeline.training import passes, precision, train
from pipeline.training.loop import TrainingSummary

SHORT = STUDENT.model_copy(update={"phases": (PHASE.model_copy(update={"steps": 4}),), "precision": "fp32"})

pytestmark = pytest.mark.skipif(not available(torch.empty(0)), reason="this torch has no oneDNN")


class Killed(Exception):
    """Stands for the process' death."""


def run(corpus: Path, out: Path, fatal: int = 0, **changes: Any) -> tuple[TrainingSummary, dict[int, float]]:
    """The summary and the loss curve; killed after step `fatal`."""
    curve: dict[int, float] = {}

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "train":
            curve[event["step"]] = event["loss"]
            if event["step"] == fatal:
                raise Killed

    execution = Execution(threads=1, checkpoint_seconds=1e-6)
    student = SHORT.model_copy(update=changes)
    return train(corpus, student, TOKENS, seed=3, out=out, cache=out, execution=execution, on_event=on_event), curve


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


def test_only_fp32_goes_through_onednn(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "onednn_wins", lambda: True)
    summary, _ = run(corpus, tmp_path, precision="bf16")
    assert summary.products == "torch"


@pytest.mark.parametrize(("rate", "wins"), [(2.0, True), (1.1, False), (0.5, False)])
def test_onednn_must_be_clearly_faster(rate: float, wins: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def scripted(*_: Any, product: Any = None, **__: Any) -> float:
        return rate if product is precision.onednn else 1.0

    monkeypatch.setattr(precision, "gemm_gflops", scripted)
    precision.onednn_wins.cache_clear()
    assert precision.onednn_wins() == wins
    precision.onednn_wins.cache_clear()


def test_the_best_fp32_rate_counts_against_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    def scripted(dtype: torch.dtype, *_: Any, product: Any = None, **__: Any) -> float:
        return 1.5 if dtype is torch.bfloat16 else 1.4 if product is precision.onednn else 1.0

    monkeypatch.setattr(precision, "gemm_gflops", scripted)
    assert precision.pick_precision("auto", torch.device("cpu")) == "fp32"
    assert precision.peak_flops("fp32", torch.device("cpu")) == 1.4e9
