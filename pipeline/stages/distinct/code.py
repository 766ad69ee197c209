"""What of a document is its code, by which clones are found, in the language of the corpus."""

from dataclasses import dataclass

from pipeline.core.records import Document, Exercise
from pipeline.core.words import split
from pipeline.languages.finding import named
from pipeline.languages.python.normal_form import Wording, normal_form, wording

_BREAK = "\x00"
"""Between an exercise's solution and its words, where both are kept as one text."""


@dataclass(frozen=True, slots=True)
class Code:
    """What of a document's text is its code, by the language of the corpus. In Python that is all of it."""

    language: str

    def of(self, document: Document) -> str:
        """What is kept of a document to be compared by."""
        if self.language == "python" or not isinstance(document, Exercise):
            return document.text
        return f"{document.solution}{_BREAK}{document.prompt[document.given :]}"

    def form(self, kept: str, *, constants: bool = True) -> bytes:
        """The normal form of the code in what was kept; outside Python prose has none."""
        if self.language == "python":
            return normal_form(kept, constants=constants)
        solution, mark, _ = kept.partition(_BREAK)
        return named(self.language).normal_form(solution, constants=constants) if mark else b""

    def wording(self, kept: str) -> Wording:
        """What the document says beside its code."""
        if self.language == "python":
            return wording(kept)
        return Wording(tuple(split(kept.partition(_BREAK)[2], fold=True)), frozenset())
