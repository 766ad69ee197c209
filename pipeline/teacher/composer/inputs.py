"""Random arguments for the composer's examples and tests, small enough to read in a docstring."""

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, TypeVar

T = TypeVar("T")

WORDS: list[str] = re.findall(
    r"\w+",
    """
    apple river stone cloud lantern harbor maple ticket garden window copper planet silver bridge cabin pepper rabbit
    summer violet walnut yellow zebra anchor button carrot dragon engine forest guitar hammer island jacket kettle
    lemon meadow noodle orange pillow quartz ribbon saddle tunnel umbrella velvet wagon bee cat dog elk fox gnu hen
    ivy jay kit log map net owl pig ram sun tea urn van wax yak zoo level radar noon a at be go hi it me no on up we
    """,
)
NAMES: list[str] = re.findall(
    r"\w+", "Ana Ben Cleo Dan Eva Finn Gus Hana Ivan Jo Kim Leo Mia Nora Omar Pia Quin Rosa Sam Tara Uma"
)


class Inputs:
    """Draws of arguments. words: words to prefer, e.g. those that a seed asks to be used. choice: the family's."""

    def __init__(
        self, random: Random, words: tuple[str, ...] = (), choice: Mapping[str, str | int] | None = None
    ) -> None:
        self.random = random
        self.parameters = choice or {}
        self.pool = list(words) * 4 + WORDS

    def slot(self, name: str) -> str:
        """Value of one of the family's parameters, as text."""
        return str(self.parameters[name])

    def integer(self, low: int = 0, high: int = 30) -> int:
        return self.random.randint(low, high)

    def ints(self, low: int = -9, high: int = 20, shortest: int = 1, longest: int = 7) -> list[int]:
        """A list that repeats a value now and then."""
        values = [self.random.randint(low, high) for _ in range(self.random.randint(shortest, longest))]
        if len(values) > 2 and self.random.random() < 0.4:
            values[-1] = values[0]
        return values

    def flag(self) -> bool:
        return self.random.random() < 0.5

    def choice(self, values: Sequence[T]) -> T:
        return self.random.choice(values)

    def word(self) -> str:
        return self.random.choice(self.pool)

    def words(self, shortest: int = 1, longest: int = 5) -> list[str]:
        return [self.word() for _ in range(self.random.randint(shortest, longest))]

    def letters(self, alphabet: str = "abcdef", shortest: int = 1, longest: int = 8) -> str:
        return "".join(self.random.choice(alphabet) for _ in range(self.random.randint(shortest, longest)))

    def name(self) -> str:
        return self.random.choice(NAMES)

    def sentence(self, shortest: int = 2, longest: int = 5) -> str:
        """Words with single blanks; capitals now and then."""
        words = self.words(shortest, longest)
        if self.random.random() < 0.5:
            words[0] = words[0].capitalize()
        if self.random.random() < 0.2:
            words[-1] = words[-1].upper()
        return " ".join(words)

    def text(self) -> str:
        """A word, a sentence, or a short mixture of letters, digits and marks."""
        kind = self.random.random()
        if kind < 0.3:
            word = self.word()
            return word.capitalize() if self.random.random() < 0.3 else word
        if kind < 0.65:
            return self.sentence() + self.random.choice(("", "", "!", "."))
        return self.letters(self.random.choice(("abcXYZ123 -_", "aAbBeE oO", "xyz019,. ", "aabbcd")), 3, 10)

    def counts(self, shortest: int = 1, longest: int = 4, low: int = 0, high: int = 20) -> dict[str, int]:
        size = self.random.randint(shortest, longest)
        keys = self.random.sample(NAMES, size) if self.random.random() < 0.5 else self.random.sample(WORDS[:30], size)
        return {key: self.random.randint(low, high) for key in keys}

    def grid(self, low: int = 0, high: int = 9, rows: int = 0, columns: int = 0) -> list[list[int]]:
        """A rectangular grid of 1 to 3 rows and columns unless their number is given."""
        height = rows or self.random.randint(1, 3)
        width = columns or self.random.randint(1, 3)
        return [[self.random.randint(low, high) for _ in range(width)] for _ in range(height)]

    def pairs(self, shortest: int = 1, longest: int = 4, low: int = 0, high: int = 9) -> list[tuple[str, int]]:
        return list(self.counts(shortest, longest, low, high).items())

    def by_type(self, type_name: str) -> Any:
        """A value for a type of a signature; KeyError for a type that has no default draw."""
        draws: dict[str, Callable[[], Any]] = {
            "int": self.integer,
            "str": self.text,
            "list[int]": self.ints,
            "list[str]": self.words,
            "dict[str, int]": self.counts,
            "list[list[int]]": self.grid,
            "list[tuple[str, int]]": self.pairs,
            "bool": self.flag,
        }
        return draws[type_name]()
