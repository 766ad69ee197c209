"""Two processes train as one does."""

import json
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import STUDENT, TOKENS, Alone  # type: ignore[import-not-found]

from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.stages.student.batches import Piece, row_length
from pipeline.stages.student.initial import refuse_unsharded
from pipeline.stages.student.stage import train
from pipeline.training.world import World

CODE = """
import json, os, shutil, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tiny import STUDENT, TOKENS
from pipeline.execution import Execution
from pipeline.stages.student import passes
from pipeline.training import precision
from pipeline.stages.student.stage import train

# Each process measures for itself, and they may disagree; fp32 and oneDNN are what they agree on.
precision.bf16_wins = lambda: os.environ["RANK"] == "0"
passes.onednn_wins = lambda: os.environ["RANK"] == "0"
tokens = Path(sys.argv[1])
for parallel, folder in json.loads(sys.argv[3]):
    out = Path(folder)

    def on_event(event):
        print(json.dumps([parallel, event["event"], event.get("step"), event.get("loss")]), flush=True)
        if event["event"] == "checkpoint" and event["step"] == 6:
            shutil.copytree(out / "checkpoints", out.with_name(out.name + "-at-6") / "checkpoints")

    often = 1e-6 if parallel == "fsdp" else 1e6
    execution = Execution(threads=1, parallel=parallel, checkpoint_seconds=often)
    student = STUDENT.model_copy(update={"precision": "auto"}) if parallel == "ddp" else STUDENT
    train(tokens, student, TOKENS, seed=3, out=out, cache=out, execution=execution, on_event=on_event)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def two_processes(corpus: Path, runs: Sequence[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch) -> list[list[Any]]:
    """What the first of two processes reports of `runs`, each (how weights are held, folder), one after the other."""
    for name, value in {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}.items():
        monkeypatch.setenv(name, str(value))
    described = json.dumps([[parallel, str(out)] for parallel, out in runs])
    arguments = [sys.executable, "-c", CODE, str(corpus), str(Path(__file__).parent), described]
    processes = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        processes.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name)
    outputs = [process.communicate(timeout=600) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[1][0] == ""
    return [json.loads(line) for line in outputs[0][0].splitlines()]


def close(first: Path, second: Path) -> None:
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-2, atol=1e-2)


def test_any_number_of_processes_gives_the_curve_of_one_and_reads_the_others_checkpoints(
    corpus: Path, tmp_path: Path, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two with whole weights from the start; two that split them, from one's checkpoint of step 3; one, from theirs of
    step 6."""

    class Stopped(Exception):
        pass

    def stop(event: dict[str, float]) -> None:
        if event["event"] == "checkpoint" and event["step"] == 3:  # type: ignore[comparison-overlap]
            raise Stopped

    ddp, fsdp = tmp_path / "ddp", tmp_path / "fsdp"
    often = Execution(threads=1, checkpoint_seconds=1e-6)
    with pytest.raises(Stopped):
        train(corpus, STUDENT, TOKENS, seed=3, out=fsdp, cache=fsdp, execution=often, on_event=stop)
    reported = two_processes(corpus, [("ddp", ddp), ("fsdp", fsdp)], monkeypatch)
    curves = {name: {s: loss for p, e, s, loss in reported if (p, e) == (name, "train")} for name in ("ddp", "fsdp")}
    assert curves["ddp"] == pytest.approx(alone.curve, rel=1e-3)
    assert ["fsdp", "resume", 3, None] in reported
    assert curves["fsdp"] == pytest.approx({s: loss for s, loss in alone.curve.items() if s > 3}, rel=1e-3)
    rest: dict[str, dict[int, float]] = {"resume": {}, "train": {}}

    def on_event(event: dict[str, Any]) -> None:
        if event["event"] in rest:
            rest[event["event"]][event["step"]] = event.get("loss", 0.0)

    out = tmp_path / "fsdp-at-6"
    train(corpus, STUDENT, TOKENS, seed=3, out=out, cache=out, execution=often, on_event=on_event)
    assert list(rest["resume"]) == [6]
    assert rest["train"] == pytest.approx({s: loss for s, loss in alone.curve.items() if s > 6}, rel=1e-3)
    for folder in (ddp, fsdp, out):
        close(alone.summary.model, folder / "model")


def test_split_weights_refuse_what_needs_them_whole() -> None:
    with pytest.raises(RecipeError, match=r"frozen_layers.*got execution.parallel = 'fsdp' with 2 and True"):
        refuse_unsharded(STUDENT.model_copy(update={"frozen_layers": 2}))
    with pytest.raises(RecipeError, match=r"on_policy = 0.5 needs whole weights"):
        refuse_unsharded(STUDENT, 0.5)


def test_every_row_is_dealt_to_one_process() -> None:
    rows = tuple((Piece(0, n, n, n + 1 + n % 5),) for n in range(11))
    dealt = [World(rank, 3).share(rows, row_length) for rank in range(3)]
    assert sorted(row for share in dealt for row in share) == sorted(rows)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert World().share(rows, row_length) == rows
