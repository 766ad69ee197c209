"""The judge of the value classifier: any teacher, asked with the template `judge/value.md` of the domain.

Answers go through the completions machinery, so they are journaled, resumable and budgeted like every other answer.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import HornbookError
from pipeline.core.records import Completion, Document, Prompt, Seed
from pipeline.core.stage import Kept
from pipeline.core.template import load
from pipeline.domains.loading import load as load_domain
from pipeline.languages.grade import read_grade
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import TeacherTable

MAX_CHARACTERS = 6_000
"""Longer documents are cut for the judge: a grade rests on the beginning, and a local teacher's context is short."""

NO_GRADE = "no-grade"
SILENT_ANSWERS = 50
"""Answers without one usable grade after which the judge is not asked on. Were a fifth of its answers usable, the
chance of that would be .8 ** 50, one in 70,000."""
EQUAL_GRADES = 200
"""Usable grades, all equal, after which the judge is not asked on."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """A judge's verdict on one document. value: educational value in [0, 10]; None where there is no usable answer.

    problem: why there is none: "no-grade" (an answer in which no grade from 0 to 10 could be read), or the reason
    for which there was no answer: refused, truncated, failed. said: what there was in place of a grade, for a person.
    """

    value: float | None
    problem: str = ""
    said: str = ""


class _Watch:
    """Stops a judge that will be of no use before all of it is paid for."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._grades: Counter[float] = Counter()
        self._problems: Counter[str] = Counter()

    def __call__(self, annotation: Annotation) -> None:
        if annotation.value is None:
            self._problems[annotation.problem] += 1
        else:
            self._grades[annotation.value] += 1
        silent, graded = self._problems.total(), self._grades.total()
        if silent >= SILENT_ANSWERS and not graded and silent < self._total:
            raise HornbookError(
                f"none of the judge's first {silent} answers is usable ({counted(self._problems)}); it was not asked "
                f"for the other {self._total - silent:,}{quoted([annotation])}",
                hint=BETTER_JUDGE,
            )
        if graded >= EQUAL_GRADES and len(self._grades) == 1 and graded + silent < self._total:
            raise HornbookError(
                f"the judge gave its first {graded} documents the same grade, {next(iter(self._grades)):g}; it was not "
                f"asked for the other {self._total - graded - silent:,}",
                hint=STRONGER_JUDGE,
            )


BETTER_JUDGE = (
    "name a judge in quality.judge that answers judge/value.md with a line `Grade: N` (a model of 135M "
    "parameters does not), or raise its max_tokens where answers are truncated; what was answered is kept"
)
STRONGER_JUDGE = "name a stronger judge in quality.judge, or set quality.classifier = false"


def counted(problems: Counter[str]) -> str:
    """ "no-grade 17, truncated 7"."""
    return ", ".join(f"{name} {count}" for name, count in problems.most_common())


def quoted(annotations: Iterable[Annotation]) -> str:
    """The beginning of the first of the answers without a grade, as the end of a message; "" where none has a text."""
    said = next((" ".join(a.said.split()) for a in annotations if a.value is None and a.said.strip()), "")
    return f"; for one it said {said[:160]!r}" if said else ""


def teacher_of(recipe: Recipe) -> TeacherTable:
    """The recipe's teacher that annotates: quality.judge, or the first."""
    name = recipe.quality.judge or recipe.teachers[0].name
    return next(table for table in recipe.teachers if table.name == name)


def template_path(domain: str = "python") -> Path:
    """The judge's template of a domain, by name or folder; that of Python where the domain has none."""
    found = load_domain(domain)
    return (found if "value" in found.templates else load_domain("python")).template("value")


def questions(documents: Sequence[Document], teacher: str, domain: str = "python") -> list[Prompt]:
    """One prompt for each document, for the teacher of that name.

    Equal documents give equal prompts, whatever stands beside them, so an answer that an earlier run paid for is found
    again; the same document several times in a row asks for as many samples.
    """
    loaded = load(template_path(domain))
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
    complete: Callable[[Iterable[Prompt]], Generator[Any]],
    teacher: str,
    domain: str = "python",
) -> Callable[[Sequence[Document]], Sequence[Annotation]]:
    """The `annotate` of `Quality`: asks `teacher` through a completions stage and reads the grades.

    complete: prompts to `Kept[Completion] | Dropped`, in any order. `annotate` raises HornbookError as soon as the
    judge turns out to be of no use: `SILENT_ANSWERS` without a usable grade, or `EQUAL_GRADES` that are all the same.
    """

    def annotate(documents: Sequence[Document]) -> Sequence[Annotation]:
        asked = questions(documents, teacher, domain)
        answered: dict[tuple[str, int], Annotation] = {}
        silent: dict[str, list[Annotation]] = {}
        watch = _Watch(len(asked))
        with closing(complete(asked)) as outcomes:
            for outcome in outcomes:
                if isinstance(outcome, Kept) and isinstance(outcome.record, Completion):
                    completion = outcome.record
                    value = read_grade(completion.text).grade
                    annotation = Annotation(value) if value is not None else Annotation(None, NO_GRADE, completion.text)
                    answered[completion.prompt_id, completion.number] = annotation
                else:
                    annotation = Annotation(None, outcome.reason, outcome.detail)
                    silent.setdefault(outcome.record.id, []).append(annotation)
                watch(annotation)
        found, sample, last = [], 0, ""
        for prompt in asked:
            sample = sample + 1 if prompt.id == last else 0
            last = prompt.id
            missing = silent.get(prompt.id) or [Annotation(None, "failed")]
            found.append(answered.get((prompt.id, sample)) or missing[0])
        return found

    return annotate
