"""Contamination splits: pass@k on problems that the training corpus has something like, and on those it has not.

After Gunasekar et al. 2023, 5: a problem is similar at tau where some document of the corpus has an AST match rate of
tau or more with it (`decontaminated/split.py` finds them). A score that rests on the similar half is memory,
not skill. The paper's own at 0.95 are 81.7 and 26.9.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.stages.decontaminated.split import TAUS
from pipeline.stages.scores.estimates import Estimate, Verdicts, estimated


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
    verdicts: Mapping[str, Verdicts],
    closest: Mapping[str, float],
    ks: Sequence[int] = (1,),
    *,
    seed: int = 0,
    taus: Sequence[float] = TAUS,
) -> tuple[SplitScore, ...]:
    """pass@k of both parts at each of `taus`, in their order.

    verdicts: of the samples of every problem, by task id, empty where it has none. closest: match rate of the closest
    document by task id, 0.0 where none is close. Raises ValueError where a problem has no rate: one that was not
    compared with the corpus is not one that the corpus lacks.
    """
    lacking = sorted(verdicts.keys() - closest.keys())
    if lacking:
        raise ValueError(f"{len(lacking)} problems were not compared with the corpus, among them {lacking[0]}")

    def part(tau: float, similar: bool) -> Estimate:
        return estimated([v for task, v in verdicts.items() if (closest[task] >= tau) == similar], ks, seed)

    return tuple(SplitScore(tau, part(tau, True), part(tau, False)) for tau in taus)


def _rate(part: Estimate) -> str:
    if part.interval is None:
        return f"unscored ({part.problems} problems)"
    k = min(part.pass_at_k)
    low, high = part.interval
    return f"pass@{k} {100 * part.pass_at_k[k]:.1f}% [{100 * low:.1f}, {100 * high:.1f}] of {part.scored}"
