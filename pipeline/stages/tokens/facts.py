"""What the stage `tokens` says in its manifest."""

from dataclasses import dataclass

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class TokensFacts(Facts):
    """documents: to learn from, without those held out. tokens: packed, of which `loss_tokens` carry loss.

    vocabulary: entries of the tokenizer.
    """

    documents: int | None = None
    held_out_documents: int | None = None
    tokens: int | None = None
    loss_tokens: int | None = None
    vocabulary: int | None = None
