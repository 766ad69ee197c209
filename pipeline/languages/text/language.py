"""Text as a `Language`: words, in any script."""

import re

from pipeline.languages.base import LONGEST, Found, Missing, Stop, chosen_block, cut_before, digest
from pipeline.languages.fences import Block

_DIGITS = re.compile(r"\d+")


class Text:
    """Prose, numbers, JSON."""

    name = "text"
    tags = frozenset({"", "text", "txt", "plain", "plaintext", "json", "jsonc", "markdown", "md", "answer"})
    stop_strings = ("\n\n", "\n```")
    min_alphanumeric = 0.15

    def holds(self, block: Block) -> bool:
        return block.tag in self.tags

    def solution(self, answer: str) -> Found | Missing:
        """The first block of text or JSON, or where there is none the whole answer."""
        found, text = chosen_block(answer, self.holds, "text")
        if isinstance(found, Found) or found.reason != "no-code":
            return found
        text = text.strip()
        return Found(text + "\n") if text else Missing("no-code", "0 characters" + found.detail.partition("blocks")[2])

    def flaw(self, text: str) -> str:
        return "" if text.strip() else "there is no text"

    def normal_form(self, text: str, *, constants: bool = True) -> bytes:
        """Case, white space and punctuation do not count."""
        return digest(self._words(text) if constants else (_DIGITS.sub("0", word) for word in self._words(text)))

    def shape(self, text: str) -> tuple[str, ...]:
        """The words, numbers as one mark."""
        return tuple(_DIGITS.sub("0", word) for word in self._words(text))

    def bare(self, text: str) -> list[tuple[int, int]]:
        return []

    def stop(self, prompt: str) -> Stop:
        """A blank line, or a fence."""
        return cut_before("\n\n", "\n```")

    def _words(self, text: str) -> list[str]:
        from pipeline.core.words import split

        return list(split(text[:LONGEST], fold=True))
