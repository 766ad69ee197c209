"""What rounds came to, for programs and for a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.improve.clusters import ERRORS, Cluster
from pipeline.improve.drawing import Direction
from pipeline.report.arms import Pair, Part
from pipeline.report.experiment import Experiment
from pipeline.report.experiment_text import pair_text, part_text, verdict

SHOWN = 3
"""Branches of topics that a round's line names: those that get most."""


@dataclass(frozen=True, slots=True)
class Options:
    """rounds: at most so many. exercises: asked for in each. student_seeds: each arm is trained with all of them.
    control: whether each round has an equal-size undirected one beside it. writer: name of the teacher that writes, ""
    for the recipe's first."""

    rounds: int = 3
    exercises: int = 200
    student_seeds: tuple[int, ...] = (1, 2, 3)
    control: bool = True
    writer: str = ""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round came to.

    found, direction: what the student before it failed at, and where its seeds went for it. kinds: seeds of the
    directed arm by kind. before, after: pass@1 on the reported problems, of the directed arm before it and of its own.
    gain: the two compared. against: the directed arm beside the undirected one, None without a control.
    """

    number: int
    found: tuple[Cluster, ...]
    direction: Direction
    kinds: Mapping[str, int]
    before: Part
    after: Part
    gain: Pair
    against: Pair | None

    @property
    def rises(self) -> bool:
        """Whether the rate on the reported problems is higher than before; by chance or not, `gain` says."""
        return self.gain.difference > 0

    def to_json(self) -> dict[str, Any]:
        """One entry of `rounds`."""
        return {
            "round": self.number,
            "clusters": [cluster.to_json() for cluster in self.found],
            "weights": dict(self.direction.weights),
            "evolutions": dict(self.direction.evolutions),
            "seeds": dict(self.kinds),
            "before": self.before.to_json(),
            "after": self.after.to_json(),
            "gain": self.gain.to_json(),
            "against_undirected": self.against.to_json() if self.against else None,
        }


@dataclass(frozen=True, slots=True)
class Improved:
    """All rounds. stopped: why there are no more, "" where all that were wanted are made. page: of the experiment."""

    run: str
    rounds: tuple[Round, ...]
    stopped: str
    experiment: Experiment
    page: str

    def to_json(self) -> dict[str, Any]:
        """What `hornbook improve --json` prints."""
        return {
            "run": self.run,
            "rounds": [one.to_json() for one in self.rounds],
            "stopped": self.stopped,
            "experiment": self.experiment.to_json(),
            "page": self.page,
        }

    def to_text(self) -> str:
        """A few lines a round, and what may be said of all."""
        blocks = [line for one in self.rounds for line in _lines(one)]
        blocks += [f"No further round: {self.stopped}."] if self.stopped else []
        return "\n".join([*blocks, "", self.page])


def _lines(one: Round) -> list[str]:
    failed, problems = sum(c.failed for c in one.found), sum(c.problems for c in one.found)
    errors = {error: sum(cluster.errors[error] for cluster in one.found) for error in ERRORS}
    named = ", ".join(f"{error} {count:.1f}" for error, count in errors.items() if count)
    most = sorted(one.direction.weights, key=lambda branch: -one.direction.weights[branch])[:SHOWN]
    towards = ", ".join(f"{branch} x{one.direction.weights[branch]:.2f}" for branch in most)
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in one.kinds.items())
    lines = [
        f"Round {one.number}: {failed:.1f} of {problems} development problems failed ({named or 'none'})",
        f"  {kinds}; most towards {towards}",
        f"  reported problems: {part_text(one.before)} before, {part_text(one.after)} after",
        f"  against the round before: {verdict(one.gain)}: {pair_text(one.gain)}",
    ]
    if one.against is not None:
        beats = {"rise": "directed beats undirected", "fall": "undirected beats directed"}
        said = beats.get(one.against.claim, "directed does not beat undirected")
        lines.append(f"  against undirected: {said}: {pair_text(one.against)}")
    return lines
