"""Two processes train as one does."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tiny import STUDENT, TOKENS  # type: ignore[import-not-found]

from pipeline.errors import RecipeError
from pipeline.execution import Execution
from pipeline.training import train
from pipeline.training.batches import Piece
from pipeline.training.initial import refuse_unsharded
from pipeline.training.world import World

CODE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tiny import STUDENT, TOKENS
from pipeline.execution import Execution
from pipeline.training import train

fatal = int(sys.argv[5])
saved = []

def on_event(event):
    if event["event"] == "train":
        print(json.dumps([event["step"], event["loss"]]), flush=True)
    if event["event"] == "resume":
        print(json.dumps(["resume", event["step"]]), flush=True)
    if event["event"] == "checkpoint" and event["step"] == fatal:
        print(json.dumps(["checkpoint", fatal]), flush=True)

tokens, out = Path(sys.argv[1]), Path(sys.argv[2])
execution = Execution(threads=1, parallel=sys.argv[4], checkpoint_seconds=1e-6 if fatal else 1e6)
train(tokens, STUDENT, TOKENS, seed=3, out=out, cache=out, execution=execution, on_event=on_event)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(
    corpus: Path, out: Path, parallel: str, monkeypatch: pytest.MonkeyPatch, fatal: int = 0
) -> list[subprocess.Popen[str]]:
    for name, value in {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}.items():
        monkeypatch.setenv(name, str(value))
    arguments = [sys.executable, "-c", CODE, str(corpus), str(out), str(Path(__file__).parent), parallel, str(fatal)]
    processes = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        processes.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    for name in ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name)
    return processes


def finish(processes: list[subprocess.Popen[str]]) -> dict[Any, float]:
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    assert outputs[1][0] == ""
    return dict(map(json.loads, outputs[0][0].splitlines()))


def kill_at_checkpoint(processes: list[subprocess.Popen[str]], step: int) -> None:
    """Kill both once the checkpoint of `step` is there."""
    assert processes[0].stdout is not None
    for line in processes[0].stdout:
        if json.loads(line) == ["checkpoint", step]:
            break
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def alone(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[int, float], Path]:
    """The loss curve and the model of one process."""
    curve: dict[int, float] = {}

    def on_event(event: dict[str, float]) -> None:
        if event["event"] == "train":
            curve[int(event["step"])] = event["loss"]

    out = tmp_path_factory.mktemp("alone")
    summary = train(
        corpus, STUDENT, TOKENS, seed=3, out=out, cache=out, execution=Execution(threads=1), on_event=on_event
    )
    return curve, summary.model


def close(first: Path, second: Path) -> None:
    ours, theirs = (load_file(folder / "model.safetensors") for folder in (first, second))
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_give_the_curve_of_one(
    parallel: str,
    corpus: Path,
    tmp_path: Path,
    alone: tuple[dict[int, float], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    curve, model = alone
    assert finish(start(corpus, tmp_path, parallel, monkeypatch)) == pytest.approx(curve, rel=1e-3)
    close(model, tmp_path / "model")


def test_a_checkpoint_is_resumed_by_another_number_of_processes(
    corpus: Path, tmp_path: Path, alone: tuple[dict[int, float], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process, then two that split the weights, then one: the curve of one throughout."""
    curve, model = alone

    class Stopped(Exception):
        pass

    def stop(event: dict[str, float]) -> None:
        if event["event"] == "checkpoint" and event["step"] == 3:
            raise Stopped

    execution = Execution(threads=1, checkpoint_seconds=1e-6)
    with pytest.raises(Stopped):
        train(corpus, STUDENT, TOKENS, seed=3, out=tmp_path, cache=tmp_path, execution=execution, on_event=stop)
    kill_at_checkpoint(start(corpus, tmp_path, "fsdp", monkeypatch, fatal=6), 6)
    rest: dict[int, float] = {}
    resumed: list[float] = []

    def on_event(event: dict[str, float]) -> None:
        if event["event"] == "train":
            rest[int(event["step"])] = event["loss"]
        if event["event"] == "resume":
            resumed.append(event["step"])

    alone_again = Execution(threads=1)
    train(corpus, STUDENT, TOKENS, seed=3, out=tmp_path, cache=tmp_path, execution=alone_again, on_event=on_event)
    assert resumed[0] >= 6
    assert list(rest) == list(range(int(resumed[0]) + 1, len(curve) + 1))
    assert rest == pytest.approx({step: curve[step] for step in rest}, rel=1e-3)
    close(model, tmp_path / "model")


def test_split_weights_refuse_what_needs_them_whole() -> None:
    with pytest.raises(RecipeError, match=r"frozen_layers.*got execution.parallel = 'fsdp' with 2 and True"):
        refuse_unsharded(STUDENT.model_copy(update={"frozen_layers": 2}))
    with pytest.raises(RecipeError, match=r"on_policy = 0.5 needs whole weights"):
        refuse_unsharded(STUDENT, 0.5)


def test_every_row_is_dealt_to_one_process() -> None:
    rows = tuple((Piece(0, n, n, n + 1 + n % 5),) for n in range(11))
    dealt = [World(rank, 3).share(rows) for rank in range(3)]
    assert sorted(row for share in dealt for row in share) == sorted(rows)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert World().share(rows) == rows
