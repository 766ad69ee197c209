"""What a kind of teacher is to the rest of the house: `kinds/NAME.py` declares one, `building.KINDS` lists all."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar

from pipeline.execution import Execution
from pipeline.models.fetching import Tell
from pipeline.recipe_teachers import SampledTable, TeacherTable
from pipeline.teacher.protocol import Teacher
from pipeline.teacher.wire import Api, Sampling

TableT = TypeVar("TableT", bound=TeacherTable)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a teacher is built with beside its table.

    seed: the recipe's. models: folder for models. tell: hears of a model's download. with_keys: whether API keys are
    read; a teacher without them can say what its answers are journalled under, and cannot ask.
    """

    execution: Execution
    seed: int
    models: Path
    tell: Tell
    with_keys: bool = True


def free(table: TeacherTable, prompt_tokens: int, completion_tokens: int) -> float:
    """The cost of a teacher that is not paid."""
    return 0.0


@dataclass(frozen=True)  # with slots, Python 3.11 cannot make one of a generic with its arguments
class Kind(Generic[TableT]):
    """One kind of teacher.

    table: its keys in a recipe. what: in words, for a reader of the report. build: the teacher of a table; raises
    RecipeError, MissingKey or MissingExtra, asks, loads and downloads nothing. keyed: what its answers are journalled
    under, by which a stranger's journal is told apart; "nothing" where they come from a journal. usd: dollars that so
    many tokens of prompts and answers cost, None where the price is not known. dated: whether the day of an answer
    matters, since the model behind a name may change.
    """

    table: type[TableT]
    what: str
    build: Callable[[TableT, Setup], Teacher]
    keyed: Literal["messages", "prompts", "nothing"]
    usd: Callable[[TableT, int, int], float | None] = free
    dated: bool = False

    @property
    def name(self) -> str:
        """As in `kind = "NAME"`."""
        return str(self.table.model_fields["kind"].default)

    @property
    def has_model(self) -> bool:
        """Whether a language model wrote its answers; those of any other teacher are not worth telling of."""
        return self.table.has_model

    @property
    def renewable(self) -> bool:
        """Whether `--fresh` asks a model for its answers again."""
        return self.has_model and self.keyed != "nothing"


def sampling_of(table: SampledTable, api: Api = "chat") -> Sampling:
    """The sampling settings of a table."""
    return Sampling(
        temperature=table.temperature,
        top_p=table.top_p,
        max_tokens=table.max_tokens,
        stop=table.stop,
        seed=table.seed,
        extra_body=tuple(sorted(table.extra_body.items())),
        api=api,
    )
