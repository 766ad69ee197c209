"""What each stage reads from outside the store, as digests for the plan: templates, seed data, benchmarks, weights.

Everything here is cheap (files are hashed, no model is loaded) and touches nothing.
"""

import hashlib
import platform
from pathlib import Path
from typing import Any

from pipeline.core.contents import content_digest
from pipeline.core.errors import InputError
from pipeline.recipe import Recipe, SourcesTable, TeacherTable
from pipeline.recipe_paths import last_part
from pipeline.store.places import Places


def digests(recipe: Recipe, places: Places) -> dict[str, Any]:
    """Per stage, a JSON value that changes if and only if the outside things it reads change.

    Raises the InputError or MissingExtra of whatever is not there: a plan of things that cannot be read is no plan.
    """
    from pipeline.models.fitting import check_recipe
    from pipeline.stages.prompts.stage import digest as templates_digest
    from pipeline.stages.seeds.curriculum import data_digest

    check_recipe(recipe)
    found: dict[str, Any] = {}
    if recipe.seeds.exercises or recipe.seeds.textbooks:
        found["seeds"] = {"data": data_digest(recipe.seeds)}
        if any(teacher.tests == "seed" for teacher in recipe.teachers):
            found["seeds"]["tasks"] = _composer_identity()
        found["prompts"] = templates_digest(recipe.prompts)
        found["completions"] = [_teacher(table, recipe) for table in recipe.teachers]
    if recipe.sources.kind != "none":
        found["raw-code"] = _source(recipe.sources)
    found["decontaminated"] = benchmark_digests(recipe.decontaminated.benchmarks)
    if recipe.decontaminated.embedding < 1:
        found["decontaminated"] = [
            found["decontaminated"],
            _weights("decontaminated.encoder", comparing_model(recipe)),
        ]
    if recipe.quality.classifier or recipe.quality.flatten < 1:
        found["quality"] = _quality(recipe)
    if recipe.student.init != "scratch":
        weights = _weights("student.init", recipe.student.init)
        found["tokens"] = found["student"] = found["samples-before"] = weights
    if Path(recipe.tokens.tokenizer).is_absolute():
        found["tokens"] = [found.get("tokens"), _tokenizer(recipe.tokens.tokenizer)]
    if recipe.soft_targets.teacher:
        weights = _weights("soft_targets.teacher", recipe.soft_targets.teacher)
        if recipe.soft_targets.mode == "cached":
            found["soft-targets"] = weights
        else:
            found["student"] = [found.get("student"), weights]
    scored = benchmark_digests(recipe.evaluation.benchmarks)
    found["samples-before"] = [found.get("samples-before"), scored]
    found["samples-after"] = found["scores"] = scored
    return found


def comparing_model(recipe: Recipe) -> str:
    """The model whose hidden states `decontaminated` compares."""
    return recipe.decontaminated.encoder or _own_reader(recipe)


def benchmark_digests(names: tuple[str, ...]) -> dict[str, str]:
    """Digest of each benchmark's data, by its name or its file's; of two files of one name the later is numbered."""
    from pipeline.benchmarks.problems import load

    found: dict[str, str] = {}
    for number, name in enumerate(names):
        shown = last_part(name)
        found[shown if shown not in found else f"{shown}#{number}"] = load(name).digest
    return found


def _quality(recipe: Recipe) -> Any:
    """The embedding's weights, and what gives the values: a saved model's bytes, or the judge and its template."""
    table = recipe.quality
    read: dict[str, Any] = {"embedding": _weights("quality.embedding", embedding_of(recipe))}
    if table.classifier and table.model:
        from pipeline.stages.quality.classifier import FILE
        from pipeline.stages.quality.valuing import reused

        reused(table.model, {**read["embedding"], "tokens": table.embedding_tokens})
        folder = Path(table.model).expanduser()
        read["model"] = hashlib.sha256((folder / FILE).read_bytes()).hexdigest()
    elif table.classifier:
        from pipeline.core.template import load
        from pipeline.stages.quality.judge import teacher_of, template_path

        read |= {"judge": _teacher(teacher_of(recipe), recipe), "template": load(template_path()).digest}
    return read


def embedding_identity(spec: str, tokens: int) -> dict[str, Any]:
    """What an embedding is, for saved models and for those kept on disk: the weights of `spec`, and tokens read."""
    return {**_weights("quality.embedding", spec), "tokens": tokens}


def embedding_of(recipe: Recipe) -> str:
    """The model that the value classifier reads with: `quality.embedding`, else the student's start, else SmolLM2."""
    return recipe.quality.embedding or _own_reader(recipe)


def _own_reader(recipe: Recipe) -> str:
    from pipeline.models.embeddings import DEFAULT

    return DEFAULT if recipe.student.init == "scratch" else recipe.student.init


def _teacher(table: TeacherTable, recipe: Recipe) -> Any:
    from pipeline.teacher import identity

    return identity(table, recipe.seed)


def _composer_identity() -> Any:
    from pipeline.teacher.composer import Composer

    return Composer("composer", 0).identity()


def _weights(key: str, spec: str) -> Any:
    """What a model is. Raises InputError that names the setting where no model is there."""
    from pipeline.models.loading import model_identity

    try:
        return model_identity(spec)
    except InputError as error:
        raise InputError(f"{key}: {error.message}", hint=error.hint) from error


def _tokenizer(path: str) -> str:
    """Digest of the files that make a tokenizer, of a folder or a GGUF file."""
    place = Path(path)
    if not (place.is_file() or place.is_dir()):
        raise InputError(
            f"tokens.tokenizer: no tokenizer at {path!r}",
            hint='use "student", "train", a folder with a tokenizer.json, or a hub name "owner/name"',
        )
    return content_digest(place, _makes_tokenizer)


def _makes_tokenizer(name: str) -> bool:
    return name.startswith(("tokenizer", "vocab", "merges", "special_tokens", "added_tokens")) or name.endswith(
        (".model", ".spm", ".tiktoken", ".bpe")
    )


def _source(table: SourcesTable) -> Any:
    """The standard library by Python version; local files by `content_digest`; a hub dataset by name."""
    if table.kind == "stdlib":
        return {"python": platform.python_version()}
    place = Path(table.path).expanduser()
    if place.is_dir() or (table.kind == "dataset" and place.is_file()):
        return {"files": content_digest(place)}
    if place.is_absolute():
        kinds = "folder" if table.kind == "folder" else "file or folder"
        raise InputError(f"sources.path: there is no {kinds} at {table.path!r}", hint=f"name a {kinds} that is there")
    return {"name": table.path}
