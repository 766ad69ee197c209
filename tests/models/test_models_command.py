"""`hornbook models` as a user calls it, and what `plan` and `doctor` say of models that are not here."""

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(list(words))
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out, printed.err


def test_the_list_says_what_is_here_and_how_to_get_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    here = tmp_path / "models" / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
    here.write_bytes(b"GGUF")
    code, out, _ = call(capsys, "models", "--data", str(tmp_path))
    assert code == 0
    big, small = out.splitlines()
    assert big.startswith("qwen2.5-coder-1.5b ")
    assert big.endswith("1,117 MB  Apache-2.0   not here; `hornbook models get qwen2.5-coder-1.5b`")
    assert small.endswith(f"in the models folder: {here}")
    code, out, _ = call(capsys, "models", "ls", "--data", str(tmp_path), "--json")
    rows = {row["name"]: row for row in json.loads(out)["models"]}
    assert rows["qwen2.5-coder-0.5b"]["path"] == str(here)
    assert rows["qwen2.5-coder-1.5b"]["path"] == ""


def test_get_refuses_other_bytes_and_rm_deletes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf").write_bytes(b"GGUF")
    code, _, err = call(capsys, "models", "get", "qwen2.5-coder-0.5b", "--data", str(tmp_path))
    assert code == 2
    assert "has 4 bytes, and qwen2.5-coder-0.5b 491,400,064" in err
    code, out, _ = call(capsys, "models", "rm", "qwen2.5-coder-0.5b", "--data", str(tmp_path), "--json")
    assert (code, json.loads(out)) == (0, {"name": "qwen2.5-coder-0.5b", "freed_bytes": 4})


def test_a_name_that_is_not_in_the_table_lists_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = call(capsys, "models", "get", "qwen")
    assert code == 2
    assert "no model is called 'qwen'" in err
    assert "the names are qwen2.5-coder-1.5b, qwen2.5-coder-0.5b" in err


def test_plan_says_what_would_be_fetched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "plan", "record", "--data", str(tmp_path), "--json")
    assert code == 0
    writes = {"name": "qwen2.5-coder-1.5b", "bytes": 1_117_320_768, "licence": "Apache-2.0"}
    solves = {"name": "qwen2.5-coder-0.5b", "bytes": 491_400_064, "licence": "Apache-2.0"}
    assert json.loads(out)["downloads"] == [writes, solves]
    assert list(tmp_path.iterdir()) == []
