"""The judge of the value classifier: any teacher, asked with `prompts/judge/value.md`.

Answers go through the completions machinery, so they are journaled, resumable and budgeted like every other answer.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.prompting.template import load
from pipeline.records import Completion, Document, Prompt, Seed
from pipeline.resources import shipped
from pipeline.stage import Kept

MAX_CHARACTERS = 6_000
"""Longer documents are cut for the judge: a grade rests on the beginning, and a local teacher's context is short."""

NO_GRADE = "no-grade"

_GRADE = re.compile(r"^\W*grade\W*?(\d{1,2}(?:\.\d+)?)\s*(?:/\s*10)?\W*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Annotation:
    """A judge's verdict on one document. value: educational value in [0, 10]; None where there is no usable answer.

    problem: why there is none: "no-grade" (an answer in which no grade from 0 to 10 could be read), or the reason
    for which there was no answer: refused, truncated, failed.
    """

    value: float | None
    problem: str = ""


def grade(answer: str) -> float | None:
    """The last `Grade: N` line of a judge's answer, in [0, 10]; None where there is none or N is out of range."""
    found = _GRADE.findall(answer)
    value = float(found[-1]) if found else -1.0
    return value if 0 <= value <= 10 else None


def template_path(template: Path | None = None) -> Path:
    """The judge's template: the shipped one unless another is given."""
    return template or shipped("prompts") / "judge" / "value.md"


def questions(documents: Sequence[Document], teacher: str, template: Path | None = None) -> list[Prompt]:
    """One prompt for each document, for the teacher of that name.

    Equal documents give equal prompts, whatever stands beside them, so an answer that an earlier run paid for is found
    again; the same document several times in a row asks for as many samples.
    """
    loaded = load(template_path(template))
    return [
        Prompt(
            seed=Seed(
                kind="textbook",
                number=0,
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
        for document in documents
    ]


def annotator(
    complete: Callable[[Iterable[Prompt]], Iterator[Any]],
    teacher: str,
    template: Path | None = None,
    seen: Callable[[Completion], None] = lambda _: None,
) -> Callable[[Sequence[Document]], Sequence[Annotation]]:
    """The `annotate` of `Quality`: asks `teacher` through a completions stage and reads the grades.

    complete: prompts to `Kept[Completion] | Dropped`, in any order. seen: told of every answer, for counting its cost.
    """

    def annotate(documents: Sequence[Document]) -> Sequence[Annotation]:
        asked = questions(documents, teacher, template)
        answered: dict[tuple[str, int], Annotation] = {}
        silent: dict[str, list[Annotation]] = {}
        for outcome in complete(asked):
            if isinstance(outcome, Kept) and isinstance(outcome.record, Completion):
                completion = outcome.record
                seen(completion)
                value = grade(completion.text)
                annotation = Annotation(value, "" if value is not None else NO_GRADE)
                answered[completion.prompt_id, completion.number] = annotation
            else:
                silent.setdefault(outcome.record.id, []).append(Annotation(None, outcome.reason))
        found, sample, last = [], 0, ""
        for prompt in asked:
            sample = sample + 1 if prompt.id == last else 0
            last = prompt.id
            missing = silent.get(prompt.id) or [Annotation(None, "failed")]
            found.append(answered.get((prompt.id, sample)) or missing[0])
        return found

    return annotate
