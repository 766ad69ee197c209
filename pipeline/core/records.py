"""The record types, one per arrow of the walk.

A record is a frozen dataclass whose `id` is the hash of its content, parents included: two completions with the same
text are two records, and it is the `distinct` stage, not the id, that says they are duplicates. Every record names its
parent, so `trace` needs no other table::

    Seed -> Prompt -> Completion -> Passage | Exercise -> (tokens: Span) -> ... Problem -> Sample -> Score
                                                                              Problem -> Likelihood

The seed travels inside prompts and completions (it is a few hundred bytes and compresses well): a stage is a pure
function of its own input and never has to join.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cache
from operator import attrgetter
from types import MemberDescriptorType
from typing import Any, ClassVar, Literal

from pipeline.core.identity import LATER, content_id, identified

DocumentKind = Literal["textbook", "exercise"]
TestOwner = Literal["teacher", "seed", "agreement"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of all records. `id` is computed once, from every other field, when the record is made."""

    type: ClassVar[str] = "record"
    found: ClassVar[frozenset[str]] = frozenset()
    """Fields that say what a stage has found out about the record. The id does not depend on them, nor equality."""
    id: str = field(init=False, default="")

    def __post_init__(self) -> None:
        hashed = identified(self, {"id", *self.found})
        object.__setattr__(self, "id", content_id(self.type, hashed))

    def content(self) -> dict[str, Any]:
        """All fields but the id, which is the hash of them and of the record's type."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "id"}

    def __reduce__(self) -> tuple[Callable[..., "Record"], tuple[Any, ...]]:
        """Pickled as the values of all fields, the id among them: faster than what dataclasses do by themselves."""
        kind: Any = type(self)
        return _unpickled, (kind, _values(kind)(self))


@cache
def _values(cls: Any) -> Callable[[Record], tuple[Any, ...]]:
    names = [f.name for f in fields(cls)]
    if len(names) > 1:
        return attrgetter(*names)
    return lambda record: tuple(getattr(record, name) for name in names)  # of one name attrgetter makes no tuple


@cache
def _setters(cls: Any) -> tuple[Callable[[Record, Any], None], ...]:
    return tuple(_setter(cls, f.name) for f in fields(cls))


def _setter(cls: Any, name: str) -> Callable[[Record, Any], None]:
    """Sets a field of a frozen record: by its slot, or past the dataclass where a subclass has no slots."""
    slot = getattr(cls, name, None)
    if isinstance(slot, MemberDescriptorType):
        setter: Callable[[Record, Any], None] = slot.__set__
        return setter
    return lambda record, value: object.__setattr__(record, name, value)


def _unpickled(cls: Any, values: tuple[Any, ...]) -> Record:
    record: Record = object.__new__(cls)
    for setter, value in zip(_setters(cls), values, strict=True):
        setter(record, value)
    return record


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(Record):
    """A function to write together with tests that the pipeline owns, for teachers whose own tests cannot be trusted.

    prompt: signature and docstring, ending in one newline. test: statements that use `entry_point` (asserts, or a
    `check(candidate)` function as in HumanEval).
    """

    type: ClassVar[str] = "task"
    entry_point: str
    prompt: str
    test: str


@dataclass(frozen=True, slots=True)
class Column:
    """A text about the value of an axis."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The value that a seed has on one axis of its domain. columns: further texts about it, by name, sorted."""

    axis: str
    name: str
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed(Record):
    """What a teacher is asked for, before any words: one point of topic x axes x constraints.

    number: the seed's place in the draw, which keeps seeds with equal constraints apart. topic: path in the topic
    tree, "strings/slicing/steps". title: the leaf in words. function_name: the name the exercise must use
    (exercises only). words: words that the text must use (TinyStories' device). teacher: name of the teacher to ask.
    task: set where the pipeline owns the tests. audience, form: the values on the axes of these names, with their
    columns `note`: how the text differs for this audience and in this form. axes: the values on all other axes.
    """

    type: ClassVar[str] = "seed"
    kind: DocumentKind
    number: int
    topic: str
    title: str
    audience: str
    form: str
    function_name: str = ""
    words: tuple[str, ...] = ()
    teacher: str = ""
    task: Task | None = None
    audience_note: str = ""
    form_note: str = ""
    axes: tuple[Choice, ...] = field(default=(), metadata=LATER)


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; role is "system", "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt(Record):
    """A rendered template. template: its path below `prompts/`; template_digest: hash of its text and front matter."""

    type: ClassVar[str] = "prompt"
    seed: Seed
    messages: tuple[Message, ...]
    template: str
    template_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion(Record):
    """A teacher's whole answer, as it came.

    finish_reason: "stop", or the server's word for an ending that is not known here. Token counts are the teacher's own
    where it reports them, else 0. usd: price at the time of the answer; 0.0 for local teachers. number: n-th sample of
    the same prompt.
    """

    type: ClassVar[str] = "completion"
    prompt_id: str
    seed: Seed
    teacher: str
    teacher_kind: str
    model: str
    text: str
    finish_reason: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0
    number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage(Record):
    """Textbook prose or real code. text: Markdown for a teacher's passage, Python for real code.

    completion_id: the parent, or "" for real code; then `origin` is the file and `licence` its SPDX expression, or
    "" where it cannot be told. executed: blocks of code and examples in it that the stage `validated` ran, 0 where it
    had nothing to run (real code is only parsed); None where it has not come there.
    """

    type: ClassVar[str] = "passage"
    found: ClassVar[frozenset[str]] = frozenset({"executed"})
    text: str
    topic: str = ""
    audience: str = ""
    teacher: str = ""
    completion_id: str = ""
    origin: str = ""
    licence: str = ""
    executed: int | None = field(default=None, compare=False)

    @property
    def written(self) -> str:
        """What it is compared with others by: all of it."""
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise(Record):
    """A function to complete, with its solution and tests.

    prompt: imports, signature and docstring, ending in one newline. solution: the indented body that completes it,
    ending in one newline. test: as in `Task`. test_owner: "teacher" if it came with the answer, "seed" if the
    pipeline owns it, "agreement" if several solutions agree on what it says. mutants, killed: how many wrong variants
    of the solution the stage `validated` made, and how many of them the test refuses; None where it made none on
    purpose, or has not come there. attempts: further solutions of the same prompt, written without sight of this one,
    where the stage `solutions` has asked for some; None where not. given: characters at the beginning of the prompt
    that the domain gives, as a schema that many exercises share. wording: 0 as it came; from 1 on other words for it,
    with a program that was written from them. Outside Python `test` is the JSON of the check, and there is no entry
    point.
    """

    type: ClassVar[str] = "exercise"
    found: ClassVar[frozenset[str]] = frozenset({"mutants", "killed", "attempts"})
    prompt: str
    solution: str
    entry_point: str
    test: str
    test_owner: TestOwner
    topic: str = ""
    audience: str = ""
    teacher: str = ""
    completion_id: str = ""
    mutants: int | None = field(default=None, compare=False)
    killed: int | None = field(default=None, compare=False)
    attempts: tuple[str, ...] | None = field(default=None, compare=False)
    given: int = field(default=0, metadata=LATER)
    wording: int = field(default=0, metadata=LATER)

    @property
    def text(self) -> str:
        """What the student reads: the prompt and its solution, without the tests."""
        return self.prompt + self.solution

    @property
    def written(self) -> str:
        """What the teacher wrote of it, by which it is compared with others."""
        return self.text[self.given :]


