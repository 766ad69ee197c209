"""The fixture as a teacher: the same prompt has the same answer for ever."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from random import Random

from pipeline.core.identity import rng
from pipeline.core.records import Prompt, Task
from pipeline.core.syntax import tree_of
from pipeline.teacher.composer.chains import chains
from pipeline.teacher.composer.families import FAMILIES
from pipeline.teacher.composer.faults import Composed, markdown, spoiled
from pipeline.teacher.composer.passages import passage
from pipeline.teacher.composer.problems import problems
from pipeline.teacher.composer.writing import Choice, Family, Piece, fill, solution, write

VERSION = 3
"""Raised when the same prompt would get another answer; part of the key of every artifact that the composer made."""
STRIDE = 587
"""Chains between those of one number and of the next: prime, so that all come before one comes again."""
MOST_DRAWS = 50
"""Exercises drawn for each task wanted before no more is expected."""


@dataclass(frozen=True, slots=True)
class Composer:
    """seed: draws other answers for the same prompts. faults, share: see `ComposerTable`."""

    seed: int
    faults: tuple[str, ...] = ()
    share: float = 0.5

    def identity(self) -> dict[str, object]:
        """What decides the answers, for the key of what is made from them."""
        faulty = {"faults": list(self.faults), "share": self.share} if self.faults else {}
        return {"kind": "composer", "version": VERSION, "seed": self.seed, **faulty}

    def compose(self, prompt: Prompt, sample: int = 0) -> Composed:
        """The `sample`-th answer to `prompt`."""
        seed = prompt.seed
        random = rng(self.seed, "composer", seed.kind, seed.number, sample)
        if seed.kind == "textbook":
            return Composed(passage(random, *(piece_of(random, seed.number + n) for n in (0, 1))))
        if seed.task is not None:
            return Composed(answer_task(random, seed.task))
        fault = self.fault(seed.number)
        if fault:
            earlier = next((n for n in range(seed.number - 1, -1, -1) if not self.fault(n)), seed.number)
            before = self.exercise(earlier)
            problem = problems()[seed.number % len(problems())]
            return spoiled(fault, random, self.exercise(seed.number, sample), before, problem)
        return Composed(markdown(self.exercise(seed.number, sample)))

    def exercise(self, number: int, sample: int = 0) -> Piece:
        """The exercise of that number, without a fault."""
        return piece_of(rng(self.seed, "composer", "exercise", number, sample), number)

    def fault(self, number: int) -> str:
        """The fault of that exercise, "" for none. They are dealt in turn, evenly over the numbers."""
        share = Fraction(str(self.share))
        dealt = int(number * share)
        return self.faults[dealt % len(self.faults)] if self.faults and int((number + 1) * share) > dealt else ""


def piece_of(random: Random, number: int) -> Piece:
    """An exercise: the families one after the other, and a chain after each."""
    every = chains() if number % 2 else FAMILIES
    family = every[number // 2 * (STRIDE if number % 2 else 1) % len(every)]
    return write(random, family, random.choice(family.choices))


@cache
def _by_name() -> dict[str, tuple[Family, Choice]]:
    every = (*FAMILIES, *chains())
    return {fill(family.name, choice): (family, choice) for family in every for choice in family.choices}


def answer_task(random: Random, task: Task) -> str:
    """The function that the task asks for, where it is one of ours, else a sentence that says so."""
    nodes = [node for node in tree_of(task.prompt + "    ...\n").body if isinstance(node, ast.FunctionDef)]
    arguments = [argument.arg for argument in nodes[-1].args.args] if nodes else []
    family, choice = _by_name().get(task.entry_point, (None, {}))
    if family is None or len(arguments) != len(family.args):
        return f"The composer solves only exercises of its own families, and `{task.entry_point}` is none of them.\n"
    names = dict(zip("ab", arguments, strict=False))
    body = solution(family, choice, names, random.randrange(len(family.bodies)))
    return f"The completed function:\n\n```python\n{task.prompt}{body}```\n"


def tasks(seed: int, count: int) -> Iterator[Task]:
    """Different exercises as tasks with tests of ours, for teachers whose tests cannot be trusted.

    More of them begin with the same ones. The generator ends early only if the families cannot give `count`.
    """
    given: set[str] = set()
    for number in range(count * MOST_DRAWS):
        if len(given) == count:
            return
        piece = piece_of(rng(seed, "composer", "tasks", number), number)
        task = Task(entry_point=piece.entry_point, prompt=piece.prompt, test=piece.test)
        if task.id not in given:
            given.add(task.id)
            yield task
