"""The stage `rewordings`: each exercise is said in other words, and kept so where these are enough to solve it.

    unanswered      no whole answer of the writer, or of the solver
    no-docstring    nothing to say anew, or nothing new was said
    unsolved        what the solver wrote does not pass the exercise's own test

The writer sees the code and not its docstring (back-translation: Wu et al. 2024, InverseCoder, 3). The solver sees
signature and new docstring alone, no code and no value, and its program is run against the test that the exercise has:
words that leave something open do not pass. What is kept is the new docstring, in some with the exercise's examples
below, which the program then passes too, with the solver's program.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import ClassVar

from pipeline.core.identity import rng
from pipeline.core.records import Completion, Document, Exercise, Prompt, Task
from pipeline.core.stage import Dropped, Kept
from pipeline.core.template import load
from pipeline.domains.domain import Domain
from pipeline.recipe import RewordingsTable
from pipeline.stages.prompts.stage import Render
from pipeline.stages.rewordings.step import STEP
from pipeline.stages.rewordings.wording import laid_out, shown_in, task_of, without_docstring
from pipeline.stages.seeds.sampling import TASK_FORM
from pipeline.stages.solutions.stage import body_of, seed_about

BLOCK = 1024
"""Exercises between two waits for the last answer."""
REWORD_FORM = "reword"
"""The form of seeds that ask for other words."""


@dataclass(slots=True)
class _Slot:
    """One wording of an exercise while it is made. number: from 1, of those of the exercise."""

    exercise: Exercise
    number: int
    outcome: Kept[Exercise] | Dropped | None = None
    answer: Completion | None = None
    task: Task | None = None

    def drop(self, reason: str, detail: str) -> None:
        self.outcome = Dropped(self.exercise, reason, detail)


@dataclass(frozen=True, slots=True)
class Reword:
    """Exercises, each `per_exercise` times in a row, to the same in other words; outcomes in the order of the records.

    complete: a completions stage that asks; judge: the stage that runs an exercise's test.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    table: RewordingsTable
    domain: Domain
    complete: Callable[[Iterable[Prompt]], Iterator[Kept[Completion] | Dropped]]
    judge: Callable[[Iterable[Document]], Iterator[Kept[Document] | Dropped]]

    def __call__(self, records: Iterable[Exercise]) -> Iterator[Kept[Exercise] | Dropped]:
        records = iter(records)
        times = self.table.per_exercise
        while block := [_Slot(one, 1 + at % times) for at, one in enumerate(islice(records, BLOCK * times))]:
            self._ask(self._for_words(block), "writer")
            for slot in _open(block):
                assert slot.answer is not None
                slot.task = task_of(slot.exercise, slot.answer.text)
                if slot.task is None:
                    slot.drop("no-docstring", "0 new docstrings in the answer, 1 is wanted")
            self._ask(self._for_solutions(_open(block)), "solver")
            self._judge(_open(block))
            for slot in block:
                assert slot.outcome is not None
                yield slot.outcome

    def _ask(self, wanted: Iterable[tuple[_Slot, Prompt]], role: str) -> None:
        """Give every slot its answer, or drop it. Equal prompts are samples of one."""
        asked: dict[str, tuple[Prompt, list[_Slot]]] = {}
        for slot, prompt in wanted:
            slot.answer = None
            asked.setdefault(prompt.id, (prompt, []))[1].append(slot)
        dropped: dict[str, deque[Dropped]] = {prompt_id: deque() for prompt_id in asked}
        for outcome in self.complete(prompt for prompt, slots in asked.values() for _ in slots):
            if isinstance(outcome, Kept):
                asked[outcome.record.prompt_id][1][outcome.record.number].answer = outcome.record
            else:
                dropped[outcome.record.id].append(outcome)
        for prompt, slots in asked.values():
            for slot in slots:
                if slot.answer is None:
                    drop = dropped[prompt.id].popleft()
                    slot.drop("unanswered", f"{role}: {drop.reason}: {drop.detail}")

    def _for_words(self, slots: Iterable[_Slot]) -> Iterator[tuple[_Slot, Prompt]]:
        path, template = self.domain.templates["reword"], load(self.domain.template("reword"), self.domain.variables)
        for slot in slots:
            code = without_docstring(slot.exercise)
            if not code:
                slot.drop("no-docstring", f"0 docstrings of {slot.exercise.entry_point} can be cut out, 1 is wanted")
                continue
            seed, messages = seed_about(slot.exercise, REWORD_FORM, self.table.writer), template.messages(code=code)
            yield slot, Prompt(seed=seed, messages=messages, template=path, template_digest=template.digest)

    def _for_solutions(self, slots: Sequence[_Slot]) -> Iterator[tuple[_Slot, Prompt]]:
        solver = self.table.solver or self.table.writer
        seeds = [seed_about(slot.exercise, TASK_FORM, solver, slot.task) for slot in slots]
        for slot, outcome in zip(slots, Render(self.domain)(seeds), strict=True):
            assert isinstance(outcome, Kept)
            yield slot, outcome.record

    def _judge(self, slots: Iterable[_Slot]) -> None:
        solved = []
        for slot in slots:
            assert slot.answer is not None
            assert slot.task is not None
            body = body_of(slot.answer)
            if body is None:
                slot.drop("unsolved", f"0 bodies of {slot.exercise.entry_point} in the solver's answer, 1 is wanted")
            else:
                drawn = rng(0, "examples", slot.exercise.id, slot.number).random() < self.table.examples
                prompt = laid_out(slot.task, shown_in(slot.exercise) if drawn else "")
                words = replace(slot.exercise, prompt=prompt, wording=slot.number)
                solved.append((slot, replace(words, solution=body, mutants=None, killed=None)))
        for (slot, made), outcome in zip(solved, self.judge(made for _, made in solved), strict=True):
            if isinstance(outcome, Kept):
                slot.outcome = Kept(made)
            else:
                slot.drop("unsolved", f"{outcome.reason}: {outcome.detail}")


def _open(slots: Iterable[_Slot]) -> list[_Slot]:
    return [slot for slot in slots if slot.outcome is None]
