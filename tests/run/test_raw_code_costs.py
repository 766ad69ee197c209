"""What a plan says of real code."""

from pathlib import Path

from pipeline.recipe_sources import SourcesTable
from pipeline.recipe_text import load
from pipeline.run.costs import estimate, table
from pipeline.run.raw_code import HOURS_PER_GB, KNOWN, line, raw_code
from pipeline.run.space import PACKED
from pipeline.store.places import places

PYTHON = KNOWN["bigcode/the-stack-dedup", "data/python"]


def test_the_paper_s_recipes_load_python_alone_and_say_what_that_takes(tmp_path: Path) -> None:
    for name in ("phi-1", "phi-1-small"):
        estimated = estimate(load(name), places(str(tmp_path)))
        found = estimated["raw_code"]
        assert (found["files"], found["bytes"]) == (PYTHON.files, PYTHON.bytes)
        assert found["download_bytes"] == round(PYTHON.bytes * PACKED)
        assert found["cpu_hours"] == round(PYTHON.bytes / 1e9 * HOURS_PER_GB, 4)
        # Unfiltered it lies there after raw-code, validated, distinct and quality.
        assert estimated["disk"]["corpus"] > 4 * PYTHON.bytes * PACKED
        assert "CPU hours of cleaning" in table(estimated)


def test_a_limit_caps_it_and_files_that_are_here_are_measured(tmp_path: Path) -> None:
    stack = {"kind": "dataset", "path": "bigcode/the-stack-dedup", "data_dir": "data/python"}
    capped = raw_code(SourcesTable(**stack, limit=PYTHON.files // 100))
    assert capped is not None
    assert capped["files"] == PYTHON.files // 100
    assert abs(capped["bytes"] - PYTHON.bytes / 100) < PYTHON.bytes / 1000
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.jsonl").write_text("x" * 500)
    (tmp_path / "other.jsonl").write_text("x" * 900)
    here = raw_code(SourcesTable(kind="dataset", path=str(tmp_path), data_dir="data"))
    assert here is not None
    assert (here["files"], here["bytes"], here["download_bytes"]) == (1, 500, 0)


def test_a_set_of_unknown_size_says_so_and_no_source_has_no_line() -> None:
    found = raw_code(SourcesTable(kind="dataset", path="some/code"))
    assert found is not None
    assert (found["bytes"], found["cpu_hours"]) == (None, None)
    assert "is not known" in line(found)
    assert raw_code(SourcesTable()) is None
    assert raw_code(SourcesTable(kind="stdlib")) is None
