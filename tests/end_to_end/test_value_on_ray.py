"""The value classifier and the comparison of embeddings on a Ray cluster, beside this machine alone."""

import json
import os
from pathlib import Path
from typing import Any

import judge_server
import pyarrow.parquet as pq
import pytest
from judge_server import JudgeServer

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
pytest.importorskip("ray", reason="needs hornbook[ray]")

from pipeline.cli.main import main
from pipeline.models.embeddings import Encoder
from pipeline.stages.quality.forest import Forest

# Slow: Ray 2.60 can abort this process where a task is cancelled as it ends ("complete task that was not pending").
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning")]

RECIPE = (
    judge_server.RECIPE
    + """
[quality]
classifier = true
annotate = 60
embedding = "{encoder}"
embedding_tokens = 64

[student]
init = "scratch"

[decontaminated]
benchmarks = ["composed"]
embedding = 0.9975
encoder = "{encoder}"
"""
)


def elsewhere(*_: Any) -> Any:
    raise AssertionError("this is for the nodes to do")


def test_what_the_classifier_keeps_does_not_depend_on_where_it_reads(
    tiny_bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with JudgeServer({"no-grade": 0.08}) as server:
        recipe = tmp_path / "valued.toml"
        recipe.write_text(RECIPE.format(url=server.url, encoder=tiny_bert), encoding="utf-8")
        made = []
        for engine in ("local", "ray"):
            if engine == "ray":
                monkeypatch.setattr(Encoder, "__call__", elsewhere)
                monkeypatch.setattr(Forest, "probabilities", elsewhere)
            data = tmp_path / engine
            where = [f"execution.engine={engine}", "execution.workers=2"]
            with pytest.raises(SystemExit) as end:
                main(["run", str(recipe), *where, "--data", str(data), "--name", engine, "--until", "decontaminated"])
            assert end.value.code == 0
            for manifest in sorted((data / "store").glob("*/*/manifest.json")):
                folder = manifest.parent
                found = {
                    str(path.relative_to(data)): pq.read_table(path).to_pylist()
                    for path in sorted(folder.rglob("*.parquet"))
                }
                made.append((engine, folder.parent.name, found, json.loads(manifest.read_text())))
    near, far = ([m[1:3] for m in made if m[0] == engine] for engine in ("local", "ray"))
    assert near == far
    reasons = {name: manifest["dropped"] for engine, name, _, manifest in made if engine == "ray"}
    assert reasons["quality"]["low-value"] > 10
    assert reasons["decontaminated"]["embedding-overlap"] > 0
