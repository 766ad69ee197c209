"""What the stage `completions` says in its manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.facts import Facts

WRITING = ("completions", "solutions", "rewordings")
"""Stages whose facts are `CompletionsFacts`: they ask teachers for what becomes of the corpus."""


@dataclass(frozen=True, slots=True)
class CompletionsFacts(Facts):
    """teachers: what each teacher's answers cost, as `pipeline.teacher.Spent` counts."""

    teachers: Sequence[Mapping[str, Any]] | None = None
