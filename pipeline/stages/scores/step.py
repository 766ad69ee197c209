"""Scores in the walk."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pipeline.core.records import Score
from pipeline.core.stage import Tally, made
from pipeline.recipe import Recipe
from pipeline.stages.decontaminated.facts import DecontaminatedFacts
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import benchmark_digests, problem_sets
from pipeline.stages.scores.facts import ScoresFacts
from pipeline.store.manifest import Manifest

if TYPE_CHECKING:
    from pipeline.benchmarks.problems import ProblemSet

SAMPLES = ("samples-before", "samples-after")


def _settings(recipe: Recipe) -> dict[str, Any]:
    table = recipe.evaluation
    return {"cpu_seconds": table.cpu_seconds, "memory_mb": table.memory_mb, "packages": list(table.packages)}


def _make(making: Making) -> Manifest:
    """Judge the samples in the sandbox, and find what the corpus has that is like the benchmarks' problems."""
    from pipeline.sandbox import Limits, Sandbox
    from pipeline.stages.scores.stage import score

    table = making.recipe.evaluation
    sets = problem_sets(making, table.benchmarks)
    problems = [problem for problem_set in sets for problem in problem_set.problems]
    tally = Tally()
    workers, mode = making.execution.worker_count(), making.execution.sandbox
    limits = Limits(cpu_seconds=table.cpu_seconds, memory_mb=table.memory_mb)
    packages = tuple(dict.fromkeys((*table.packages, *(package for one in sets for package in one.packages))))
    with Sandbox(limits, workers=workers, mode=mode, packages=packages) as sandbox:
        split = "decontaminated" in making.stage.inputs
        facts = ScoresFacts(
            benchmarks=[{"name": s.name, "digest": s.digest, "problems": len(s.problems)} for s in sets],
            sandbox=sandbox.manifest(),
            closest=closest([s.limited(table.limit) for s in sets], making) if split else None,
        )
        scores = made(score(making.read(*SAMPLES), problems, sandbox), tally)
        return making.write(scores, tally, facts=lambda: facts, read=SAMPLES)


def closest(sets: Sequence["ProblemSet"], making: Making) -> dict[str, dict[str, tuple[float, str]]]:
    """AST match rate and id of the closest document by benchmark and problem, where it is at the least tau or more.

    The decontaminated corpus knows them of the benchmarks it was held against; it is compared with others here.
    """
    from pipeline.stages.decontaminated.split import splits

    manifest = making.places.store.manifest("decontaminated", making.stage.inputs["decontaminated"])
    known = (DecontaminatedFacts.from_json(manifest.facts).closest if manifest is not None else None) or {}
    found: dict[str, dict[str, tuple[float, str]]] = {}
    others: list[ProblemSet] = []
    for one in sets:
        fact = known.get(one.name, {})
        if fact.get("digest") == one.digest and len(one.problems) == one.total:
            found[one.name] = {task: (rate, document_id) for task, (rate, document_id) in fact["matches"].items()}
        else:
            others.append(one)
    if others:
        problems = {s.name: s.problems for s in others}
        for name, split in splits(problems, making.read("decontaminated"), executor=making.executor).items():
            found[name] = {match.task_id: (match.rate, match.document_id) for match in split.closest if match.rate}
    return {one.name: found[one.name] for one in sets}


STEP = TextStep(
    name="scores",
    version=3,
    caption="answers executed against the benchmark's tests",
    make=_make,
    inputs=(*SAMPLES, "decontaminated", "held-out"),
    unread=lambda recipe: () if recipe.evaluation.splits else ("decontaminated",),
    wanted=lambda recipe: bool(recipe.evaluation.benchmarks),
    settings=_settings,
    reads=lambda recipe: benchmark_digests(recipe.evaluation.benchmarks),
    kept=(Score,),
)
