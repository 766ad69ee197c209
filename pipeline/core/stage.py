"""What a stage is: a pure function from records to outcomes, one outcome for each record.

Conservation is the law: in = kept + dropped. A stage may answer in any order and may hold records back (duplicates
need the whole corpus), but each record that goes in comes out once, as `Kept` or as `Dropped` with a reason of the
stage's closed set. `Tally` counts, and `checked` raises where the law or the set is broken.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pipeline.core.records import Record

R_co = TypeVar("R_co", bound=Record, covariant=True)
In = TypeVar("In", bound=Record)
Out = TypeVar("Out", bound=Record)
In_contra = TypeVar("In_contra", bound=Record, contravariant=True)


@dataclass(frozen=True, slots=True)
class Kept(Generic[R_co]):
    """A record that goes on; `record` may be a new one made from the stage's input (a completion becomes a passage)."""

    record: R_co


@dataclass(frozen=True, slots=True)
class Dropped:
    """A record that stops here.

    reason: one of the stage's closed set. detail: for a person, with both numbers ("0.41 > 0.30"). kept_id and
    similarity: for duplicates, the record kept in its place and the exact similarity to it, in [0, 1].
    """

    record: Record
    reason: str
    detail: str
    kept_id: str = ""
    similarity: float | None = None


class Stage(Protocol[In_contra, R_co]):
    """What a step of the walk does to records.

    name: the step's. reasons: the closed set of reasons for which it may drop, with what each means.
    """

    name: ClassVar[str]
    reasons: ClassVar[Mapping[str, str]]

    def __call__(self, records: Iterable[In_contra]) -> Iterator[Kept[R_co] | Dropped]: ...


@dataclass(slots=True)
class Tally:
    """Counts of one stage. `entered` is counted on the way in, the rest on the way out."""

    entered: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    @property
    def balanced(self) -> bool:
        """Whether in = kept + dropped."""
        return self.entered == self.kept + self.dropped.total()


class ConservationError(AssertionError):
    """A stage lost, invented or mislabelled a record: a bug in the stage, never the user's fault."""


def checked(
    stage: Stage[In, Out],
    records: Iterable[In],
    tally: Tally,
    run: Callable[[Stage[In, Out], Iterable[In]], Iterator[Kept[Out] | Dropped]] | None = None,
) -> Iterator[Kept[Out] | Dropped]:
    """Run `stage`, counting into `tally`; raises ConservationError for an unknown reason or a final imbalance.

    run: how the stage is run on its records, where it is not just called.
    """

    def entering() -> Iterator[In]:
        for record in records:
            tally.entered += 1
            yield record

    for outcome in run(stage, entering()) if run is not None else stage(entering()):
        _count(outcome, tally, stage.name, stage.reasons)
        yield outcome
    if not tally.balanced:
        raise ConservationError(
            f"stage {stage.name}: {tally.entered} records in, but {tally.kept} kept + {tally.dropped.total()} dropped"
        )


def sourced(
    outcomes: Iterable[Kept[Out] | Dropped], tally: Tally, name: str, reasons: Mapping[str, str]
) -> Iterator[Kept[Out] | Dropped]:
    """The outcomes of a stage whose records come from outside the store: each is one record in, and counts as it says.

    Raises ConservationError for an unknown reason.
    """
    for outcome in outcomes:
        tally.entered += 1
        _count(outcome, tally, name, reasons)
        yield outcome


def made(records: Iterable[Out], tally: Tally) -> Iterator[Kept[Out] | Dropped]:
    """Records that a stage makes out of nothing: each counts as one in and one kept."""
    return sourced((Kept(record) for record in records), tally, "", {})


def _count(outcome: Kept[Any] | Dropped, tally: Tally, name: str, reasons: Mapping[str, str]) -> None:
    if isinstance(outcome, Kept):
        tally.kept += 1
        return
    if outcome.reason not in reasons:
        raise ConservationError(f"stage {name} gave the reason {outcome.reason!r}, not in {sorted(reasons)}")
    tally.dropped[outcome.reason] += 1
