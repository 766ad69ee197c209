"""What the stage `soft-targets` says in its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class SoftTargetsFacts(Facts):
    """rows: label positions that have targets. covered: mean probability of the `top_k` entries kept, in [0, 1].

    bytes: on disk. teacher: what the model is.
    """

    rows: int | None = None
    top_k: int | None = None
    temperature: float | None = None
    covered: float | None = None
    bytes: int | None = None
    teacher: Mapping[str, str] | None = None
