"""What the stage `completions` says in its manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class CompletionsFacts(Facts):
    """teachers: what each teacher's answers cost, as `pipeline.teacher.Spent` counts."""

    teachers: Sequence[Mapping[str, Any]] | None = None
