"""One finished run of the tiny recipe, shared by the tests that only read it."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from shared_folder import shared
from walk_command import Result, hornbook


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> tuple[Path, Result]:
    """(data folder, result of `hornbook run tiny --json`): made once for all processes of pytest, each has a copy."""
    made = shared(tmp_path_factory) / "tiny"
    said = made / "result.json"
    with FileLock(made.with_suffix(".lock")):
        if not said.exists():
            result = hornbook("run", "tiny", "--json", data=made / "data")
            assert result.code == 0, result.err
            said.write_text(json.dumps(asdict(result)))
    data = tmp_path_factory.mktemp("tiny")
    shutil.copytree(made / "data", data, dirs_exist_ok=True)
    return data, Result(**json.loads(said.read_text()))
