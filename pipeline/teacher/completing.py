"""The completions stage, and the same machinery for anybody who has questions of another kind."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pipeline.core.money import Ledger
from pipeline.core.records import Completion, Message, Prompt, Record
from pipeline.core.stage import Dropped, Kept
from pipeline.execution import Execution
from pipeline.teacher.engine import converse
from pipeline.teacher.progress import Event
from pipeline.teacher.protocol import Answer, Failure, Outcome, Question, Teacher


def silent(event: Event) -> None:
    """The listener of a conversation that nobody watches."""


def uncounted(teacher: str, answer: Answer) -> None:
    """For callers who do not count what was paid."""


class Spent:
    """What a teacher's answers cost, cut ones included, and what is to be known of them, for a manifest.

    facts: is filled; its "completions" are the whole answers, "tokens" those of all, "usd" what was paid for those that
    were asked for here, "earlier" and "earlier_usd" the number of all others and what they cost when they were given.
    "notes": how many answers there is the same to be said of. "oldest", "newest": when the first and the last of them
    were given, seconds since the epoch; None where no answer says.
    """

    def __init__(self, name: str, kind: str, facts: dict[str, Any] | None = None) -> None:
        self.facts = {} if facts is None else facts
        self.facts |= {"name": name, "kind": kind, "model": "", "completions": 0, "tokens": 0, "usd": 0.0}
        self.facts |= {"earlier": 0, "earlier_usd": 0.0, "notes": {}, "oldest": None, "newest": None}

    def add(self, answer: Answer) -> None:
        """Count one answer at the price of when it was given."""
        facts = self.facts
        facts["model"] = facts["model"] or answer.model
        facts["completions"] += answer.finish_reason != "length"
        facts["tokens"] += answer.prompt_tokens + answer.completion_tokens
        facts["earlier"] += answer.earlier
        paid = "earlier_usd" if answer.earlier else "usd"
        facts[paid] = round(facts[paid] + answer.usd, 8)
        notes = facts["notes"]
        for note in answer.notes:
            # A server may put something new into each answer.
            known = note if note in notes or len(notes) < MOST_NOTES else OTHER_NOTES
            notes[known] = notes.get(known, 0) + 1
        if answer.at:
            facts["oldest"] = min(facts["oldest"] or answer.at, answer.at)
            facts["newest"] = max(facts["newest"] or answer.at, answer.at)


MOST_NOTES = 20
OTHER_NOTES = "further endings that are not known"


def expand(prompts: Iterable[Prompt], samples_per_prompt: int) -> Iterator[Prompt]:
    """Each prompt n times in a row: what the stage is given where a recipe wants several samples."""
    for prompt in prompts:
        for _ in range(samples_per_prompt):
            yield prompt


@dataclass(frozen=True, slots=True)
class Complete:
    """Prompts to completions: each prompt is asked of the teacher that its seed names.

    One outcome for each prompt that comes in; a prompt that comes n times in a row is n samples, so a caller that
    counts (`pipeline.core.stage.checked`) gives it `expand(prompts, n)` and in = kept + dropped holds for every n.

    journal, reuse, ledger, total: as in `pipeline.teacher.converse`. samples_per_prompt: for callers that do not count,
    expands inside instead. answered: told of every answer and its teacher's name, also of one that was cut, which is
    paid for like a whole one.
    """

    name: ClassVar[str] = "completions"
    version: ClassVar[int] = 2
    reasons: ClassVar[frozenset[str]] = frozenset({"refused", "truncated", "failed"})

    teachers: Mapping[str, Teacher]
    journal: Path
    execution: Execution
    on_event: Callable[[Event], None] = silent
    reuse: tuple[Path, ...] = ()
    ledger: Ledger | None = None
    total: int | None = None
    samples_per_prompt: int = 1
    answered: Callable[[str, Answer], None] = uncounted

    def __call__(self, records: Iterable[Prompt]) -> Iterator[Kept[Completion] | Dropped]:
        conversation = converse(
            questions(expand(records, self.samples_per_prompt)),
            self.teachers,
            journal=self.journal,
            execution=self.execution,
            on_event=self.on_event,
            reuse=self.reuse,
            ledger=self.ledger,
            total=self.total,
        )
        # closing(): whatever ends the stage, what is in flight is drained into the journal first.
        with closing(conversation):
            for outcome in conversation:
                if isinstance(outcome.result, Answer):
                    self.answered(outcome.question.teacher, outcome.result)
                yield completion_of(outcome, self.teachers)


def complete(
    prompts: Iterable[Prompt],
    teachers: Mapping[str, Teacher],
    *,
    journal: Path,
    execution: Execution,
    samples_per_prompt: int = 1,
    on_event: Callable[[Event], None] = silent,
    reuse: Iterable[Path] = (),
    ledger: Ledger | None = None,
    total: int | None = None,
) -> Iterator[Kept[Completion] | Dropped]:
    """Ask each prompt `samples_per_prompt` times; one outcome for each prompt and sample (see `Complete`)."""
    stage = Complete(teachers, journal, execution, on_event=on_event, reuse=tuple(reuse), ledger=ledger, total=total)
    return stage(expand(prompts, samples_per_prompt))


def questions(prompts: Iterable[Prompt]) -> Iterator[Question]:
    """One question for each prompt; the same prompt several times in a row asks for as many samples."""
    last, sample = "", 0
    for prompt in prompts:
        sample = sample + 1 if prompt.id == last else 0
        last = prompt.id
        yield Question(prompt, prompt.seed.teacher, prompt.messages, sample)


def completion_of(outcome: Outcome, teachers: Mapping[str, Teacher]) -> Kept[Completion] | Dropped:
    """The outcome as the stage gives it; a truncated answer is dropped, its text stays in the journal."""
    question, result = outcome.question, outcome.result
    prompt = question.record
    assert isinstance(prompt, Prompt)
    if isinstance(result, Failure):
        return Dropped(prompt, result.reason, f"{result.trouble}: {result.detail}")
    if result.finish_reason == "length":
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
            text=result.text,
            finish_reason=result.finish_reason,
            prompt_tokens=result.prompt_tokens,
            completion_tokens=result.completion_tokens,
            usd=result.usd,
            number=question.sample,
        )
    )


def ask(
    questions: Iterable[tuple[Record, tuple[Message, ...]]],
    teacher: Teacher,
    *,
    journal: Path,
    execution: Execution,
    on_event: Callable[[Event], None] = silent,
    reuse: Iterable[Path] = (),
    ledger: Ledger | None = None,
    total: int | None = None,
) -> Iterator[tuple[Record, Answer | Failure]]:
    """Ask one teacher about any records: a judge about documents, an endpoint about problems.

    Each (record, messages) gives one (record, result), in the order in which answers come. Journal, errors and
    resuming are those of `converse`. An answer that ran into `max_tokens` is an Answer with finish_reason "length".
    """
    conversation = converse(
        (Question(record, teacher.name, messages) for record, messages in questions),
        {teacher.name: teacher},
        journal=journal,
        execution=execution,
        on_event=on_event,
        reuse=reuse,
        ledger=ledger,
        total=total,
    )
    with closing(conversation):
        for outcome in conversation:
            yield outcome.question.record, outcome.result
