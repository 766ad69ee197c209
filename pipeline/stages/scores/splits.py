"""Contamination splits: pass@k on problems that the training corpus has something like, and on those it has not.

After Gunasekar et al. 2023, 5: a problem is similar at tau where some document of the corpus has an AST match rate of
tau or more with it (`decontaminated/split.py` finds them). A score that rests on the similar half is memory,
not skill. The paper's own at 0.95 are 81.7 and 26.9.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.records import Score
from pipeline.stages.decontaminated.split import Split
from pipeline.stages.scores.results import Estimate, estimated


@dataclass(frozen=True, slots=True)
class SplitScore:
    """The scores at one tau. similar and others are over disjoint problems that together are the benchmark."""

    tau: float
    similar: Estimate
    others: Estimate

    def to_text(self) -> str:
        """ "tau 0.95: similar 12.5% of 8, others 4.5% of 156 (pass@1)"."""
        return f"tau {self.tau}: similar {_rate(self.similar)}, others {_rate(self.others)}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"tau": self.tau, "similar": self.similar.to_json(), "non_similar": self.others.to_json()}


def split_scores(
    scores: Sequence[Score],
    problem_set: ProblemSet,
    splits: Sequence[Split],
    ks: Sequence[int] = (1,),
    *,
    seed: int = 0,
) -> tuple[SplitScore, ...]:
    """pass@k of both parts at each tau of `splits`, in their order.

    Raises ValueError where a split does not hold every problem of the set once: a problem that was not compared with
    the corpus is not one that the corpus lacks.
    """
    every = sorted(problem.task_id for problem in problem_set.problems)
    for one in splits:
        if sorted((*one.similar, *one.non_similar)) != every:
            raise ValueError(f"the split at tau {one.tau} is of other problems than {problem_set.name}")
    return tuple(
        SplitScore(
            one.tau,
            _part(scores, problem_set, one.similar, ks, seed),
            _part(scores, problem_set, one.non_similar, ks, seed),
        )
        for one in splits
    )


def _rate(part: Estimate) -> str:
    value = part.pass_at_k.get(min(part.pass_at_k, default=0))
    if value is None:
        return f"unscored ({part.problems} problems)"
    k = min(part.pass_at_k)
    low, high = part.intervals[k]
    return f"pass@{k} {100 * value:.1f}% [{100 * low:.1f}, {100 * high:.1f}] of {part.scored}"


def _part(
    scores: Sequence[Score], problem_set: ProblemSet, tasks: Sequence[str], ks: Sequence[int], seed: int
) -> Estimate:
    chosen = set(tasks)
    part = replace(
        problem_set,
        problems=tuple(problem for problem in problem_set.problems if problem.task_id in chosen),
        total=len(chosen),
    )
    if not chosen:
        return Estimate(0, 0, {}, {})
    return estimated([score for score in scores if score.task_id in chosen], part, ks, seed)
