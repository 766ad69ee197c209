"""What the stage `decontaminated` says in its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class DecontaminatedFacts(Facts):
    """closest: by benchmark, the "digest" of its data and its "matches": by task id, the AST match rate and the id of
    the closest document that was kept."""

    closest: Mapping[str, Mapping[str, Any]] | None = None
