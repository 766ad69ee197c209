"""The teachers of a recipe: a table for each kind, told apart by `kind`, and what all of them have in common.

A kind's table has the keys that it reads and no other, so a key of another kind is an unknown one. Who builds a
teacher of a table, and what else there is to know of its kind, is declared in `pipeline/teacher/kinds/NAME.py`.
"""

from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.core.located import Located
from pipeline.core.names import Name
from pipeline.recipe_base import Count, Fraction, Json, ModelText, Positive, Seed, Table, tables_in


class TeacherTable(Table):
    """One teacher. A recipe may name several; the shares say who is asked how often."""

    has_model: ClassVar[bool] = True
    """Whether a language model is behind it, which reads what it is asked and so can judge."""

    kind: str
    """What the teacher is; its other keys depend on it."""
    name: Name
    """The teacher's name in the report: a letter or digit, then letters, digits, ".", "_" and "-"."""
    exercise_share: Fraction = 1.0
    """Share of the exercise seeds that this teacher is asked."""
    textbook_share: Fraction = 1.0
    """Share of the textbook seeds that this teacher is asked."""
    tests: Literal["teacher", "seed", "agreement"] = "teacher"
    """Who owns an exercise's tests: "seed" for teachers whose own tests are not to be trusted, "agreement" for what
    several of the teacher's solutions return alike (see `agreement`)."""
    max_tokens: Positive = 1024
    """Longest answer, tokens."""

    @model_validator(mode="before")
    @classmethod
    def _without_idle_keys(cls, data: Any) -> Any:
        """Recipes that earlier versions wrote out have the keys of all kinds: those that set nothing are left out."""
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key in cls.model_fields or not _is_idle(key, value)}

    @property
    def answers_with(self) -> str:
        """The model or repertoire that answers, as reports name it; "" where none is named."""
        return str(getattr(self, "model", ""))

    @property
    def weights(self) -> str:
        """The model whose weights this process loads to ask it, "" for none."""
        return ""

    @property
    def lacking(self) -> str:
        """What must be given and is not, in words; "" where nothing is missing."""
        return ""


class SampledTable(TeacherTable):
    """A teacher that draws its words from a language model."""

    temperature: Annotated[float, Field(ge=0.0, le=2.0)] = 0.7
    """Sampling temperature; 0 for the likeliest answer."""
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """Nucleus sampling: the share of the probability mass that tokens are drawn from."""
    stop: tuple[str, ...] = ()
    """Texts at which an answer ends."""
    seed: Seed | None = None
    """Sampling seed sent to the endpoint or used by the local engine; None for none (local: the recipe's seed)."""
    extra_body: dict[str, Json] = {}
    """Extra fields of the request's body, e.g. response_format; of local engines only llama.cpp reads them."""


class FallbackTable(Table):
    """A further endpoint of the same teacher. What it leaves out is the teacher's own, but for the weight."""

    base_url: str | None = None
    """OpenAI-compatible endpoint."""
    model: str | None = None
    """Model name there."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the key; "" for none."""
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """Weight among the teacher's endpoints."""


class OpenAITable(SampledTable):
    """A model behind an OpenAI-compatible endpoint, or behind several."""

    kind: Literal["openai"] = "openai"
    model: str = ""
    """Model name at the endpoint."""
    base_url: str = ""
    """OpenAI-compatible endpoint, e.g. "http://127.0.0.1:8000/v1"."""
    api_key_env: str = ""
    """Name of the environment variable that holds the key; "" for none."""
    mode: Literal["online", "batch"] = "online"
    """"batch" sends OpenAI-style files to the Batch API."""
    headers: dict[str, str] = {}
    """Extra request headers; never a key (use api_key_env)."""
    weight: Annotated[float, Field(gt=0.0)] = 1.0
    """Weight of `base_url` among the fallbacks."""
    fallbacks: tuple[FallbackTable, ...] = ()
    """Further endpoints of the same teacher."""

    @property
    def lacking(self) -> str:
        if self.model and self.base_url:
            return ""
        return "model and base_url must be given for kind = 'openai', e.g. base_url = 'http://127.0.0.1:8000/v1'"


