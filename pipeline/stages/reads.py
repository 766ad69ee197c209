"""What several stages read from outside the store, as digests for their keys: models, benchmarks, embeddings.

Everything here is cheap (files are hashed, no model is loaded) and touches nothing.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import InputError
from pipeline.core.known import HELD_OUT, HELD_OUT_FILE
from pipeline.recipe import Recipe
from pipeline.recipe_paths import last_part

if TYPE_CHECKING:
    from pipeline.benchmarks.problems import ProblemSet
    from pipeline.stages.making import Making

_SEEN: ContextVar[dict[tuple[Any, str], Any] | None] = ContextVar("seen", default=None)


@contextlib.contextmanager
def looking_once() -> Iterator[None]:
    """Inside, a model or a benchmark that several stages read is looked at once: its files may be gigabytes. Also
    inside another such block, so that several recipes can share what was seen."""
    if _SEEN.get() is not None:
        yield
        return
    token = _SEEN.set({})
    try:
        yield
    finally:
        _SEEN.reset(token)


def _seen(look: Callable[[str], Any], name: str) -> Any:
    seen = _SEEN.get()
    if seen is None:
        return look(name)
    if (look, name) not in seen:
        seen[look, name] = look(name)
    return seen[look, name]


def benchmark_digests(names: tuple[str, ...]) -> dict[str, str]:
    """Digest of each benchmark's data, by its name or its file's; of two files of one name the later is numbered.

    What the run holds back of its own corpus is not read from outside the store.
    """
    from pipeline.benchmarks.problems import load

    found: dict[str, str] = {}
    for number, name in enumerate(names):
        if name == HELD_OUT:
            continue
        shown = last_part(name)
        found[shown if shown not in found else f"{shown}#{number}"] = _seen(load, name).digest
    return found


def problem_sets(making: "Making", names: tuple[str, ...]) -> "list[ProblemSet]":
    """The benchmarks of those names; `held-out` is what an input of the stage has kept back."""
    from pipeline.benchmarks.problems import from_file, load

    drawn = making.local(HELD_OUT) / HELD_OUT_FILE if HELD_OUT in names else Path()
    return [from_file(drawn, name) if name == HELD_OUT else load(name) for name in names]


def weights(key: str, spec: str) -> Any:
    """What a model is. Raises InputError that names the setting where no model is there."""
    from pipeline.models.identities import model_identity

    try:
        return _seen(model_identity, spec)
    except InputError as error:
        raise InputError(f"{key}: {error.message}", hint=error.hint) from error


def student_weights(recipe: Recipe) -> Any:
    """What the student starts from, None for a student from scratch."""
    return None if recipe.student.init == "scratch" else weights("student.init", recipe.student.init)


def embedding_identity(spec: str, tokens: int) -> dict[str, Any]:
    """What an embedding is, for saved models and for those kept on disk: the weights of `spec`, and tokens read."""
    return {**weights("quality.embedding", spec), "tokens": tokens}


def own_reader(recipe: Recipe) -> str:
    """The model that embeds where a recipe names none: the student's start, SmolLM2 for one from scratch."""
    from pipeline.models.embeddings import DEFAULT

    return DEFAULT if recipe.student.init == "scratch" else recipe.student.init
