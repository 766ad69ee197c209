"""What the stage `student` says in its manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class StudentFacts(Facts):
    """As `TrainingSummary`, without the folder of the weights.

    held_out_by_kind: of "exercises" and "passages" the "documents" measured and their "loss", nats per loss token;
    curve: {"step", "loss", "lr"} of at most 400 steps. device: torch's kind of it, "cpu" or "cuda".
    """

    parameters: int | None = None
    steps: int | None = None
    tokens: int | None = None
    loss: float | None = None
    held_out_loss: float | None = None
    held_out_loss_before: float | None = None
    held_out_by_kind: Mapping[str, Mapping[str, Any]] | None = None
    held_out_pass_rate: float | None = None
    precision: str | None = None
    compiled: bool | None = None
    products: str | None = None
    seconds: float | None = None
    curve: Sequence[Mapping[str, Any]] | None = None
    device: str | None = None

    def without_curve(self) -> dict[str, Any]:
        """As `to_json`, for those who have the curve elsewhere."""
        return {name: said for name, said in self.to_json().items() if name != "curve"}

    def held_out_text(self) -> str:
        """ "held-out loss 0.363", "" where nothing is held out."""
        return "" if self.held_out_loss is None else f"held-out loss {self.held_out_loss:.3f}"

    def kinds_text(self) -> str:
        """ "held-out exercises 0.301, passages 1.912", "" where there are not both."""
        kinds = [f"{kind} {of['loss']:.3f}" for kind, of in (self.held_out_by_kind or {}).items()]
        return f"held-out {', '.join(kinds)}" if len(kinds) > 1 else ""
