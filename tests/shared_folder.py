"""A folder for what is made once for all processes of pytest."""

import os
from pathlib import Path

import pytest


def shared(temporary: pytest.TempPathFactory) -> Path:
    """It lies above the folders of the single workers, where there are several; who writes there takes a lock, or
    writes what is whole or absent."""
    base = temporary.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
