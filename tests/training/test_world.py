"""Two processes train as one does."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import STUDENT, TOKENS  # type: ignore[import-not-found]
from safetensors.torch import load_file

from pipeline.execution import Execution
from pipeline.training import train
from pipeline.training.batches import Piece
from pipeline.training.world import World

CODE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from conftest import STUDENT, TOKENS
from pipeline.execution import Execution
from pipeline.training import train

def on_event(event):
    if event["event"] == "train":
        print(json.dumps([event["step"], event["loss"]]), flush=True)

tokens, out = Path(sys.argv[1]), Path(sys.argv[2])
train(tokens, STUDENT, TOKENS, seed=3, out=out, cache=out, execution=Execution(threads=1), on_event=on_event)
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_two_processes_give_the_curve_of_one(corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    curve: dict[int, float] = {}

    def on_event(event: dict[str, float]) -> None:
        if event["event"] == "train":
            curve[int(event["step"])] = event["loss"]

    one = train(
        corpus,
        STUDENT,
        TOKENS,
        seed=3,
        out=tmp_path / "one",
        cache=tmp_path,
        execution=Execution(threads=1),
        on_event=on_event,
    )
    for name, value in {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}.items():
        monkeypatch.setenv(name, str(value))
    arguments = [sys.executable, "-c", CODE, str(corpus), str(tmp_path / "two"), str(Path(__file__).parent)]
    processes = []
    for rank in range(2):
        monkeypatch.setenv("RANK", str(rank))
        processes.append(subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True))
    outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[1] == ""
    both = dict(map(json.loads, outputs[0].splitlines()))
    assert both == pytest.approx(curve, rel=1e-3)
    first, second = (load_file(folder / "model.safetensors") for folder in (one.model, tmp_path / "two" / "model"))
    for name, weight in first.items():
        torch.testing.assert_close(weight, second[name], rtol=1e-2, atol=1e-2)


def test_every_row_is_dealt_to_one_process() -> None:
    rows = tuple((Piece(0, n, n, n + 1 + n % 5),) for n in range(11))
    dealt = [World(rank, 3).share(rows) for rank in range(3)]
    assert sorted(row for share in dealt for row in share) == sorted(rows)
    assert max(map(len, dealt)) - min(map(len, dealt)) <= 1
    assert World().share(rows) == rows
