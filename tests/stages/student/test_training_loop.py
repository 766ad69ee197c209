"""The loop: it learns, resumes bit for bit, stops where the loss goes wrong, writes what transformers loads."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import PHASE, STUDENT, TOKENS, Alone  # type: ignore[import-not-found]
from transformers import AutoModelForCausalLM, AutoTokenizer

from pipeline.core.errors import DiskFull, RecipeError, TrainingError
from pipeline.execution import Execution
from pipeline.recipe import StudentTable
from pipeline.stages.student.batches import documents_of, held_out_rows, label_count
from pipeline.stages.student.stage import HELD_OUT_ROWS, train
from pipeline.stages.student.summary import TrainingSummary
from pipeline.stages.tokens.shards import KINDS, TokenStore
from pipeline.training import checkpoint

EXECUTION = Execution(threads=1, checkpoint_seconds=1e-6)


def run(
    corpus: Path, out: Path, student: StudentTable = STUDENT, execution: Execution = EXECUTION, **more: Any
) -> tuple[TrainingSummary, list[dict[str, Any]]]:
    events: list[dict[str, Any]] = []
    on_event = more.pop("on_event", events.append)
    summary = train(corpus, student, TOKENS, seed=3, out=out, cache=out, execution=execution, on_event=on_event)
    return summary, events


def test_the_held_out_loss_is_told_of_each_kind_of_document(alone: Alone, corpus: Path) -> None:
    store = TokenStore(corpus)
    rows = held_out_rows(store, TOKENS.sequence_length, HELD_OUT_ROWS)
    owners = documents_of(store, rows)
    by_kind = alone.summary.held_out_by_kind
    spans = store.spans
    documents = {KINDS[kind]: int((spans.held_out & (spans.kind == kind)).sum()) for kind in range(2)}
    assert {kind: of.documents for kind, of in by_kind.items()} == {
        "exercises": documents["exercise"],
        "passages": documents["textbook"],
    }
    tokens = {"textbook": 0, "exercise": 0}
    for row, (document, kind) in zip(rows, owners, strict=True):
        assert spans.held_out[document]
        tokens[kind] += label_count(row)
    mixed = by_kind["exercises"].loss * tokens["exercise"] + by_kind["passages"].loss * tokens["textbook"]
    assert mixed / sum(tokens.values()) == pytest.approx(alone.summary.held_out_loss)
    assert by_kind["exercises"].loss != by_kind["passages"].loss


def test_it_learns_and_writes_a_transformers_folder(alone: Alone) -> None:
    out, summary, events = alone
    steps = [event for event in events if event["event"] == "train"]
    assert [event["step"] for event in steps] == list(range(1, summary.steps + 1))
    assert {"loss", "lr", "grad_norm", "tokens_per_second", "phase", "steps"} <= steps[0].keys()
    assert all(event["mfu"] > 0 for event in steps)
    assert summary.held_out_loss is not None
    assert summary.held_out_loss_before is not None
    assert summary.held_out_loss < summary.held_out_loss_before - 1
    model = AutoModelForCausalLM.from_pretrained(summary.model)
    tokenizer = AutoTokenizer.from_pretrained(summary.model)
    assert sum(p.numel() for p in model.parameters()) == summary.parameters
    assert tokenizer.decode(tokenizer.encode("def f3(x):\n    ")) == "def f3(x):\n    "
    assert not (out / "checkpoints").exists()


class Killed(Exception):
    """Stands for the process' death."""


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(corpus: Path, tmp_path: Path) -> None:
    student = STUDENT.model_copy(
        update={"dropout": 0.1, "phases": (PHASE, PHASE.model_copy(update={"name": "second"}))}
    )
    whole, events = run(corpus, tmp_path / "whole", student)
    curve = {event["step"]: event["loss"] for event in events if event["event"] == "train"}
    seen: dict[int, float] = {}
    for fatal in (3, whole.steps // 2 + 2, None):

        def watch(event: dict[str, Any], fatal: int | None = fatal) -> None:
            if event["event"] == "train":
                seen[event["step"]] = event["loss"]
                if event["step"] == fatal:
                    raise Killed

        try:
            resumed, _ = run(corpus, tmp_path / "killed", student, on_event=watch)
        except Killed:
            torch.rand(7)
    assert seen == curve
    ours, theirs = (load_file(s.model / "model.safetensors") for s in (resumed, whole))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert resumed.tokens == whole.tokens


def test_a_process_killed_in_mid_step_goes_on(corpus: Path, tmp_path: Path, alone: Alone) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[3]);"
        "from tiny import STUDENT, TOKENS, plant_products; from pipeline.stages.student.stage import train;"
        "from pipeline.execution import Execution; plant_products();"
        "out = Path(sys.argv[2]);"
        "train(Path(sys.argv[1]), STUDENT, TOKENS, seed=3, out=out, cache=out,"
        " execution=Execution(threads=1, checkpoint_seconds=1e-6), on_event=lambda e: print(e['event'], flush=True))"
    )
    out = tmp_path / "killed"
    arguments = [sys.executable, "-c", code, str(corpus), str(out), str(Path(__file__).parent)]
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "checkpoint":
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    resumed, events = run(corpus, out)
    assert [event["event"] for event in events].count("resume") == 1
    ours, theirs = (load_file(s.model / "model.safetensors") for s in (resumed, alone.summary))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_loss_that_is_not_a_number_names_the_last_good_checkpoint(corpus: Path, tmp_path: Path) -> None:
    wild = STUDENT.model_copy(
        update={"phases": (PHASE.model_copy(update={"lr": 1e30, "clip": 0.0, "warmup_steps": 0}),)}
    )
    with pytest.raises(TrainingError, match=r"(loss|gradient norm) is .* at step") as error:
        run(corpus, tmp_path, wild)
    last = checkpoint.newest(tmp_path / "checkpoints", _settings(tmp_path))
    assert last is not None
    assert str(last.folder) in str(error.value)


