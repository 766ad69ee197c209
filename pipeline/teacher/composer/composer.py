"""The composer as a teacher: prompts in, Markdown answers out, the same answer for the same prompt for ever."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Literal, NamedTuple

from pipeline.core.identity import rng
from pipeline.core.records import Prompt, Seed, Task
from pipeline.teacher.composer.exercise import Piece, indent, load, plain_source, write
from pipeline.teacher.composer.families import by_name, fits, match
from pipeline.teacher.composer.fragments import clean, fill, split
from pipeline.teacher.composer.passages import passage_answer
from pipeline.teacher.composer.repertoire import basics
from pipeline.teacher.composer.steps import chain_family, draw_chain

Repertoire = Literal["full", "basic"]

VERSION = 2
"""Raised when the same prompt would get another answer; part of the key of every artifact that the composer made."""

COMPOSITION_SHARE = 0.37
"""Share of compositions among the exercises whose wanted name is no family's own; about 35% of all."""


@dataclass(frozen=True, slots=True)
class Composer:
    """Answers prompts from fragments; there is no model in it.

    seed: draws other answers for the same prompts. repertoire: what its exercises are about (see `repertoire.py`).
    """

    kind: ClassVar[str] = "composer"
    name: str
    seed: int
    repertoire: Repertoire = "full"

    def identity(self) -> dict[str, object]:
        """What decides the answers, for the key of what is made from them."""
        return {"kind": self.kind, "version": VERSION, "seed": self.seed, "repertoire": self.repertoire}

    def compose(self, prompt: Prompt, number: int = 0) -> str:
        """The answer to `prompt`, its `number`-th sample: Markdown, as any other teacher's."""
        random = rng(self.seed, "composer", prompt.id, number)
        if prompt.seed.task is not None:
            return answer_task(random, prompt.seed.task)
        if prompt.seed.kind == "textbook":
            return passage_answer(random, prompt.seed)
        if self.repertoire == "basic":
            return markdown(random, basic_piece(random, prompt.seed), prompt.seed.function_name)
        return exercise_answer(random, prompt.seed)


def basic_piece(random: Random, seed: Seed) -> Piece:
    """An exercise of the basics: under the wanted name where it fits one of their families, else any of them."""
    known = basics()
    fitting = [entry for entry in known.entries if fits(seed.function_name, entry)]
    if not fitting:
        return known.piece(random, seed.words)
    entry = random.choice(fitting)
    return known.exercise(random, entry.family, dict(entry.choice), seed.function_name, seed.words)


def exercise_answer(random: Random, seed: Seed) -> str:
    """A sentence or two, the function in one fence, its asserts in a second one."""
    return markdown(random, exercise_piece(random, seed), seed.function_name)


def exercise_piece(random: Random, seed: Seed) -> Piece:
    """The exercise for a seed: the family that its topic and function name call for, or a composition."""
    entry = match(random, f"{seed.topic} {seed.title}", seed.function_name)
    fitting = bool(seed.function_name) and fits(seed.function_name, entry)
    if not fitting and random.random() < COMPOSITION_SHARE:
        return write(random, chain_family(random, draw_chain(random, reserved=False)), {}, words=seed.words)
    name = seed.function_name if fitting else ""
    return write(random, entry.family, entry.choice, name=name, words=seed.words)


def markdown(random: Random, piece: Piece, wanted: str) -> str:
    """The piece as an answer. wanted: the function name that was asked for, or ""."""
    remark = ""
    if wanted and piece.entry_point != wanted:
        remark = random.choice(
            (
                f"None of my fragments does what `{wanted}` promises, so the function is called `{piece.entry_point}`.",
                f"This one is `{piece.entry_point}`: the name `{wanted}` would not describe it.",
                f"Instead of `{wanted}` this is `{piece.entry_point}`, which is what the code really does.",
            )
        )
    opening = random.choice(
        (
            f"An exercise about {piece.family.topic.split('/')[-1].replace('-', ' ').replace('_', ' ')}.",
            "A function to complete, with its solution.",
            f"Here is `{piece.entry_point}`.",
            f"The exercise asks for `{piece.entry_point}`.",
        )
    )
    closing = random.choice(("These tests check it, edge cases included:", "Tests:", "It passes these checks:"))
    prose = f"{opening} {remark}".rstrip()
    return f"{prose}\n\n```python\n{piece.prompt}{piece.body}```\n\n{closing}\n\n```python\n{piece.test}```\n"


class Call(NamedTuple):
    """One assert of a task that has literal arguments and a literal result."""

    arguments: tuple[object, ...]
    result: object


def literal_calls(task: Task) -> tuple[Call, ...] | None:
    """The asserts of a task, or None where one of them is not `f(literals) == literal` or `f(literals) is None`."""
    calls = []
    for statement in ast.parse(task.test).body:
        test = statement.test if isinstance(statement, ast.Assert) else None
        if not (isinstance(test, ast.Compare) and isinstance(test.left, ast.Call) and len(test.comparators) == 1):
            return None
        try:
            arguments = tuple(ast.literal_eval(argument) for argument in test.left.args)
            calls.append(Call(arguments, ast.literal_eval(test.comparators[0])))
        except ValueError:
            return None
    return tuple(calls)


def answer_task(random: Random, task: Task) -> str:
    """The function that the task asks for, where it is one of ours, else a sentence that says so.

    A task is ours if one of our functions bears its name and agrees with each of its asserts. The asserts are read as
    literals, never run.
    """
    calls = literal_calls(task)
    names = [
        a.arg
        for node in ast.parse(task.prompt + "    ...\n").body
        if isinstance(node, ast.FunctionDef)
        for a in node.args.args
    ]
    for entry in by_name().get(task.entry_point, ()):
        family, choice = entry.family, entry.choice
        if not calls or len(names) != len(family.arguments):
            continue
        function = load(plain_source(family, choice, family.bodies[0]), "answer")
        if all(function(*call.arguments) == call.result for call in calls):
            slots = {arg.name: name for arg, name in zip(family.arguments, names, strict=True)}
            bodies = [fill(clean(body), {**choice, **slots, "self": task.entry_point}) for body in family.bodies]
            body = random.choice(bodies)
            return f"The completed function:\n\n```python\n{task.prompt}{indent(body)}```\n"
    return f"I can only answer tasks that are made of my own fragments, and `{task.entry_point}` is not one of them.\n"


def tasks(seed: int, count: int) -> Iterator[Task]:
    """`count` different exercises as tasks with tests of ours, for teachers whose tests cannot be trusted.

    They are basics with a short solution: the teachers that need such tests are weak. The generator ends early
    only if the families cannot give that many.
    """
    given: set[str] = set()
    for number in range(count * 20):
        if len(given) == count:
            return
        random = rng(seed, "composer-tasks", number)
        family = random.choice(basics().families)
        if min(len(clean(body).splitlines()) for body in family.bodies) > 3:
            continue
        piece = basics().exercise(random, family, dict(random.choice(split(family).open)))
        task = Task(entry_point=piece.entry_point, prompt=piece.prompt, test=piece.test)
        if task.id not in given:
            given.add(task.id)
            yield task
