"""A benchmark of small problems."""

from pipeline.benchmarks.problems import ProblemSet, data_digest
from pipeline.core.records import Problem


def mine(count: int) -> ProblemSet:
    """`f0(x)` adds 0 to `x`, `f1(x)` adds 1, and so on, each with one test."""
    problems = tuple(
        Problem(
            benchmark="mine",
            task_id=f"Mine/{number}",
            prompt=f'def f{number}(x):\n    """Add {number}."""\n',
            entry_point=f"f{number}",
            test=f"def check(candidate):\n    assert candidate(1) == {number + 1}\n",
        )
        for number in range(count)
    )
    return ProblemSet("mine", data_digest(problems), "here", problems)
