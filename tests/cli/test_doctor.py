"""`hornbook doctor` says what a machine offers, without the imports that make a start slow."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.benchmarks.problems import load
from pipeline.core.errors import MissingExtra

EXAMINE = """
import json, sys
from pipeline.cli.doctor import examine, text
from pipeline.store.places import places
found = examine(places(sys.argv[1]))
print(json.dumps([found, text(found), [name for name in ("torch", "transformers", "datasets") if name in sys.modules]]))
"""


def test_it_imports_nothing_slow_and_names_what_is_missing(tmp_path: Path) -> None:
    if any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        pytest.skip("an accelerator is named by torch")
    environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HORNBOOK_BENCHMARKS": ""}
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HUGGINGFACE_HUB_CACHE"):
        environment.pop(name, None)
    for name, size in (("store/quality/k/part-00000.parquet", 70), ("models/embeddings/e/a.safetensors", 3 << 20)):
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"0" * size)
    (tmp_path / "data" / "models" / "model.safetensors").symlink_to("embeddings/e/a.safetensors")
    command = [sys.executable, "-c", EXAMINE, str(tmp_path / "data")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True, timeout=600)
    found, text, slow = json.loads(done.stdout)
    assert slow == []
    assert [layer["name"] for layer in found["sandbox"]][:2] == ["user namespace", "pid namespace"]
    missing = next(b for b in found["benchmarks"] if b["name"] == "mbpp")
    assert not missing["available"]
    assert missing["detail"].startswith(
        "benchmark 'mbpp' is not on this machine; without HF_HUB_OFFLINE=1 it is fetched"
    )
    stored = {part["name"]: part["bytes"] for part in found["stored"]}
    assert stored == {"models/embeddings": 3 << 20, "store": 70}
    assert "+ models/embeddings      3.0 MiB; kept by text; deleting costs reading the texts again" in text
    assert f"torch {found['torch']['version']} on cpu" in text
    assert ("\nready" in text) == found["ready"]


def test_offline_a_benchmark_that_was_never_fetched_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HF_DATASETS_CACHE", "HUGGINGFACE_HUB_CACHE", "HORNBOOK_BENCHMARKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingExtra, match="not on this machine; without HF_HUB_OFFLINE=1 it is fetched from google"):
        load("mbpp")
