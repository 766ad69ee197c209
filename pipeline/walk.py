"""The walk, from seeds to a scored student: an ordered tuple of steps, each after its inputs. Open this first."""

from collections.abc import Mapping
from typing import Any

from pipeline.core import step
from pipeline.core.plan import Plan
from pipeline.core.records import Passage
from pipeline.recipe import Recipe
from pipeline.recipe_paths import without_folders
from pipeline.stages.completions.step import STEP as COMPLETIONS
from pipeline.stages.decontaminated.step import STEP as DECONTAMINATED
from pipeline.stages.distinct.step import STEP as DISTINCT
from pipeline.stages.documents.step import STEP as DOCUMENTS
from pipeline.stages.held_out.step import STEP as HELD_OUT
from pipeline.stages.likelihoods.step import AFTER as LIKELIHOODS_AFTER
from pipeline.stages.likelihoods.step import BEFORE as LIKELIHOODS_BEFORE
from pipeline.stages.making import TextStep
from pipeline.stages.prompts.step import STEP as PROMPTS
from pipeline.stages.quality.step import STEP as QUALITY
from pipeline.stages.raw_code.step import STEP as RAW_CODE
from pipeline.stages.reads import looking_once
from pipeline.stages.rewordings.step import STEP as REWORDINGS
from pipeline.stages.samples.step import AFTER as SAMPLES_AFTER
from pipeline.stages.samples.step import BEFORE as SAMPLES_BEFORE
from pipeline.stages.scores.step import STEP as SCORES
from pipeline.stages.seeds.step import STEP as SEEDS
from pipeline.stages.soft_targets.step import STEP as SOFT_TARGETS
from pipeline.stages.solutions.step import STEP as SOLUTIONS
from pipeline.stages.student.step import STEP as STUDENT
from pipeline.stages.tokens.step import STEP as TOKENS
from pipeline.stages.validated.step import STEP as VALIDATED

WALK: tuple[TextStep, ...] = (
    SEEDS,
    PROMPTS,
    COMPLETIONS,
    RAW_CODE,
    DOCUMENTS,
    SOLUTIONS,
    VALIDATED,
    REWORDINGS,
    DISTINCT,
    QUALITY,
    HELD_OUT,
    DECONTAMINATED,
    TOKENS,
    SOFT_TARGETS,
    STUDENT,
    SAMPLES_BEFORE,
    SAMPLES_AFTER,
    SCORES,
    LIKELIHOODS_BEFORE,
    LIKELIHOODS_AFTER,
)


def named(name: str) -> TextStep:
    """The step of that name; KeyError where the walk has none."""
    return {one.name: one for one in WALK}[name]


def names() -> tuple[str, ...]:
    """The steps' names, in the order of the walk."""
    return tuple(one.name for one in WALK)


def corpus() -> tuple[str, ...]:
    """The steps whose records are, or become, training documents, in the order of the walk."""
    return tuple(one.name for one in WALK if one.corpus)


def documents() -> tuple[str, ...]:
    """The steps that write documents, in the order of the walk."""
    return tuple(one.name for one in WALK if Passage in one.kept)


def cleaning() -> tuple[str, ...]:
    """The steps that read documents and write those they keep."""
    return tuple(name for name in documents() if set(named(name).inputs) & set(documents()))


def reads(recipe: Recipe) -> dict[str, Any]:
    """Per stage that the recipe has, what identifies the things outside the store that it reads.

    Raises the InputError or MissingExtra of whatever is not there: a plan of things that cannot be read is no plan.
    """
    with looking_once():
        found = {one.name: one.reads(recipe) for one in WALK if one.wanted(recipe)}
    return {name: what for name, what in found.items() if what is not None}


def plan(recipe: Recipe, reads: Mapping[str, Any], generations: Mapping[str, str] | None = None) -> Plan:
    """The stages of the walk that a recipe needs; `pipeline.core.step.plan` says of what keys are made."""
    return step.plan(WALK, without_folders(recipe), reads, generations)
