"""Decontaminated in the walk."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline.core.known import HELD_OUT
from pipeline.core.records import Exercise, Passage
from pipeline.recipe import Recipe
from pipeline.stages.decontaminated.facts import DecontaminatedFacts
from pipeline.stages.held_out.step import wanted as holding_out
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import benchmark_digests, embedding_identity, own_reader, problem_sets, weights
from pipeline.store.manifest import Manifest

if TYPE_CHECKING:
    from pipeline.benchmarks.problems import ProblemSet
    from pipeline.stages.decontaminated.split import Closest


def _reader(recipe: Recipe) -> str:
    """The model whose hidden states are compared."""
    return recipe.decontaminated.encoder or own_reader(recipe)


def _reads(recipe: Recipe) -> Any:
    benchmarks = benchmark_digests(recipe.decontaminated.benchmarks)
    if recipe.decontaminated.embedding < 1:
        return [benchmarks, weights("decontaminated.encoder", _reader(recipe))]
    return benchmarks


def _settings(recipe: Recipe) -> dict[str, Any]:
    """With the numbers that are wanted, where there are any; ceilings change how much is asked, not what is kept."""
    want = {"want": {"exercises": recipe.want.exercises, "textbooks": recipe.want.textbooks}}
    return {"decontaminated": recipe.decontaminated, **(want if recipe.want.any else {})}


def _make(making: Making) -> Manifest:
    """The manifest says which document kept is closest to each problem, so that the corpus need not be compared again
    where scores are split by what it holds (`stages/scores/step.py`)."""
    from pipeline.domains.loading import load as load_domain
    from pipeline.models.embeddings import MAX_TOKENS, encoder, remembered
    from pipeline.stages.decontaminated.split import Closest, Near
    from pipeline.stages.decontaminated.stage import Decontaminate
    from pipeline.stages.decontaminated.surplus import Enough

    table = making.recipe.decontaminated
    embed = None
    if table.embedding < 1:
        spec, cache = _reader(making.recipe), making.places.models
        reads = encoder(spec, cache, making.execution.device, loading=making.loading)
        embed = remembered(reads, embedding_identity(spec, MAX_TOKENS), cache, executor=making.executor)
    kept_back = (HELD_OUT,) if HELD_OUT in making.stage.inputs else ()
    sets = problem_sets(making, (*table.benchmarks, *kept_back))
    problems = [problem for one in sets for problem in one.problems]
    closest = Closest()
    named = Counter(one.name for one in sets)

    def facts() -> DecontaminatedFacts:
        known = {s.name: {"digest": s.digest, "matches": _matches(s, closest)} for s in sets if named[s.name] == 1}
        return DecontaminatedFacts(known)

    language, want = load_domain(making.recipe.domain).language, making.recipe.want
    if not want.any:
        stage = Decontaminate(table, problems, embed, making.executor, closest.add, language)
        return making.through(stage, facts=facts)
    near: dict[str, Near] = {}
    stage = Decontaminate(
        table, problems, embed, making.executor, lambda one: near.update({one.document_id: one}), language
    )
    enough = Enough(stage, want, lambda kept: closest.add(near[kept.id]) if kept.id in near else None)
    return making.through(enough, facts=facts)


def _matches(problem_set: "ProblemSet", closest: "Closest") -> dict[str, tuple[float, str]]:
    """AST match rate and id of the closest document by problem, for those that have one."""
    found = (closest.of(problem_set.name, problem.task_id) for problem in problem_set.problems)
    return {match.task_id: (match.rate, match.document_id) for match in found if match.rate}


STEP = TextStep(
    name="decontaminated",
    version=4,
    caption="overlap with the benchmarks removed",
    make=_make,
    inputs=("held-out", "quality"),
    unread=lambda recipe: ("quality",) if holding_out(recipe) else (),
    settings=_settings,
    reads=_reads,
    kept=(Passage, Exercise),
    dropped=(Passage, Exercise),
    reasons={
        "ngram-overlap": "shares a run of words with a benchmark's problem that no other text has by chance",
        "tree-overlap": "its syntax tree matches that of a problem's solution",
        "embedding-overlap": "a model's hidden states of it are as close to a problem's as the recipe allows",
        "surplus": "more documents are kept than the recipe wants; the most crowded topics give up most",
    },
    corpus=True,
)
