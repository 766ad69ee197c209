"""One finished run of the tiny recipe, shared by the tests that only read it."""

from pathlib import Path

import pytest
from walk_command import Result, hornbook


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> tuple[Path, Result]:
    """(data folder, result of `hornbook run tiny --json`)."""
    data = tmp_path_factory.mktemp("tiny")
    result = hornbook("run", "tiny", "--json", data=data)
    assert result.code == 0, result.err
    return data, result
