"""Whatever is to be written is named: no verb takes an empty name for the current folder, or finds out at the end that
nothing can be written there."""

import json
from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.cli.outputs import output
from pipeline.core.errors import UsageError

VERBS = [
    (["clean", "in.jsonl", "--to"], "--to", "folder"),
    (["clean", "in.jsonl", "--to", "out", "--index"], "--index", "folder"),
    (["export", "run", "--to"], "--to", "folder"),
    (["view", "run", "--export"], "--export", "folder"),
    (["domain", "new"], "FOLDER", "folder"),
    (["runs", "compare", "run", "--page"], "--page", "file"),
    (["embed", "model", "images", "--to"], "--to", "file"),
    (["recipes", "copy", "tiny"], "FILE", "file"),
    (["evaluate", "smollm2", "--save"], "--save", "file"),
]
"""Every verb that writes where it is told, the option that tells it, and what that is."""


@pytest.mark.parametrize(("words", "option", "kind"), VERBS)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "{option} = '', which is no name\n  name a {kind}"),
        ("/proc/x", "{option}: /proc/x cannot be written: No such file or directory\n  name another {kind}"),
        ("in.jsonl/x", "{option}: in.jsonl/x cannot be written: Not a directory\n  name another {kind}"),
        ("link", "{option}: link is a link to nowhere, which is not there\n  name another {kind}"),
        ("x" * 300, "cannot be written: File name too long\n  name another {kind}"),
        ("{other}", "{option}: {other} is a "),
        ("s3://b/x", "{option} = s3://b/x is an address, a {kind} is wanted\n  files of this machine are read and"),
    ],
)
def test_a_place_that_cannot_be_written_is_told_before_anything_is_made(
    words: list[str],
    option: str,
    kind: str,
    given: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HORNBOOK_DATA", str(tmp_path / "data"))
    Path("in.jsonl").write_text(json.dumps({"text": "x = 1\n" * 20}) + "\n")
    Path("link").symlink_to("nowhere")
    Path("folder").mkdir()
    names = {"option": option, "kind": kind, "other": "folder" if kind == "file" else "in.jsonl"}
    with pytest.raises(SystemExit) as stop:
        main([*words, given.format(**names)])
    assert said.format(**names) in capsys.readouterr().err
    assert stop.value.code == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["folder", "in.jsonl", "link"]


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="--page: /dev/null is a device or pipe, a file is wanted"):
        output("--page", "/dev/null", "file")
    assert output("--save", str(tmp_path / "file"), "file").read_text() == "mine"
    assert output("--to", str(tmp_path), "folder") == tmp_path
    assert output("--to", str(tmp_path / "a" / "b"), "folder") == tmp_path / "a" / "b"
    assert [one.name for one in tmp_path.iterdir()] == ["file"]
    with pytest.raises(UsageError, match=r"--to = '', which is no name\n  name a folder; \. is the current one"):
        output("--to", "", "folder")


@pytest.mark.parametrize("words", [["clean", "s3://b/x.jsonl", "--to", "out"], ["score", "gs://b/x.jsonl"]])
def test_an_address_in_the_place_of_a_file_is_told_as_one(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(words)
    assert "files of this machine are read and written here" in capsys.readouterr().err
    assert stop.value.code == 2
