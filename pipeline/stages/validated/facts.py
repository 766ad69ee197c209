"""What the stage `validated` says in its manifest."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class ValidatedFacts(Facts):
    """sandbox: its layers and limits."""

    sandbox: Mapping[str, Any] | None = None
