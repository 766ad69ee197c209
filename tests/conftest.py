"""Settings that every test shares."""

import os

import pytest
from hypothesis import settings

os.environ.setdefault("HF_HUB_OFFLINE", "1")

settings.register_profile("hornbook", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("hornbook")


@pytest.fixture(autouse=True)
def _no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on, or writes to, the developer's own data folder."""
    monkeypatch.delenv("HORNBOOK_DATA", raising=False)
