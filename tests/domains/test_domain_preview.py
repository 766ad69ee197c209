"""`hornbook domain preview`: a few seeds up to the verdict, with what is to be expected of many."""

import json
from pathlib import Path

import pytest
from shapes_held import hold

from pipeline.cli.main import main
from pipeline.domains.loading import load
from pipeline.execution import Execution
from pipeline.proving.previewing import preview
from pipeline.recipe_teachers import ComposerTable, ReplayTable

WEAK = Execution(sandbox="weak", workers=1)


def test_seeds_go_through_all_stages_and_the_share_is_forecast(tmp_path: Path) -> None:
    found = preview(load("python"), ComposerTable(name="c"), 3, WEAK, tmp_path)
    assert (len(found.tried), found.kept) == (3, 3)
    assert found.interval[0] < 0.5 < found.interval[1] == 1.0
    assert all(one.verdict == "kept" and "def " in one.answer and one.prompt for one in found.tried)
    assert "3 of 3 kept before duplicates; of many, 44% to 100% would be (95%)." in found.to_text()


def test_what_does_not_answer_is_said(tmp_path: Path) -> None:
    silent = ReplayTable(name="r", replay="recorded:qwen2.5-coder-1.5b")  # which was asked with another seed
    found = preview(load("python"), silent, 2, WEAK, tmp_path)
    assert found.kept == 0
    assert {one.verdict for one in found.tried} == {"completions failed"}


def test_the_command_gives_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["domain", "preview", "python", "-n", "1", "--sandbox", "weak", "--json"])
    assert stop.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["kept"] == 1
    hold("domain preview", told)
