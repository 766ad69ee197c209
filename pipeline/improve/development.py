"""Which problems may direct a round, and which it is judged by: two halves of what a run has kept back.

Only problems of the run's own corpus direct anything. A test benchmark never does: a corpus written towards it would
say nothing about the student.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pipeline.core.errors import UsageError
from pipeline.core.identity import rng_seed
from pipeline.core.known import HELD_OUT
from pipeline.core.records import Exercise, Problem
from pipeline.run.reading import RunView
from pipeline.stages.held_out.stage import problem_of
from pipeline.store.rows import from_row

DEVELOPMENT, REPORTED = "development", "reported"
"""Names of the two halves, as benchmarks of the rounds."""
LEAST = 4
"""Fewest problems that can be halved to any purpose."""


@dataclass(frozen=True, slots=True)
class Halves:
    """development: whose failures direct. reported: by which rounds are judged, and nothing else. topics: by task
    id."""

    development: tuple[Problem, ...]
    reported: tuple[Problem, ...]
    topics: Mapping[str, str]


def branch_of(topic: str) -> str:
    """The first part of a topic's path, by which failures are clustered; "" for no topic."""
    return topic.partition("/")[0]


def halves(run: RunView, seed: int) -> Halves:
    """The problems that a run has kept back, halved so that each branch of topics is in both.

    Which half a problem is in depends on its id, its branch and `seed` alone. Raises UsageError where the run has kept
    none back, or too few, or one that a test benchmark has too.
    """
    rows = run.where(HELD_OUT, "dropped", "reason", {HELD_OUT})
    kept_back = [record for record in map(from_row, rows) if isinstance(record, Exercise)]
    if len(kept_back) < LEAST:
        raise UsageError(
            f"{run.name} has kept back {len(kept_back)} problems of its corpus, and a round is directed by such "
            f"problems alone, never by a test benchmark; at least {LEAST} are wanted",
            hint="add 'held-out' to evaluation.benchmarks of its recipe, or raise held_out.problems, and run it again",
        )
    order = sorted(kept_back, key=lambda one: (branch_of(one.topic), rng_seed(seed, "halves", one.id)))
    development = tuple(replace(problem_of(one), benchmark=DEVELOPMENT) for one in order[::2])
    reported = tuple(replace(problem_of(one), benchmark=REPORTED) for one in order[1::2])
    refuse_tests(run, development)
    return Halves(development, reported, {one.id: one.topic for one in kept_back})


def refuse_tests(run: RunView, development: tuple[Problem, ...]) -> None:
    """Raises UsageError where one of the problems is a test benchmark's: of those that the run is scored on or held
    against, by function and words."""
    from pipeline.benchmarks.problems import load

    recipe = run.loaded.recipe if run.loaded else None
    names = (*recipe.evaluation.named, *recipe.decontaminated.benchmarks) if recipe else ()
    asked = {_words(problem): problem.task_id for problem in development}
    for name in dict.fromkeys(name for name in names if name != HELD_OUT):
        for problem in load(name).problems:
            if _words(problem) in asked:
                raise UsageError(
                    f"problem {asked[_words(problem)][:12]} of the corpus is {problem.task_id} of {name}, a test "
                    "benchmark, and must direct nothing",
                    hint=f"hold the corpus against {name} (decontaminated.benchmarks), and run it again",
                )


def _words(problem: Problem) -> tuple[str, ...]:
    return (problem.entry_point, *problem.prompt.split())
