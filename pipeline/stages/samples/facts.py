"""What the stages `samples-before` and `samples-after` say in their manifests."""

from dataclasses import dataclass

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class SamplesFacts(Facts):
    """prompt_form: how the problems were asked. model: name or folder of the weights. tokens: generated.

    tokens_per_second: of wall time, answers that were in the journal included.
    """

    prompt_form: str | None = None
    model: str | None = None
    tokens: int | None = None
    tokens_per_second: float | None = None
