"""Where results of `clean` and its index may lie, and what is no name."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.clean.clean import clean
from pipeline.cli.main import main
from pipeline.core.errors import UsageError


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("link", r"/link is a link to nowhere, which is not there"),
        ("file", r"/file is a file"),
        ("x" * 300, r"x: cannot be written: File name too long"),
        (os.fsdecode(b"\xff"), r"/\\xff: its name is not UTF-8, and no table can be written there"),
    ],
    ids=["link", "file", "long", "bytes"],
)
def test_what_cannot_be_a_folder_is_refused_before_the_work(tmp_path: Path, name: str, said: str) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n')
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("nowhere")
    there = sorted(tmp_path.iterdir())
    events: list[Any] = []
    for out, index, begins in ((tmp_path / name, None, ""), (tmp_path / "out", tmp_path / name, "the index ")):
        with pytest.raises(UsageError, match=rf"^{begins}/.*{said}\n  name a folder"):
            clean([tmp_path / "a.jsonl"], out, index=index, on_event=events.append)
    assert sorted(tmp_path.iterdir()) == there
    assert not events


def test_an_empty_argument_is_no_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["clean", "", "--to", str(tmp_path / "out"), "--json"])
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "an input is '', which is no name"
