"""The benchmark "composed": a few problems of families that no answer is about, for smoke runs and tests of scoring."""

from functools import cache

from pipeline.core.identity import rng
from pipeline.core.records import Problem
from pipeline.teacher.composer.apart import APART
from pipeline.teacher.composer.writing import write

BENCHMARK = "composed"


@cache
def problems() -> tuple[Problem, ...]:
    """One problem of each family, in HumanEval's form."""
    found = []
    for number, family in enumerate(APART):
        piece = write(rng(number, BENCHMARK), family, {}, 0)
        claims = piece.test.replace(f"assert {piece.entry_point}(", "    assert candidate(")
        found.append(
            Problem(
                benchmark=BENCHMARK,
                task_id=f"{BENCHMARK}/{number}",
                prompt=piece.prompt,
                entry_point=piece.entry_point,
                test=f"def check(candidate):\n{claims}",
                canonical_solution=piece.body,
            )
        )
    return tuple(found)
