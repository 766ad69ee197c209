"""The ordered stages of a recipe, each with its content key; `pipeline.core.step.plan` makes one."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.identity import digest

KEY_LENGTH = 32
"""Hex digits of a key: 128 bits."""


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage of one recipe. inputs: key of each stage it reads, by name. settings: what its key is the hash of."""

    name: str
    version: int
    key: str
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """All stages of a recipe, in an order in which each comes after its inputs."""

    stages: tuple[PlannedStage, ...]

    def __getitem__(self, name: str) -> PlannedStage:
        """The stage of that name; KeyError where the recipe has none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(stage.name == name for stage in self.stages)

    @property
    def key(self) -> str:
        """Hash over all stages: equal for two runs if and only if they make the same things."""
        return digest([stage.key for stage in self.stages])[:KEY_LENGTH]

    def until(self, name: str) -> "Plan":
        """The stages up to and including `name`."""
        names = [stage.name for stage in self.stages]
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"--until = {name!r}: this recipe has no such stage", hint=f"{guess}its stages are {', '.join(names)}"
            )
        return Plan(self.stages[: names.index(name) + 1])
