"""What the stage `scores` says in its manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class ScoresFacts(Facts):
    """benchmarks: "name", "digest" and number of "problems" of each. sandbox: its layers and limits.

    closest: by benchmark and task id, the AST match rate and id of the closest document of the training corpus, where
    one is close; None where the scores were not to be split by it.
    """

    benchmarks: Sequence[Mapping[str, Any]] | None = None
    sandbox: Mapping[str, Any] | None = None
    closest: Mapping[str, Mapping[str, Sequence[Any]]] | None = None

    def to_json(self) -> dict[str, Any]:
        """Without `closest` where it was not wanted."""
        found = Facts.to_json(self)
        return found if self.closest is not None else {name: found[name] for name in ("benchmarks", "sandbox")}
