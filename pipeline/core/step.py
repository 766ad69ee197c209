"""A step of a walk: a stage, declared once. Plan, run, report, status and `clean` are generic over a tuple of these.

What a stage does to records is its own (`core/stage.py`); a step says where in the walk it stands, what its key is the
hash of, and which function makes its artifact. `pipeline/walk.py` is the tuple.

A key is the hash of all that can change what the stage writes: its name and version, its recipe table, the keys of its
inputs and the digests of the files it reads; of a path only its last part, since what lies there is digested. Execution
settings are not among them. Since a key holds the keys of its inputs, changing anything gives new keys to that stage
and to all that follow, and to no other.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from pipeline.core.identity import digest
from pipeline.core.plan import KEY_LENGTH, Plan, PlannedStage
from pipeline.core.records import Record

RecipeT = TypeVar("RecipeT")
MakingT = TypeVar("MakingT")
ArtifactT = TypeVar("ArtifactT")


def _always(recipe: Any) -> bool:
    return True


def _nothing(recipe: Any) -> Any:
    return None


def _all(recipe: Any) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True)  # with slots, Python 3.11 cannot make one through `TextStep`, a generic with its arguments
class Step(Generic[RecipeT, MakingT, ArtifactT]):
    """One stage of a walk.

    name, version: part of the key; the version is raised by hand when the same settings come to mean other results.
    caption: what the stage does, for a reader who sees its name for the first time. make: writes the artifact; its
    inputs are in the store. settings: the recipe's tables and values that enter the key. inputs: names of the stages
    that it reads, where the recipe has them. unread: those of them that a recipe does not need after all. kept,
    dropped: types of the records that it writes, none where the artifact is files. reasons: the closed set of reasons
    for which it may drop, with what each means. corpus: whether its records are, or become, training documents; where
    none is kept the run ends. wanted: whether a recipe has the stage at all. reads: digests of what it reads outside
    the store, None where it reads nothing; raises InputError for what is not there.
    """

    name: str
    version: int
    caption: str
    make: Callable[[MakingT], ArtifactT]
    settings: Callable[[RecipeT], Mapping[str, Any]]
    inputs: tuple[str, ...] = ()
    unread: Callable[[RecipeT], tuple[str, ...]] = _all
    kept: tuple[type[Record], ...] = ()
    dropped: tuple[type[Record], ...] = ()
    reasons: Mapping[str, str] = field(default_factory=dict)
    corpus: bool = False
    wanted: Callable[[RecipeT], bool] = _always
    reads: Callable[[RecipeT], Any] = _nothing


def plan(
    walk: Sequence[Step[RecipeT, Any, Any]],
    recipe: RecipeT,
    reads: Mapping[str, Any],
    generations: Mapping[str, str] | None = None,
) -> Plan:
    """The stages of `walk` that `recipe` needs.

    reads: per stage, whatever identifies the files and models it reads (`Step.reads`); a stage without an entry reads
    none. generations: of stages that a run was told to make again (`run --fresh`), the time of that wish.
    """
    stages: dict[str, PlannedStage] = {}
    for step in walk:
        if not step.wanted(recipe):
            continue
        unread = step.unread(recipe)
        inputs = {name: stages[name].key for name in step.inputs if name in stages and name not in unread}
        settings = {
            name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
            for name, value in step.settings(recipe).items()
        }
        if step.name in reads:
            settings["reads"] = reads[step.name]
        if generations and step.name in generations:
            settings["generation"] = generations[step.name]
        key = digest([step.name, step.version, settings, sorted(inputs.items())])[:KEY_LENGTH]
        stages[step.name] = PlannedStage(step.name, step.version, key, inputs, settings)
    return Plan(tuple(stages.values()))