def _settings(out: Path) -> str:
    import json

    [meta, *_] = sorted(out.glob("checkpoints/step-*/meta.json"))
    return str(json.loads(meta.read_text())["settings"])


def test_other_settings_do_not_resume(corpus: Path, tmp_path: Path) -> None:
    def stop(event: dict[str, Any]) -> None:
        if event["event"] == "checkpoint":
            raise Killed

    with pytest.raises(Killed):
        run(corpus, tmp_path, on_event=stop)
    other = STUDENT.model_copy(update={"phases": (PHASE.model_copy(update={"lr": 2e-2}),)})
    _, events = run(corpus, tmp_path, other)
    assert "resume" not in [event["event"] for event in events]


def test_a_pretrained_folder_is_fine_tuned(corpus: Path, tmp_path: Path, llama: Path) -> None:
    summary, _ = run(corpus, tmp_path, STUDENT.model_copy(update={"init": str(llama)}))
    assert summary.held_out_loss is not None
    assert summary.held_out_loss < (summary.held_out_loss_before or 0)


@pytest.mark.parametrize("less", [{"frozen_layers": 1}, {"prompt_gradient": False}])
def test_no_share_of_the_peak_is_told_of_a_training_that_leaves_products_out(
    corpus: Path, tmp_path: Path, llama: Path, less: dict[str, Any]
) -> None:
    one = PHASE.model_copy(update={"steps": 1})
    _, events = run(corpus, tmp_path, STUDENT.model_copy(update={"init": str(llama), "phases": (one,), **less}))
    assert [event["mfu"] for event in events if event["event"] == "train"] == [None]


def test_a_vocabulary_that_does_not_fit_is_refused(corpus: Path, tmp_path: Path, llama: Path) -> None:
    import json
    import shutil

    other = tmp_path / "tokens"
    shutil.copytree(corpus, other)
    manifest = json.loads((other / "tokens.json").read_text())
    (other / "tokens.json").write_text(json.dumps(manifest | {"vocabulary": 5000}))
    with pytest.raises(RecipeError, match="vocabulary of 5000"):
        run(other, tmp_path / "out", STUDENT.model_copy(update={"init": str(llama)}))


def test_a_full_disk_keeps_the_checkpoint_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint.write(tmp_path, 1, {"x": torch.ones(3)}, "s")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(DiskFull, match="step 2"):
        checkpoint.write(tmp_path, 2, {"x": torch.ones(3)}, "s")
    found = checkpoint.newest(tmp_path, "s")
    assert found is not None
    assert found.step == 1
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_only_the_last_checkpoints_are_kept(tmp_path: Path) -> None:
    for step in range(1, 6):
        checkpoint.write(tmp_path, step, {"step": step}, "s")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-00000004", "step-00000005"]
    found = checkpoint.newest(tmp_path, "s")
    assert found is not None
    assert found.load() == {"step": 5}


def test_auto_precision_is_measured() -> None:
    from pipeline.training.precision import pick_precision

    assert pick_precision("auto", torch.device("cpu")) in ("fp32", "bf16")
    assert pick_precision("fp16", torch.device("cpu")) == "fp16"


def test_a_rate_is_that_of_the_fastest_product_within_the_time_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.models import rates

    now, seconds = 0.0, iter((9.0, 0.25, 0.125, 0.5, 9.0))

    def product(*_: Any) -> torch.Tensor:
        nonlocal now
        now += next(seconds)
        return torch.empty(0)

    monkeypatch.setattr("pipeline.models.rates.time.perf_counter", lambda: now)
    found = rates.gemm_gflops(torch.float32, 1000, 1000, 1000, seconds=9.5, product=product)
    assert found == pytest.approx(2 / 0.125)
    assert next(seconds) == 9.0
