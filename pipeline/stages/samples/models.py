"""What can be scored: a local causal LM or an endpoint, as one thing that answers prompts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, runtime_checkable

from pipeline.core.identity import LATER
from pipeline.core.interrupts import mapped
from pipeline.core.records import Message
from pipeline.execution import Execution

if TYPE_CHECKING:
    from pipeline.languages.base import Language
    from pipeline.models.loading import LoadedModel

StopRule = Literal["code", "program", "none"]

STOP_LABELS: Mapping[StopRule, str] = {"code": "code-stop/2", "program": "program-stop/2", "none": "none"}
"""Name and version of each rule, as results print it."""


@dataclass(frozen=True, slots=True)
class Ask:
    """How prompts are to be answered; everything here changes answers.

    max_new_tokens: longest answer, tokens. temperature: 0.0 is greedy. stop: "code" ends an answer where the
    function's body ends, "program" where definitions are followed by tests, prints or prose,
    "none" lets it run on. stop_strings: further strings that end an answer. chat: whether
    prompts are instructions for the model's chat template. language: of the answer, where it is not Python; it then
    says where an answer ends, unless stop is "none". opening: what a chat answer begins with, written for the model.
    """

    max_new_tokens: int
    temperature: float = 0.0
    stop: StopRule = "code"
    stop_strings: tuple[str, ...] = ()
    chat: bool = False
    language: str = field(default="", metadata=LATER)
    opening: str = field(default="", metadata=LATER)


NO_CONTENT, NO_ROOM = "no-content", "no-room"
"""Finish reasons of answers that are empty for a reason of their own, and still count: the model's answer had no
content, or its prompt leaves no room in the model's context."""

EMPTY: Mapping[str, str] = {
    NO_CONTENT: "without content",
    NO_ROOM: "to prompts that are longer than the model's context",
}
"""What is said of them beside a score."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to prompt number `index`. text: as generated, up to where the stop rule ended it.
    usd: price of the answer, 0.0 for local models."""

    index: int
    text: str
    finish_reason: str
    tokens: int
    usd: float = 0.0


class Size(NamedTuple):
    """Of a model's weights: how many numbers, and how many bytes they take; weights that are tied count once."""

    parameters: int
    bytes: int


@runtime_checkable
class Answerer(Protocol):
    """A model that answers prompts.

    checkpoint: content key of the weights, or the endpoint and model name; part of a sample's id.
    """

    @property
    def checkpoint(self) -> str: ...

    def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
        """One answer for each prompt, in the order in which they are finished. seeds: one for each prompt."""
        ...


class Opened(Answerer, Protocol):
    """A model that the user named, with what a result says about it."""

    def size(self) -> Size | None:
        """Of the weights; None where it is not known."""
        ...

    @property
    def precision(self) -> str | None:
        """Arithmetic in which it answers, None where it is not known."""
        ...

    def notes(self, ask: Ask) -> list[str]:
        """What a reader of the result must know of how the model was asked."""
        ...

    def missing(self) -> list[str]:
        """Why prompts have no answer, each reason with how many; none where all were answered."""
        ...


@dataclass(frozen=True, slots=True)
class _StopOf:
    """The stop rule of a language, as generation takes it."""

    language: "Language"

    def after(self, prompt: str) -> Callable[..., int | None]:
        stop = self.language.stop(prompt)
        return lambda text, ended=False: stop(text)


class LocalModel:
    """A causal LM in this process. Greedy answers in fp32 do not depend on the batch."""

    def __init__(self, loaded: "LoadedModel", checkpoint: str, execution: Execution) -> None:
        self.loaded = loaded
        self._checkpoint = checkpoint
        self._batch = execution.batch

    @property
    def checkpoint(self) -> str:
        return self._checkpoint

    def size(self) -> Size:
        """Of the weights as they are loaded."""
        weights = list(self.loaded.model.parameters())
        return Size(sum(w.numel() for w in weights), sum(w.numel() * w.element_size() for w in weights))

    @property
    def precision(self) -> str:
        from pipeline.models.loading import name_of

        return name_of(next(self.loaded.model.parameters()).dtype)

    def notes(self, ask: Ask) -> list[str]:
        """Nothing that the result's settings do not say."""
        return []

    def missing(self) -> list[str]:
        """Nothing: a model in this process answers every prompt, if with nothing."""
        return []

    def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
        from pipeline.languages.finding import named
        from pipeline.languages.python.stopping import AnswerEnd, Ending
        from pipeline.models.generation import chat_prompt, generate

        if ask.chat:
            prompts = [chat_prompt(self.loaded, [Message("user", prompt)], ask.opening) for prompt in prompts]
        # A chat answer is prose around a code block: the rule for bodies would end it at its first word.
        ending: Ending = (
            "body" if ask.stop == "code" and not ask.chat else "program" if ask.stop == "program" else "none"
        )
        generations = generate(
            self.loaded,
            prompts,
            max_new_tokens=ask.max_new_tokens,
            stop=_StopOf(named(ask.language))
            if ask.language and ask.stop != "none"
            else AnswerEnd(ending, ask.stop_strings),
            temperature=ask.temperature,
            seeds=seeds,
            batch=self._batch,
        )
        yield from mapped(
            generations,
            lambda done: Answered(done.index, done.text, NO_ROOM if done.no_room else done.finish_reason, done.tokens),
        )
