"""The walk with another maker in it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipeline import walk


def remade(monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Any], Any]) -> None:
    """Have the stage `name` made by `make` until `monkeypatch` is undone."""
    changed = tuple(replace(step, make=make) if step.name == name else step for step in walk.WALK)
    monkeypatch.setattr(walk, "WALK", changed)
