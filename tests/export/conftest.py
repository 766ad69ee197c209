"""One run for all tests of the export, and a cache of the library's own."""

from pathlib import Path

import datasets
import pytest
from example_run import Example, build


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """A finished run, with drops in its last stage of documents too."""
    return build(tmp_path_factory.mktemp("exported"), name="shown")


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