Document = Passage | Exercise


@dataclass(frozen=True, slots=True, kw_only=True)
class Span(Record):
    """Where a document lies in the token stream: tokens [start, stop) of shard number `shard`.

    loss_start: first token that carries loss: `start`, or the start of the body where loss is on answers only.
    """

    type: ClassVar[str] = "span"
    document_id: str
    shard: int
    start: int
    loss_start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem(Record):
    """A benchmark problem in HumanEval's form.

    prompt: what the model completes. test: defines `check(candidate)`, or holds asserts on `entry_point`. group: a
    named part of the benchmark ("new wordings") or "". prelude: code that runs before the answer (MBPP's setup).
    domain: name or folder of the domain whose checker judges answers, "" for tests in the sandbox; `test` is then the
    JSON of its check.
    """

    type: ClassVar[str] = "problem"
    found: ClassVar[frozenset[str]] = frozenset({"domain"})
    benchmark: str
    task_id: str
    prompt: str
    entry_point: str
    test: str
    canonical_solution: str = ""
    group: str = ""
    prelude: str = ""
    domain: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample(Record):
    """One answer of a model to a problem.

    model: "before", "after" or a user's name for it. checkpoint: content key of the weights, or the endpoint.
    raw: the text as generated; completion: after the named post-processing, which is what is scored.
    finish_reason: "stop", "length" or "eos". whole: True where `completion` is the whole program (a chat model's
    answer, evalplus' `solution`), not a continuation of the prompt.
    """

    type: ClassVar[str] = "sample"
    problem_id: str
    benchmark: str
    task_id: str
    model: str
    checkpoint: str
    raw: str
    completion: str
    finish_reason: str = "stop"
    tokens: int = 0
    number: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Record):
    """The sandbox's verdict on a sample. passed is None where the sample could not be scored (never counted as 0).

    judged: how the test was held against the program, in the sandbox's word ("values", "apart", "together"); "" for a
    score of a time that did not say.
    """

    type: ClassVar[str] = "score"
    sample_id: str
    problem_id: str
    benchmark: str
    task_id: str
    model: str
    group: str = ""
    number: int = 0
    passed: bool | None
    verdict: str
    detail: str = ""
    judged: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likelihood(Record):
    """How likely a model finds a problem's reference solution after its prompt.

    model, checkpoint: as a sample's. nats: -log of the solution's probability, summed over its tokens. tokens, bytes:
    the solution's length for the model, and in UTF-8, which is the same for every model.
    """

    type: ClassVar[str] = "likelihood"
    problem_id: str
    benchmark: str
    task_id: str
    model: str
    checkpoint: str
    group: str = ""
    nats: float
    tokens: int
    bytes: int


RECORD_TYPES: dict[str, type[Record]] = {
    cls.type: cls
    for cls in (Task, Seed, Prompt, Completion, Passage, Exercise, Span, Problem, Sample, Score, Likelihood)
}
