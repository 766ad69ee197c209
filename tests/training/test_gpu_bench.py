"""`scripts/bench/gpu.py` where there is no GPU: it says so, and a dry run goes its whole path."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from scripts.bench import gpu  # noqa: E402


def test_without_a_device_it_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert gpu.main() == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("no CUDA device: ")
    assert said.err.count("\n") == 1


def test_a_dry_run_measures_every_part() -> None:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "scripts" / "bench" / "gpu.py"), "--dry-run", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for part in ("training", "fsdp", "sampling", "soft_targets", "value_embedding"):
        assert found[part]["tokens_per_second"] > 0, part
    assert found["training"]["mfu"] > 0 < found["fsdp"]["mfu"]
    assert not found["fsdp"]["compiled"]
    assert "dry run" in found["device"]
