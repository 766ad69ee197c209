"""One finished run of the tiny recipe, shared by the tests that only read it."""

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from walk_command import Result, hornbook


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> tuple[Path, Result]:
    """(data folder, result of `hornbook run tiny --json`): made once for all processes of pytest, each has a copy."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tiny"
    said = shared / "result.json"
    with FileLock(shared.with_suffix(".lock")):
        if not said.exists():
            result = hornbook("run", "tiny", "--json", data=shared / "data")
            assert result.code == 0, result.err
            said.write_text(json.dumps(asdict(result)))
    data = tmp_path_factory.mktemp("tiny")
    shutil.copytree(shared / "data", data, dirs_exist_ok=True)
    return data, Result(**json.loads(said.read_text()))
