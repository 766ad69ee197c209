"""Tokens in the walk."""

from pathlib import Path
from typing import Any

from pipeline.core.contents import content_digest
from pipeline.core.errors import InputError
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import student_weights
from pipeline.stages.tokens.facts import TokensFacts
from pipeline.store.manifest import Manifest


def _settings(recipe: Recipe) -> dict[str, Any]:
    student = recipe.student
    table = recipe.tokens.keyed("topics")
    return {"tokens": table, "init": student.init, "held_out": student.held_out, "seed": recipe.seed}


def _reads(recipe: Recipe) -> Any:
    """The weights whose tokenizer it is, or the tokenizer's own files."""
    found = student_weights(recipe)
    if Path(recipe.tokens.tokenizer).is_absolute():
        return [found, _tokenizer(recipe.tokens.tokenizer)]
    return found


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


def _make(making: Making) -> Manifest:
    from pipeline.stages.tokens.stage import is_about, pack

    recipe = making.recipe
    folder = making.scratch()
    summary = pack(
        (document for document in making.read() if is_about(document, recipe.tokens.topics)),
        table=recipe.tokens,
        student=recipe.student,
        seed=recipe.seed,
        out=folder,
        cache=making.places.models,
    )
    facts = TokensFacts(
        documents=summary.documents,
        held_out_documents=summary.held_out_documents,
        tokens=summary.tokens,
        loss_tokens=summary.loss_tokens,
        vocabulary=summary.vocabulary,
    )
    return making.folder(folder, summary.documents + summary.held_out_documents, facts)


STEP = TextStep(
    name="tokens",
    version=3,
    caption="documents packed for training",
    make=_make,
    inputs=("decontaminated",),
    settings=_settings,
    reads=_reads,
)
