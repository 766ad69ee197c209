"""The stage `completions`: each prompt is asked of the teacher that its seed names."""

import shutil
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pipeline.core.events import OnEvent, silent
from pipeline.core.money import Ledger
from pipeline.core.records import Completion, Prompt, Record
from pipeline.core.stage import Dropped, Kept, Tally
from pipeline.execution import Execution
from pipeline.languages.python.answer import whole_part
from pipeline.recipe_teachers import TeacherTable
from pipeline.stages.completions.facts import CompletionsFacts
from pipeline.stages.completions.routes import Routes
from pipeline.stages.completions.step import STEP
from pipeline.stages.making import Making
from pipeline.store.manifest import Manifest
from pipeline.teacher.asking import converse
from pipeline.teacher.building import build
from pipeline.teacher.earlier import earlier_journals
from pipeline.teacher.protocol import Answer, Failure, Outcome, Question, Teacher
from pipeline.teacher.spent import Spent

RecordT = TypeVar("RecordT", bound=Record)


def uncounted(teacher: str, answer: Answer) -> None:
    """For callers who do not count what was paid."""


def expand(records: Iterable[RecordT], times: int) -> Iterator[RecordT]:
    """Each record n times in a row: what a stage is given where a recipe wants several samples."""
    for record in records:
        for _ in range(times):
            yield record


@dataclass(frozen=True, slots=True)
class Complete:
    """Prompts to completions: each prompt is asked of the teacher that its seed names.

    One outcome for each prompt that comes in; a prompt that comes n times in a row is n samples, so it is given
    `expand(prompts, n)`, and in = kept + dropped holds for every n.

    journal, reuse, ledger, total: as in `pipeline.teacher.converse`. answered: told of every answer and its teacher's
    name, also of one that was cut, which is paid for like a whole one. cut: as in `completion_of`.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons

    teachers: Mapping[str, Teacher]
    journal: Path
    execution: Execution
    on_event: OnEvent = silent
    reuse: tuple[Path, ...] = ()
    ledger: Ledger | None = None
    total: int | None = None
    answered: Callable[[str, Answer], None] = uncounted
    cut: frozenset[str] = frozenset()

    def __call__(self, records: Iterable[Prompt]) -> Iterator[Kept[Completion] | Dropped]:
        # closing(): whatever ends the stage, what is in flight is drained into the journal first.
        routes = Routes(self.teachers.values())
        with routes, closing(self._conversation(map(routes, questions(records)))) as conversation:
            for outcome in conversation:
                if isinstance(outcome.result, Answer):
                    self.answered(outcome.question.teacher, outcome.result)
                yield completion_of(outcome, self.teachers, self.cut)

    def _conversation(self, asked: Iterable[Question]) -> Generator[Outcome, None, None]:
        return converse(
            asked,
            self.teachers,
            journal=self.journal,
            execution=self.execution,
            on_event=self.on_event,
            reuse=self.reuse,
            ledger=self.ledger,
            total=self.total,
        )


def questions(prompts: Iterable[Prompt]) -> Iterator[Question]:
    """One question for each prompt, of the teacher that its seed names; the same prompt several times in a row asks for
    as many samples."""
    last, sample = "", 0
    for prompt in prompts:
        sample = sample + 1 if prompt.id == last else 0
        last = prompt.id
        yield Question(prompt, prompt.seed.teacher, prompt.messages, sample)


def completion_of(
    outcome: Outcome, teachers: Mapping[str, Teacher], cut: Collection[str] = ()
) -> Kept[Completion] | Dropped:
    """The outcome as the stage gives it. What a truncated answer says stays in the journal; it is dropped.

    cut: teachers whose truncated exercises are kept where the function is whole, with the part that is.
    """
    question, result = outcome.question, outcome.result
    prompt = question.record
    assert isinstance(prompt, Prompt)
    if isinstance(result, Failure):
        return Dropped(prompt, result.reason, f"{result.trouble}: {result.detail}")
    text, seed = result.text, prompt.seed
    if result.finish_reason == "length":
        its_own = seed.kind == "exercise" and seed.task is None
        text = whole_part(text, seed.function_name) if its_own and question.teacher in cut else ""
        if not text:
            tokens = result.completion_tokens or "at least as many"
            return Dropped(prompt, "truncated", f"{tokens} tokens reached max_tokens = {result.max_tokens}")
    teacher = teachers[question.teacher]
    return Kept(
        Completion(
            prompt_id=prompt.id,
            seed=prompt.seed,
            teacher=teacher.name,
            teacher_kind=teacher.kind,
            model=result.model,
            text=text,
            finish_reason=result.finish_reason,
            prompt_tokens=result.prompt_tokens,
            completion_tokens=result.completion_tokens,
            usd=result.usd,
            number=question.sample,
        )
    )


@dataclass(frozen=True, slots=True)
class Asking:
    """Teachers that are asked while an artifact is made, its journal, and what the answers cost.

    The journal is the folder of work in progress, and stays with the artifact: it is what a replay teacher answers
    from, and where later runs find answers that are already paid for.
    """

    making: Making
    journal: Path
    complete: Complete
    spent: Mapping[str, Spent]

    def write(self, outcomes: Iterable[Kept[Any] | Dropped], tally: Tally, asked: int) -> Manifest:
        """Write outcomes as they come, and finish the artifact with the journal's shards. asked: questions in all."""
        making, journal = self.making, self.journal
        writer = making.writer()
        for outcome in outcomes:
            writer.write(outcome)
        for shard in sorted(journal.glob("*.jsonl")):
            writer.add(shard)
        facts = [one.facts for one in self.spent.values()]
        manifest = making.finish(writer, tally, CompletionsFacts(facts))
        making.tell_of_earlier(facts, asked)
        shutil.rmtree(journal, ignore_errors=True)
        return manifest


def asking(
    making: Making, tables: Sequence[TeacherTable], total: int | None = None, cut: Collection[str] = ()
) -> Asking:
    """What asks the teachers of `tables` about `total` prompts, None where that is not known yet.

    cut: as in `completion_of`.

    Raises what is wrong with one of them.
    """
    teachers = {
        table.name: build(table, making.execution, making.recipe.seed, making.places.models, making.note)
        for table in tables
    }
    spent = {name: Spent(name, teacher.kind) for name, teacher in teachers.items()}
    journal = making.conversation()
    complete = Complete(
        teachers,
        journal=journal,
        execution=making.execution,
        on_event=making.tell,
        reuse=earlier_journals(journal, making.generation),
        ledger=making.ledger,
        total=total,
        answered=lambda name, answer: spent[name].add(answer),
        cut=frozenset(cut),
    )
    return Asking(making, journal, complete, spent)
