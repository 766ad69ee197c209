"""A textbook passage: prose around two exercises, with both solutions of the first and results that are checked."""

import textwrap
from random import Random

from pipeline.teacher.composer.writing import Case, Piece, solution

_BRIDGES = (
    "Before any code is written it helps to solve a small instance by hand.",
    "What matters is what has to be remembered from one item to the next.",
    "The code follows the sentence that states the task almost word by word.",
    "Once the rule for a single item is clear, all that is left is repetition.",
    "Ask first what the answer is for the smallest input; it is often the base of the rest.",
)
_CLOSINGS = (
    "To try: predict the result for an input of your own before you run it.",
    "To try: write the function again without looking at it, then compare the two.",
    "To try: add an assert for the smallest input that is allowed.",
)


def passage(random: Random, first: Piece, second: Piece) -> str:
    """The passage, in Markdown; its blocks run from top to bottom."""
    parts = [
        f"# {first.family.about}",
        f"{first.ask} {random.choice(_BRIDGES)}",
        _fence(first.prompt + first.body),
        "Some results:",
        _results(first.cases),
        f"The same function can be written in another way. What comes out is equal, as `{first.cases[-1].call}` shows.",
        _fence(_again(first)),
        _results(first.cases[-1:]),
        f"Another task, on {second.family.about.lower()}. {second.ask}",
        _fence(second.prompt + second.body),
        _results(second.cases[:2]),
        random.choice(_CLOSINGS),
    ]
    return "\n\n".join(parts) + "\n"


def _fence(code: str) -> str:
    return f"```python\n{code}```"


def _results(cases: tuple[Case, ...]) -> str:
    shown = [case for case in cases if case.result != "None"]
    return _fence("".join(f">>> {case.call}\n{case.result}\n" for case in shown))


def _again(piece: Piece) -> str:
    """The function with another of its family's solutions, its docstring cut to the sentence."""
    number = (piece.number + 1) % len(piece.family.bodies)
    said = textwrap.indent("\n".join(textwrap.wrap(f'"""{piece.ask}', 90)), "    ")
    signature = piece.prompt.split("\n", 1)[0]
    return f'{signature}\n{said}\n    """\n{solution(piece.family, piece.choice, piece.names, number)}'
