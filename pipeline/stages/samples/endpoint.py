"""An OpenAI-compatible endpoint as a model to score, asked through the teachers' engine: paced, retried, journaled."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipeline.core.errors import InputError, UsageError
from pipeline.core.interrupts import mapped
from pipeline.core.records import Message, Record
from pipeline.execution import Execution
from pipeline.languages.finding import named
from pipeline.stages.samples.models import NO_CONTENT, Answered, Ask
from pipeline.stages.samples.postprocess import PROGRAM_STOPS, STOP_STRINGS
from pipeline.store.locks import own_folder
from pipeline.teacher import Answer, Failure, Outcome, Question, converse, evaluation_teacher
from pipeline.teacher.content import NOTHING

MOST_STOPS = 4
"""Stop strings that OpenAI's endpoints accept in one request."""
MOST_REASONS = 5
"""Reasons for missing answers that a result tells: endpoints may put a number of the request into each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Record):
    """What a question to an endpoint is about: prompt number `index`."""

    type: ClassVar[str] = "asked"
    index: int


class EndpointModel:
    """A model behind a URL: /chat/completions for chat prompts, /completions for prompts to be continued.

    Sampled answers have seeds of the endpoint's own making, so they repeat only through the journal. Raises UsageError
    (RecipeError, MissingKey) where the URL or the key cannot be used; nothing is asked before the first prompt.
    """

    def __init__(self, url: str, model: str, api_key_env: str, execution: Execution) -> None:
        if not model:
            raise InputError(
                f"the endpoint {url} serves models by name, and none is given",
                hint="name one of those at URL/models (--model, or --teacher-model for a teacher)",
            )
        checked = evaluation_teacher(url, model, execution=execution, api_key_env=api_key_env)
        self._url = checked.endpoints[0].base_url
        self._model = model
        self._key_variable = api_key_env
        self._execution = execution
        self._unanswered: Counter[str] = Counter()
        self._notes: Counter[str] = Counter()

    @property
    def checkpoint(self) -> str:
        return f"{self._url} {self._model}"

    def size(self) -> None:
        """Not known: an endpoint does not tell."""

    @property
    def precision(self) -> None:
        """Not known: an endpoint does not tell."""

    def notes(self, ask: Ask) -> list[str]:
        """Which stop strings the endpoint is sent, what is to be known of its answers, and why some are missing."""
        notes = [f"the endpoint was sent the stop strings {list(_stops(ask))}"] if _stops(ask) else []
        notes += [f"{count} answers: {note}" for note, count in self._notes.most_common(MOST_REASONS)]
        return notes + self.missing()

    def missing(self) -> list[str]:
        """The most frequent reasons, with what the endpoint said."""
        return [f"{count} not answered: {why}" for why, count in self._unanswered.most_common(MOST_REASONS)]

    def answers(self, prompts: Sequence[str], ask: Ask, seeds: Sequence[int]) -> Iterator[Answered]:
        """Answers as they come. A prompt that the endpoint cannot answer gives none: it stays unscored. Where it
        answers again and again without content, that is the model's answer. Raises UsageError where an answer is to be
        begun for the model."""
        if ask.opening:
            raise UsageError(
                "prompt form 'evalplus' begins the answer for the model, which an endpoint does not let one do",
                hint="use --prompt-form chat, or name the model's folder",
            )
        teacher = evaluation_teacher(
            self._url,
            self._model,
            execution=self._execution,
            api="chat" if ask.chat else "completions",
            api_key_env=self._key_variable,
            temperature=ask.temperature,
            max_tokens=ask.max_new_tokens,
            stop=_stops(ask),
            seed=seeds[0] % 2**31 if ask.temperature and seeds else None,
        )
        questions = (
            Question(Asked(index=index), teacher.name, (Message("user", prompt),))
            for index, prompt in enumerate(prompts)
        )
        # The evaluation's own journal is what outlives this process; the engine's only serves its retries.
        with own_folder() as folder:
            asking = converse(
                questions,
                {teacher.name: teacher},
                journal=folder,
                execution=self._execution,
                total=len(prompts),
            )
            yield from mapped(asking, self._answered)

    def _answered(self, outcome: Outcome) -> Answered | None:
        record, result = outcome.question.record, outcome.result
        assert isinstance(record, Asked)
        if isinstance(result, Answer):
            self._notes.update(result.notes)
            return Answered(record.index, result.text, result.finish_reason, result.completion_tokens, result.usd)
        if _without_content(result):
            return Answered(record.index, "", NO_CONTENT, 0)
        self._unanswered[f"{result.trouble}: {result.detail}"] += 1
        return None


def _without_content(result: object) -> bool:
    return isinstance(result, Failure) and any(said in result.detail for said in NOTHING)


def _stops(ask: Ask) -> tuple[str, ...]:
    stops: tuple[str, ...] = ()
    if not ask.chat and ask.stop != "none":
        if ask.language:
            stops = named(ask.language).stop_strings
        else:
            stops = STOP_STRINGS if ask.stop == "code" else PROGRAM_STOPS
    return (*ask.stop_strings, *stops)[:MOST_STOPS]
