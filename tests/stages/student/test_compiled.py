"""torch.compile: a choice of speed, made once, kept by a resumed run, and given up with a reason where it cannot be."""

import importlib
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import PHASE, STUDENT, TOKENS  # type: ignore[import-not-found]

from pipeline.execution import Execution
from pipeline.models.architectures import SHAPES
from pipeline.recipe import TokensTable
from pipeline.stages.student import compiled
from pipeline.stages.student.stage import train
from pipeline.stages.student.summary import TrainingSummary

ONE_LENGTH = TOKENS.model_copy(update={"mask_documents": False})
SHORT = STUDENT.model_copy(update={"phases": (PHASE.model_copy(update={"steps": 4}),), "dropout": 0.1})


class Killed(Exception):
    """Stands for the process' death."""


def imported_inductor() -> Any:
    """The configuration of torch's compiler, imported without the warnings of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        importlib.import_module("torch._inductor.compile_fx")
        return importlib.import_module("torch._inductor.config")


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is traced yet, and there is one layer to trace: another one would be traced alike."""
    monkeypatch.setitem(SHAPES, "phi-1-nano", replace(SHAPES["phi-1-nano"], layers=1))
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Traced as for torch.compile, and run as it was traced: no C++ is made."""
    monkeypatch.setattr(compiled, "BACKEND", "eager")
    monkeypatch.setattr(compiled, "AUTO_SECONDS", 0.0)


def run(
    corpus: Path, out: Path, wanted: str, limits: TokensTable = ONE_LENGTH, fatal: int = 0
) -> tuple[TrainingSummary, dict[int, float], list[str]]:
    """The summary, the loss curve, and what was noted; killed after step `fatal`."""
    curve: dict[int, float] = {}
    notes: list[str] = []

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] == "note":
            notes.append(event["text"])
        if event["event"] == "resume":
            notes.append("resume")
        if event["event"] == "train":
            curve[event["step"]] = event["loss"]
            if event["step"] == fatal:
                raise Killed

    execution = Execution.model_validate({"threads": 1, "checkpoint_seconds": 1e-6, "compile": wanted})
    summary = train(corpus, SHORT, limits, seed=3, out=out, cache=out, execution=execution, on_event=on_event)
    return summary, curve, notes


def same_weights(first: TrainingSummary, second: TrainingSummary) -> bool:
    ours, theirs = (load_file(s.model / "model.safetensors") for s in (first, second))
    return all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_a_compiled_run_is_the_plain_one_and_resumes_bit_for_bit(
    backend: str, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "BACKEND", backend)
    if backend == "inductor":
        imported_inductor()
    whole, curve, notes = run(corpus, tmp_path / "whole", "on")
    assert whole.compiled, notes
    assert notes == ["student: compiled"]
    if backend == "eager":  # the same operations, so the same rounding: inductor's dropout is another
        plain, plain_curve, none = run(corpus, tmp_path / "plain", "off")
        assert not plain.compiled
        assert none == []
        assert curve == pytest.approx(plain_curve, rel=1e-5)
    seen: dict[int, float] = {}
    for fatal in (2, 3, 0):
        torch._dynamo.reset()
        try:
            resumed, rest, notes = run(corpus, tmp_path / "killed", "on", fatal=fatal)
            seen |= rest
        except Killed:
            torch.rand(5)
    assert notes == ["resume", "student: compiled"]
    assert seen == {step: curve[step] for step in seen}
    assert same_weights(resumed, whole)


@pytest.mark.parametrize("faster", [True, False])
def test_auto_measures_once_and_a_resumed_run_keeps_what_it_chose(
    faster: bool, eager: None, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = compiled._timed

    def scripted(objective: Any, *rest: Any) -> float:
        timed(objective, *rest)
        return 1.0 if (objective.compiled is not None) == faster else 2.0

    monkeypatch.setattr(compiled, "_timed", scripted)
    with pytest.raises(Killed):
        run(corpus, tmp_path, "auto", fatal=3)
    faster = not faster
    summary, _, notes = run(corpus, tmp_path, "auto")
    assert summary.compiled == (not faster)
    assert notes == (["resume", "student: compiled"] if not faster else ["resume"])


@pytest.mark.parametrize(("passes", "compiles"), [(601, True), (599, False)])
def test_auto_leaves_short_training_alone(passes: int, compiles: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import LlamaConfig, LlamaForCausalLM

    from pipeline.stages.student.objective import Objective
    from pipeline.training.world import World

    model = LlamaForCausalLM(
        LlamaConfig(hidden_size=32, intermediate_size=48, num_hidden_layers=1, num_attention_heads=2, vocab_size=50)
    )
    monkeypatch.setattr(compiled, "_timed", lambda *_: 1.0)
    monkeypatch.setattr(compiled, "CompiledPasses", lambda *_: None)
    monkeypatch.setattr(compiled, "_tried", lambda *_: compiled.Choice(True, "compiled"))
    choice = compiled.choose(
        "auto",
        Objective(model),
        compiled.usual_batch(64, 32, 50),
        one_length=True,
        autocast=torch.no_grad,
        world=World(),
        passes=passes,
    )
    assert choice.compiled == choice.told == compiles
    assert compiles or choice.why == "not compiled: training takes about 599 s"


def test_a_short_run_is_plain_and_says_nothing(corpus: Path, tmp_path: Path) -> None:
    summary, _, notes = run(corpus, tmp_path, "auto")
    assert not summary.compiled
    assert notes == []
    assert Execution().compile == "auto"


def test_auto_says_what_it_measured(eager: None, corpus: Path, tmp_path: Path) -> None:
    summary, _, [note] = run(corpus, tmp_path, "auto")
    assert note.startswith(
        "student: compiled: a pass takes" if summary.compiled else "student: not compiled: a pass took"
    )


def test_rows_of_many_lengths_are_not_compiled_by_auto_and_are_by_on(eager: None, corpus: Path, tmp_path: Path) -> None:
    plain, curve, notes = run(corpus, tmp_path / "auto", "auto", TOKENS)
    assert not plain.compiled
    assert notes == []
    fused, ours, notes = run(corpus, tmp_path / "on", "on", TOKENS)
    assert fused.compiled, notes
    assert ours == pytest.approx(curve, rel=1e-5)


def test_without_a_compiler_it_trains_plain_and_says_why(corpus: Path, tmp_path: Path) -> None:
    inductor = imported_inductor()
    with inductor.patch({"cpp.cxx": (None, "no-such-compiler"), "force_disable_caches": True}):
        summary, curve, [note] = run(corpus, tmp_path / "on", "on")
    assert not summary.compiled
    assert note.startswith("student: not compiled: InvalidCxxCompiler: No working C++ compiler found")
    _, plain, _ = run(corpus, tmp_path / "off", "off")
    assert curve == plain


def test_what_cannot_be_compiled_is_named(eager: None, corpus: Path, tmp_path: Path) -> None:
    from pipeline.stages.student.compiled import choose, usual_batch
    from pipeline.stages.student.objective import Objective
    from pipeline.training.world import World

    model = torch.nn.Module()
    batch = usual_batch(64, 32, 10)
    assert batch.ids.shape == (2, 32)
    objective = Objective(model, lean=False)
    options: dict[str, Any] = {"one_length": True, "autocast": torch.no_grad, "world": World()}
    assert choose("on", objective, batch, **options) == (
        False,
        "not compiled: only Llama, Qwen2 and Phi with whole weights in each process are",
        True,
    )
