"""`scripts/bench/gpu.py` where there is no GPU: it says so, and a dry run goes its whole path."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench" / "gpu.py"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_without_a_device_it_says_so_in_one_line() -> None:
    done = run()
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("no CUDA device: ")
    assert done.stderr.count("\n") == 1


def test_a_dry_run_measures_every_part() -> None:
    done = run("--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for part in ("training", "fsdp", "sampling", "soft_targets", "value_embedding"):
        assert found[part]["tokens_per_second"] > 0, part
    assert found["training"]["mfu"] > 0 < found["fsdp"]["mfu"]
    assert not found["fsdp"]["compiled"]
    assert "dry run" in found["device"]