class LocalTable(SampledTable):
    """A language model in this process."""

    kind: Literal["local"] = "local"
    model: ModelText = ""
    """HF folder, GGUF file, a model's name, or "smollm2" for the embedded one, which "" is too."""
    engine: Literal["auto", "transformers", "llama.cpp"] = "auto"
    """What runs the model; "auto": llama.cpp for large GGUF files on a CPU where it is installed."""
    optional: bool = False
    """Whether a run goes on without this teacher where the file of its named model can be had nowhere."""

    @property
    def weights(self) -> str:
        return self.model or "smollm2"


Fault = Literal[
    "refused", "truncated", "failed", "no-code", "unclosed-fence", "no-signature", "unparsable", "test-failed",
    "no-test", "timeout", "crash", "uncomparable", "exact-duplicate", "near-duplicate", "clone", "too-short",
    "repeated", "low-value", "secret", "ngram-overlap", "tree-overlap",
]  # fmt: skip


class ComposerTable(TeacherTable):
    """A fixture for smoke runs and tests, with no model in it: what it answers is not about what it is asked."""

    has_model: ClassVar[bool] = False

    kind: Literal["composer"] = "composer"
    faults: tuple[Fault, ...] = ()
    """What is wrong with faulty exercises, dealt in turn, each by the reason that it is dropped for. The last two leak
    the benchmark "composed"."""
    fault_share: Fraction = 0.5
    """Share of the exercises that are faulty, where `faults` names any."""
    seed: Seed | None = None
    """Root of what is drawn; None for the recipe's seed."""


class ReplayTable(TeacherTable):
    """Recorded answers, whoever gave them."""

    kind: Literal["replay"] = "replay"
    replay: Annotated[str, Located("journal")] = ""
    """Journal file or folder to answer from, or recorded:NAME for a recording that is shipped."""
    otherwise: str = ""
    """Name of the teacher that is asked what is not recorded; "" for none: it is dropped as failed."""
    most_otherwise: Count = 0
    """Most questions that it is asked in a stage, the first ones; 0 for any number."""

    @property
    def lacking(self) -> str:
        return "" if self.replay else "replay must name a journal of an earlier run for kind = 'replay'"


AnyTeacher = Annotated[OpenAITable | LocalTable | ComposerTable | ReplayTable, Field(discriminator="kind")]
"""A teacher of any kind: its `kind` says which table it is."""


def forget_other_kinds(teachers: Any, given: Collection[tuple[str, ...]]) -> None:
    """Where an override changed a teacher's kind, what the recipe says of it that only other kinds know goes too."""
    tables = tables_in(AnyTeacher)
    known = {key for table in tables.values() for key in table.model_fields}
    for number, entry in enumerate(teachers if isinstance(teachers, list) else ()):
        place = ("teachers", str(number))
        if isinstance(entry, dict) and (*place, "kind") in given and str(entry["kind"]) in tables:
            own = tables[str(entry["kind"])].model_fields
            for key in [key for key in entry if key in known - own.keys() and (*place, key) not in given]:
                del entry[key]


def _is_idle(key: str, value: object) -> bool:
    """Whether a key has its default of some kind."""
    fields = [table.model_fields[key] for table in tables_in(AnyTeacher).values() if key in table.model_fields]
    return any((list(f.default) if isinstance(f.default, tuple) else f.default) == value for f in fields)


def with_others(teachers: Sequence[TeacherTable], names: Collection[str]) -> tuple[TeacherTable, ...]:
    """The teachers of these names, and those to whom they leave what is not recorded."""
    others = {one.otherwise for one in teachers if one.name in names and isinstance(one, ReplayTable)}
    return tuple(one for one in teachers if one.name in {*names, *others})
