"""The judge: a teacher that grades documents for their educational value (`prompts/judge/value.md`)."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.prompting.template import load
from pipeline.records import Completion, Document, Prompt, Seed
from pipeline.resources import shipped
from pipeline.stage import Kept

MAX_CHARACTERS = 6_000
"""Longer documents are cut for the judge: a grade rests on the beginning, and a local teacher's context is short."""

_GRADE = re.compile(r"^\W*grade\W*?(\d{1,2}(?:\.\d+)?)\s*(?:/\s*10)?\W*$", re.IGNORECASE | re.MULTILINE)


def grade(answer: str) -> float | None:
    """The last `Grade: N` line of a judge's answer, in [0, 10]; None where there is none or N is out of range."""
    found = _GRADE.findall(answer)
    value = float(found[-1]) if found else -1.0
    return value if 0 <= value <= 10 else None


def questions(documents: Sequence[Document], teacher: str, template: Path | None = None) -> list[Prompt]:
    """One prompt for each document, for the teacher of that name.

    The seed only says who is asked: equal documents give equal prompts but for their number.
    """
    path = template or shipped("prompts") / "judge" / "value.md"
    loaded = load(path)
    return [
        Prompt(
            seed=Seed(
                kind="textbook",
                number=number,
                topic="judge/value",
                title=document.id,
                audience="",
                form="judge",
                teacher=teacher,
            ),
            messages=loaded.messages(document=document.text[:MAX_CHARACTERS]),
            template="judge/value.md",
            template_digest=loaded.digest,
        )
        for number, document in enumerate(documents)
    ]


def annotator(
    complete: Callable[[Iterable[Prompt]], Iterator[Any]], teacher: str, template: Path | None = None
) -> Callable[[Sequence[Document]], Sequence[float | None]]:
    """The `annotate` of `Quality`: asks `teacher` through a completions stage and reads the grades.

    complete: prompts to `Kept[Completion] | Dropped`, in any order. A document without a usable grade gets None.
    """

    def annotate(documents: Sequence[Document]) -> Sequence[float | None]:
        asked = questions(documents, teacher, template)
        grades: dict[str, float | None] = {}
        for outcome in complete(asked):
            if isinstance(outcome, Kept) and isinstance(outcome.record, Completion):
                grades[outcome.record.prompt_id] = grade(outcome.record.text)
        return [grades.get(prompt.id) for prompt in asked]

    return annotate
