"""`hornbook chat`: a run's student, and one of its teachers beside it, answer what they are asked."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Protocol

from pipeline.core.errors import HornbookError, InputError
from pipeline.core.records import Message, Record
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_checks import unknown_teacher
from pipeline.store.locks import own_folder
from pipeline.teacher import Failure, Teacher, ask, build


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. finish_reason: "eos", "length" or the server's word. tokens: generated."""

    text: str
    finish_reason: str
    tokens: int

    def to_json(self) -> dict[str, Any]:
        """As `chat --json` has it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class Speaker(Protocol):
    """Who can be talked to."""

    name: str

    def answer(self, said: str) -> Reply: ...

    def forget(self) -> None: ...


@dataclass
class Student:
    """A causal LM in this process.

    chat: whether what is said goes into its chat template, with what was said before; else it is continued as it
    stands, and nothing before it counts.
    """

    name: str
    loaded: Any
    chat: bool
    max_new_tokens: int
    temperature: float = 0.0
    seed: int = 0
    _turns: list[Message] = field(default_factory=list)
    _asked: int = 0

    def answer(self, said: str) -> Reply:
        from pipeline.models.generation import chat_prompt, generate

        turns = [*self._turns, Message("user", said)]
        prompt = chat_prompt(self.loaded, turns) if self.chat else said
        seeds = [self.seed + self._asked] if self.temperature else []
        self._asked += 1
        (done,) = generate(
            self.loaded, [prompt], max_new_tokens=self.max_new_tokens, temperature=self.temperature, seeds=seeds
        )
        if done.no_room:
            raise InputError(
                f"{self.name}: what was said is longer than the model's context", hint="say less, or /reset and go on"
            )
        if self.chat:
            self._turns = [*turns, Message("assistant", done.text)]
        return Reply(done.text, done.finish_reason, done.tokens)

    def forget(self) -> None:
        self._turns = []


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said(Record):
    """A turn of the conversation."""

    type: ClassVar[str] = "said"
    number: int


@dataclass
class Beside:
    """A teacher of the run's recipe. Its answers are paid for where it is an endpoint, and are kept nowhere."""

    name: str
    teacher: Teacher
    execution: Execution
    _turns: list[Message] = field(default_factory=list)

    def answer(self, said: str) -> Reply:
        turns = (*self._turns, Message("user", said))
        with own_folder() as folder:
            found = list(
                ask([(_Said(number=len(turns)), turns)], self.teacher, journal=folder, execution=self.execution)
            )
        result = found[0][1] if found else None
        if result is None or isinstance(result, Failure):
            why = f"{result.trouble}: {result.detail}" if result else "nothing was answered"
            raise HornbookError(
                f"the teacher {self.name} gave no answer: {why}", hint="try again, or another --teacher"
            )
        self._turns = [*turns, Message("assistant", result.text)]
        return Reply(result.text, result.finish_reason, result.completion_tokens)

    def forget(self) -> None:
        self._turns = []


def teacher_of(recipe: Recipe, name: str, execution: Execution, models: Path) -> Beside:
    """The teacher called `name` in a run's recipe. Raises InputError where there is none, or none that can talk."""
    table = next((one for one in recipe.teachers if one.name == name), None)
    talking = [one.name for one in recipe.teachers if one.kind in ("openai", "local")]
    if table is None or table.name not in talking:
        alone = "" if table is None else f"--teacher {name}: a {table.kind} answers the recipe's prompts alone"
        raise InputError(
            alone or unknown_teacher("--teacher", name, [one.name for one in recipe.teachers]),
            hint=f"those that can talk: {', '.join(talking)}" if talking else "none of this recipe's teachers can",
        )
    return Beside(name, build(table, replace(execution, budget_usd=None), recipe.seed, models), execution)


def conversation(
    speakers: Sequence[Speaker],
    lines: Iterator[str],
    show: Callable[[str, Reply], None],
    unanswered: Callable[[HornbookError], None],
) -> Iterator[dict[str, Any]]:
    """Hand each of `lines` to every speaker; `/reset` lets them forget what was said. Yields what `--json` lists.

    unanswered: is told what a speaker could not answer, and raises where the conversation is to end with that.
    """
    for said in lines:
        if said.strip() == "/reset":
            for one in speakers:
                one.forget()
            continue
        if not said.strip():
            continue
        answers = {}
        for one in speakers:
            try:
                reply = one.answer(said)
            except HornbookError as error:
                unanswered(error)
                continue
            show(one.name, reply)
            answers[one.name] = reply.to_json()
        yield {"said": said, "answers": answers}
