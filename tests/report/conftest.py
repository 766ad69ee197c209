"""One example run for all tests of the report; tests that change a run copy its folder."""

import shutil
from pathlib import Path

import pytest
from example_run import Example, build

from pipeline.report.summary import Summary, summarise


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A finished run."""
    return build(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def summary(example: Example) -> Summary:
    """Its summary."""
    return summarise(example.folder, example.store)


@pytest.fixture
def run_copy(example: Example, tmp_path: Path) -> Path:
    """The run's folder, free to change; its artifacts are those of `example`."""
    return Path(shutil.copytree(example.folder, tmp_path / "runs" / "copy"))
