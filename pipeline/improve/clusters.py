"""Failures by topic and error, and where seeds go for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.improve.development import branch_of
from pipeline.report.summary import SCORE_COLUMNS
from pipeline.run.reading import RunView

Error = Literal["wrong value", "exception", "syntax", "runs on"]
ERRORS: tuple[Error, ...] = ("wrong value", "exception", "syntax", "runs on")
"""wrong value: an assertion compared and did not hold. exception: the program or a call of it raised, or ended itself.
syntax: no Python. runs on: an answer that did not end, or a program that did not end in time, memory or output."""

EVOLUTIONS: Mapping[str, str] = {
    "constraint": "keep what is asked for, and add one more constraint that changes some of the results",
    "rare-case": "let a rarer case matter: an argument that is empty, negative, equal, repeated or out of order, say, "
    "for which a careless solution fails; the docstring says what is returned for it",
    "steps": "let the solution need one or two steps more, the second working on what the first has found",
}
"""How an exercise is made harder (after Xu et al. 2023, WizardLM's in-depth evolving; Luo et al. 2023, WizardCoder)."""

ANSWERED_BY: Mapping[Error, tuple[str, ...]] = {
    "wrong value": ("constraint", "steps"),
    "exception": ("rare-case",),
    "syntax": (),
    "runs on": (),
}
"""Which evolutions an error asks for. A student that writes no Python, or does not stop, needs no harder exercises."""
PRIOR = 2.0
"""Problems that every branch is taken to have beside its own, failed at the overall rate: of a branch with one or two
problems little is known."""


@dataclass(slots=True)
class Cluster:
    """The development problems of one branch of topics. failed: sum over problems of the share of answers that failed.
    errors: of those answers, in the same unit."""

    branch: str
    problems: int = 0
    failed: float = 0.0
    errors: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ERRORS, 0.0))

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        errors = {error: round(self.errors[error], 3) for error in ERRORS if self.errors[error]}
        return {"branch": self.branch, "problems": self.problems, "failed": round(self.failed, 3), "errors": errors}


def error_of(verdict: str, detail: str, finish_reason: str) -> Error:
    """What kind of failure an answer is. finish_reason: of the answer, "length" where it was cut off."""
    if verdict.startswith("timeout") or verdict in ("memory", "output") or finish_reason == "length":
        return "runs on"
    if verdict == "syntax-error":
        return "syntax"
    compared = detail.startswith("assert ") and (": expected " in detail or ": got " in detail)
    return "wrong value" if compared or verdict == "no-test" else "exception"


def clusters(runs: Iterable[RunView], benchmark: str, topics: Mapping[str, str]) -> tuple[Cluster, ...]:
    """What the students of `runs` failed at, by branch, in the order of the branches.

    benchmark: as the runs call it. topics: by task id, of the problems that count. An answer without a score counts
    for nothing.
    """
    answers: dict[str, list[Error | None]] = {}
    for run in runs:
        ends = {row["id"]: row["finish_reason"] for row in run.rows("samples-after", columns=["id", "finish_reason"])}
        for row in run.rows("scores", columns=SCORE_COLUMNS):
            if row["benchmark"] != benchmark or row["model"] != "after" or row["task_id"] not in topics:
                continue
            if row["passed"] is not None:
                ending = ends.get(row["sample_id"], "")
                error = None if row["passed"] else error_of(row["verdict"], row["detail"], ending)
                answers.setdefault(row["task_id"], []).append(error)
    found: dict[str, Cluster] = {}
    for task in sorted(answers):
        branch = branch_of(topics[task])
        cluster = found.setdefault(branch, Cluster(branch))
        cluster.problems += 1
        for one in answers[task]:
            if one is not None:
                cluster.failed += 1 / len(answers[task])
                cluster.errors[one] += 1 / len(answers[task])
    return tuple(found[branch] for branch in sorted(found))


def weights(found: Iterable[Cluster], branches: Iterable[str]) -> dict[str, float]:
    """How much more seeds each branch gets than by chance: its failure rate over the overall one, both smoothed.

    1.0 for all where nothing, or everything, failed, and for branches without problems.
    """
    by_branch = {cluster.branch: cluster for cluster in found}
    problems = sum(cluster.problems for cluster in by_branch.values())
    failed = sum(cluster.failed for cluster in by_branch.values())
    if not failed:
        return dict.fromkeys(branches, 1.0)
    overall = failed / problems
    weighed = {}
    for branch in branches:
        cluster = by_branch.get(branch, Cluster(branch))
        rate = (cluster.failed + PRIOR * overall) / (cluster.problems + PRIOR)
        weighed[branch] = round(rate / overall, 4)
    return weighed


def evolutions(found: Iterable[Cluster]) -> dict[str, float]:
    """The share of each evolution among exercises that are made harder, before they are scaled to add up to 1."""
    shares = dict.fromkeys(EVOLUTIONS, 1.0)
    for cluster in found:
        for error in ERRORS:
            for name in ANSWERED_BY[error]:
                shares[name] += cluster.errors[error] / len(ANSWERED_BY[error])
    return {name: round(share, 4) for name, share in shares.items()}
