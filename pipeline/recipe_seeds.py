"""What is asked for: how many seeds are drawn, and how many documents a corpus shall have in the end."""

from typing import Annotated, Any

from pydantic import Field

from pipeline.recipe_base import Count, PathText, Positive, Table


class RoundTable(Table):
    """Further seeds of some topics, drawn after all before them, which stay as they are."""

    exercises: dict[str, Positive] = {}
    """Number of further exercise seeds by topic."""
    textbooks: dict[str, Positive] = {}
    """Number of further textbook seeds by topic."""


class SeedsTable(Table):
    """How many seeds are drawn, and from what part of the domain."""

    exercises: Count = 0
    """Number of exercise seeds, over all teachers."""
    textbooks: Count = 0
    """Number of textbook seeds, over all teachers."""
    topics: tuple[str, ...] = ()
    """Topic paths or prefixes to draw from; empty for the whole tree."""
    words: Count = 2
    """Random words that each text must use (Eldan and Li 2023, TinyStories)."""
    rounds: tuple[RoundTable, ...] = ()
    """Further seeds by topic, a table a round; `want` writes them."""
    more: tuple[PathText, ...] = ()
    """Files of further seeds, one JSON object a line, beside those drawn; `hornbook improve` writes such files."""

    @property
    def total(self) -> int:
        """Seeds that are drawn, of both kinds, those of all rounds among them."""
        return sum(self.counts("exercises")) + sum(self.counts("textbooks"))

    def counts(self, kind: str) -> list[int]:
        """Seeds of a kind ("exercises" or "textbooks"): the first ones, then those of each round."""
        return [getattr(self, kind), *(sum(getattr(part, kind).values()) for part in self.rounds)]


class WantTable(Table):
    """How many documents of the teachers are kept after all cleaning. Seeds are added, in rounds and where the topics
    are short, until that many are kept or a ceiling is reached; what is kept beyond is dropped as surplus."""

    exercises: Count = 0
    """Exercises kept in the end; 0 for whatever comes. seeds.exercises is what is asked first, by default as many."""
    textbooks: Count = 0
    """Textbook passages kept in the end; 0 for whatever comes. seeds.textbooks is what is asked first."""
    answers: Count = 0
    """Most answers asked in all; 0 for ten for each document wanted."""
    usd: Annotated[float, Field(gt=0.0)] | None = None
    """Most dollars that the answers may have cost, whichever run paid for them: no round begins that is expected to go
    beyond."""

    @property
    def any(self) -> bool:
        """Whether a number is wanted."""
        return bool(self.exercises or self.textbooks)

    @property
    def most_answers(self) -> int:
        """The ceiling on answers."""
        return self.answers or 10 * (self.exercises + self.textbooks)


def ask_first(data: dict[str, Any]) -> None:
    """In the raw data of a recipe, as many seeds as documents are wanted, where it says nothing else."""
    want = data.get("want")
    seeds = data.setdefault("seeds", {}) if isinstance(want, dict) else None
    if isinstance(want, dict) and isinstance(seeds, dict):
        for kind in ("exercises", "textbooks"):
            seeds[kind] = seeds.get(kind) or want.get(kind, 0)
