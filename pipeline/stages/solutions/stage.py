"""The stage `solutions`: of each exercise whose test is to be agreed on, its teacher or the solver writes further ones.

They are asked blind, from the prompt alone; in Python, where that is signature and docstring, the docstring shows no
value that a call is said to return: the solution and the test that came with the exercise, and whatever is wrong in
them, are not seen.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from pipeline.core.records import Completion, Document, Exercise, Prompt, Seed, Task
from pipeline.core.stage import Dropped, Kept
from pipeline.domains.domain import Domain
from pipeline.domains.items import ended
from pipeline.languages.base import Missing
from pipeline.languages.finding import named
from pipeline.languages.normalise import read_answer
from pipeline.languages.python.answer import code_of
from pipeline.languages.python.calls import shown
from pipeline.languages.python.exercise import Reject
from pipeline.languages.python.said import without_values
from pipeline.languages.python.task import body_for
from pipeline.recipe import AgreementTable
from pipeline.stages.completions.stage import expand
from pipeline.stages.prompts.stage import Render
from pipeline.stages.seeds.sampling import TASK_FORM
from pipeline.stages.solutions.step import STEP


@dataclass(slots=True)
class _Open:
    """An exercise with the answers that have come, by number of the sample, and how many are still to come."""

    exercise: Exercise
    left: int
    bodies: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Solve:
    """Documents to documents: exercises of the teachers named get their `attempts`, all else passes as it is.

    complete: a completions stage that asks. An answer that does not come, or holds no such function, is one attempt
    fewer. An exercise that shows too few calls to agree on is not asked, and has none.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    teachers: frozenset[str]
    table: AgreementTable
    domain: Domain
    complete: Callable[[Iterable[Prompt]], Iterator[Kept[Completion] | Dropped]]

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        passed: deque[Document] = deque()
        waiting: dict[str, _Open] = {}
        for outcome in self.complete(expand(self._prompts(records, passed, waiting), self.table.solutions)):
            while passed:
                yield Kept(passed.popleft())
            answer = outcome.record
            place = answer.prompt_id if isinstance(answer, Completion) else answer.id
            one = waiting[place]
            one.left -= 1
            if isinstance(answer, Completion):
                body = body_of(answer, self.domain.language)
                if body is not None:
                    one.bodies[answer.number] = body
            if not one.left:
                del waiting[place]
                yield Kept(replace(one.exercise, attempts=tuple(one.bodies[n] for n in sorted(one.bodies))))
        while passed:
            yield Kept(passed.popleft())

    def _prompts(
        self, records: Iterable[Document], passed: deque[Document], waiting: dict[str, _Open]
    ) -> Iterator[Prompt]:
        """The prompts to ask. Fills `waiting` with what they are of, and `passed` with the records that are not asked.

        Read by the thread that asks, which is not the one that takes out.
        """
        render = Render(self.domain)
        for number, record in enumerate(records):
            if not isinstance(record, Exercise) or record.teacher not in self.teachers or record.test_owner == "seed":
                passed.append(record)
                continue
            if not asks(record, self.teachers, self.table):
                passed.append(replace(record, attempts=()))
                continue
            (outcome,) = render([seed_of(record, number, self.table.solver)])
            assert isinstance(outcome, Kept)
            waiting[outcome.record.id] = _Open(record, self.table.solutions)
            yield outcome.record


def asks(record: Document, teachers: frozenset[str], table: AgreementTable) -> bool:
    """Whether solutions of a record are asked for: it is an exercise of such a teacher, came without tests of the
    pipeline's own, and in Python shows enough calls."""
    if not isinstance(record, Exercise) or record.teacher not in teachers or record.test_owner == "seed":
        return False
    if not record.entry_point:
        return True
    return shown(record.prompt, record.test, record.entry_point).total >= table.min_calls


def seed_of(exercise: Exercise, number: int, solver: str = "") -> Seed:
    """The seed that asks for the solution of an exercise; a docstring shows no values.

    number: keeps equal ones apart. solver: the teacher that is asked, "" for the exercise's own.
    """
    name = exercise.entry_point
    prompt = without_values(exercise.prompt, name) if name else exercise.prompt
    return seed_about(exercise, TASK_FORM, solver, Task(entry_point=name, prompt=prompt, test=""), number)


def seed_about(exercise: Exercise, form: str, teacher: str, task: Task | None = None, number: int = 0) -> Seed:
    """The seed of a question about an exercise. teacher: who is asked, "" for the exercise's own."""
    return Seed(
        kind="exercise",
        number=number,
        topic="",
        title="",
        audience="",
        form=form,
        function_name=exercise.entry_point,
        teacher=teacher or exercise.teacher,
        task=task,
    )


def body_of(answer: Completion, language: str = "python") -> str | None:
    """The body that an answer gives for its task's function, or the solution in another language; None where it gives
    none."""
    assert answer.seed.task is not None
    if language != "python":
        found = named(language).solution(answer.text)
        return None if isinstance(found, Missing) or named(language).flaw(found.text) else ended(found.text)
    text, _ = read_answer(answer.text)
    pieces = code_of(text)
    if not pieces or not all(piece.closed for piece in pieces):
        return None
    try:
        return body_for(answer.seed.task, pieces)
    except (Reject, RecursionError):
        return None
