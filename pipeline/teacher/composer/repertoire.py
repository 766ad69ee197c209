"""What a composer is asked to teach: everything it knows, or the basics alone.

`full` is every family, every part of a chain and every layout of a docstring. `basic` is for students that see a few
hundred exercises: families of one idea with short solutions, chains of the commonest parts, docstrings of a sentence or
two with typed signatures, and mostly one idiomatic solution for each. A recipe chooses by the composer's `model`.
"""

from dataclasses import dataclass
from functools import lru_cache
from random import Random

from pipeline.teacher.composer.exercise import Piece, write
from pipeline.teacher.composer.families import Entry, entries, families
from pipeline.teacher.composer.fragments import Family, split
from pipeline.teacher.composer.steps import Parts, chain_family, draw_chain

BASIC_FAMILIES = (
    "count_multiples_between",
    "sum_of_multiples",
    "sum_of_$kind_digits",
    "proper_divisors",
    "count_divisors",
    "clamp",
    "quotient_and_remainder",
    "reverse_number",
    "is_palindromic_number",
    "count_$kind",
    "count_letter",
    "count_words_longer_than",
    "all_characters_different",
    "positions_of",
    "replace_$named_with_$by",
    "repeat_each_character",
    "every_kth_character",
    "keep_only_$kind",
    "reverse_word_order",
    "make_acronym",
    "$which_word",
    "words_with_$name",
    "count_greater_than",
    "index_of_$which",
    "second_$which",
    "is_ordered",
    "$quantor_$prop",
    "indices_where",
    "running_$what",
    "neighbour_$what",
    "split_into_chunks",
    "unique_in_order",
    "combine_lists",
    "weighted_sum",
    "sort_by_$name",
    "sort_words_by_$name",
    "$which_k",
    "word_frequencies",
    "group_by_$name",
    "keys_with_value_$name",
    "key_of_$which_value",
    "filter_dictionary",
    "scale_values",
    "common_keys",
)
"""Families of one idea, by name."""

BASIC_PARTS = Parts(
    sources=("", "words", "strings", "up_to_n", "values"),
    filters=(
        "even",
        "odd",
        "positive",
        "multiples",
        "above",
        "below",
        "long",
        "short",
        "with_e",
        "starting_b",
        "ending_r",
        "letters",
        "digits",
        "upper",
    ),
    maps=("squares", "doubles", "scaled", "shifted", "upper", "reversed", "initials", "doubled"),
    ends=("sum", "largest", "smallest", "count", "list", "sorted", "joined", "string"),
    shapes=("filter", "map", "both"),
)
"""Parts of the chains of the basics."""

BASIC_COMPOSITIONS = 0.34
"""Share of chains among the basics."""

FIRST_BODY = 0.8
"""How often the basics take a family's first, most idiomatic solution."""


@dataclass(frozen=True, slots=True)
class Basics:
    """The families and chains of the basics, drawn evenly."""

    families: tuple[Family, ...]
    entries: tuple[Entry, ...]

    def piece(self, random: Random, words: tuple[str, ...] = ()) -> Piece:
        """An exercise of a family, or a chain, at random; nothing that is reserved for the held-out problems."""
        if random.random() < BASIC_COMPOSITIONS:
            return self.chain(random, reserved=False, words=words)
        family = random.choice(self.families)
        return self.exercise(random, family, dict(random.choice(split(family).open)), words=words)

    def exercise(
        self, random: Random, family: Family, choice: dict[str, str | int], name: str = "", words: tuple[str, ...] = ()
    ) -> Piece:
        """An exercise of `family` in the manner of the basics."""
        body = 0 if random.random() < FIRST_BODY else -1
        return write(random, family, choice, name=name, words=words, body_number=body, plain=True)

    def chain(self, random: Random, *, reserved: bool, words: tuple[str, ...] = ()) -> Piece:
        """A chain of basic parts, open or reserved."""
        family = chain_family(random, draw_chain(random, reserved=reserved, parts=BASIC_PARTS))
        return self.exercise(random, family, {}, words=words)


@lru_cache(maxsize=1)
def basics() -> Basics:
    """The basics. Raises KeyError where a name of `BASIC_FAMILIES` is no family's: a mistake in this module."""
    by_name = {family.name: family for family in families()}
    chosen = tuple(by_name[name] for name in BASIC_FAMILIES)
    names = set(BASIC_FAMILIES)
    return Basics(chosen, tuple(entry for entry in entries() if entry.family.name in names))
