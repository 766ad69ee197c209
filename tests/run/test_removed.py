"""What was made and is in the store no more is told so, whoever asks for it, with the command that makes it again."""

import json
import shutil
from pathlib import Path

import pytest
from example_run import Example, build

from pipeline.cli.main import main
from pipeline.core.errors import InputError
from pipeline.run.reading import open_run
from pipeline.store.places import Places
from pipeline.view.pages import Viewer


@pytest.fixture
def example(tmp_path: Path) -> Example:
    return build(tmp_path / "a b", name="shown", exercises=10, textbooks=2, problems=4)


def removed(example: Example, stage: str) -> tuple[str, list[str]]:
    """What is said of a stage whose artifact is deleted, and the end of a command line that names its data folder."""
    run = open_run(example.folder, example.store)
    shutil.rmtree(example.store.folder(stage, run.stage(stage).key))  # type: ignore[union-attr]
    return f"stage {stage} of run shown is no longer in the store", ["--data", str(example.folder.parents[1])]


ASKED = [
    ("decontaminated", ["show", "shown", "decontaminated"]),
    ("validated", ["show", "shown", "validated", "--dropped", "all"]),
    ("decontaminated", ["export", "shown", "--to", "out"]),
    ("quality", ["export", "shown", "--to", "out", "--stage", "quality"]),
    ("student", ["export", "shown", "--to", "out"]),
    ("student", ["export", "shown", "--to", "out", "--only", "model"]),
    ("student", ["chat", "shown"]),
    ("student", ["evaluate", "shown", "--benchmark", "humaneval"]),
    ("decontaminated", ["evaluate", "smollm2", "--benchmark", "humaneval", "--limit", "1", "--corpus", "shown"]),
]


@pytest.mark.parametrize(("stage", "asked"), ASKED)
def test_what_was_removed_is_said_to_be_and_how_it_is_made_again(
    stage: str,
    asked: list[str],
    example: Example,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    said, data = removed(example, stage)
    with pytest.raises(SystemExit) as stop:
        main([*asked, *data])
    err = " ".join(capsys.readouterr().err.split())
    assert (stop.value.code, said in err) == (2, True), err
    assert f"`hornbook run '{example.folder / 'recipe.toml'}' --name shown --data '{data[1]}'` makes it again" in err
    assert not Path("out").exists()


def test_status_trace_and_the_browser_know_it_too(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    record = next(iter(example.kept)).id
    said, data = removed(example, "decontaminated")
    with pytest.raises(SystemExit):
        main(["status", "shown", "--json", *data])
    states = {one["name"]: one["state"] for one in json.loads(capsys.readouterr().out)["stages"]}
    assert states["decontaminated"] == "removed"
    assert states["quality"] == "made"
    with pytest.raises(SystemExit):
        main(["trace", "shown", "nothing-so-called", *data])
    assert "of its stages decontaminated is no longer in the store" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["trace", "shown", record, *data])
    assert stop.value.code == 0
    with pytest.raises(InputError, match=said):
        Viewer(Places(example.folder.parents[1], example.store)).facets("shown", "decontaminated", "kept")
