"""What makes the artifacts of the walk over images. Each reads its inputs from the store, and nothing else."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from pipeline.core.errors import InputError, TrainingError
from pipeline.core.events import Event
from pipeline.core.identity import rng_seed
from pipeline.core.image_records import Image
from pipeline.core.stage import Dropped, Tally, sourced
from pipeline.models.loading import pick_device
from pipeline.recipe_images import OWN_TEACHER, BackboneTable, ImageRecipe, OptimisationTable
from pipeline.store.manifest import Manifest
from pipeline.training import curve
from pipeline.vision import backbone, cached, reading
from pipeline.vision.facts import CachedFacts, ImagesFacts, TrainingFacts
from pipeline.vision.features import BATCH, extracted
from pipeline.vision.heads import load_heads, save_heads
from pipeline.vision.making import ImageMaking
from pipeline.vision.objectives.labelled import Labelled
from pipeline.vision.objectives.protocol import Objective
from pipeline.vision.objectives.regression import Regression
from pipeline.vision.objectives.self_distillation import SelfDistillation
from pipeline.vision.pool import PIXELS, Pool
from pipeline.vision.probes import knn
from pipeline.vision.scoring import score
from pipeline.vision.training import Knn, Trained, train
from pipeline.vision.unique import unique

WATCHED = (1000, 4000)
"""Most images that the k-NN score in training is of, and is compared with."""


def read_images(making: ImageMaking) -> Manifest:
    """Records, and beside them one file of all pixels."""
    recipe, folder = making.recipe, making.scratch()
    table, raw = recipe.images, folder / "pixels.raw"
    tally = Tally()
    counts = {"train": 0, "test": 0}
    labels: set[str] = set()

    def outcomes() -> Any:
        broken = ""
        with raw.open("wb") as file:
            for ready in reading.images(table):
                record: Any = ready.outcome.record
                if isinstance(ready.outcome, Dropped):
                    broken = broken or f"{record.source}: {ready.outcome.detail}"
                if ready.pixels is not None:
                    counts[record.split] += 1
                    labels.add(record.label)
                    file.write(ready.pixels.tobytes())
                yield ready.outcome
        if not any(counts.values()):
            raise InputError(f"none of the images in {table.path} can be read", hint=broken)

    def files() -> tuple[Path, ...]:
        rows = np.memmap(raw, np.uint8, "r", shape=(sum(counts.values()), table.channels, table.size, table.size))
        np.save(folder / PIXELS, rows)
        return (folder / PIXELS,)

    def facts() -> ImagesFacts:
        named = len(labels - {""})
        return ImagesFacts(counts["train"], counts["test"], named, table.size, table.channels)

    step = making.step
    made = making.write(sourced(outcomes(), tally, step.name, step.reasons), tally, facts, files)
    raw.unlink()
    (folder / PIXELS).unlink()
    folder.rmdir()
    return made


def unique_images(making: ImageMaking) -> Manifest:
    """Records alone: their rows lead to the pixels of `images`."""
    table, pixels = making.recipe.images, np.load(making.local("images") / PIXELS, mmap_mode="r")

    class Unique:
        name: ClassVar[str] = making.step.name
        reasons: ClassVar[Mapping[str, str]] = making.step.reasons

        def __call__(self, records: Any) -> Any:
            return unique(list(records), pixels, table.similarity, table.hash_distance)

    return making.through(Unique())


def pool_of(making: ImageMaking, split: str) -> Pool:
    """The training or the test images that the walk keeps."""
    kept = [one for one in making.read("unique-images") if isinstance(one, Image) and one.split == split]
    return Pool.of(kept, making.local("images") / PIXELS)


def self_distilled(making: ImageMaking) -> Manifest:
    """A network and its heads."""
    recipe = making.recipe

    def objective(network: Any, statistics: backbone.Statistics) -> Objective:
        return SelfDistillation(network, recipe.objective, recipe.augmentation, statistics)

    about = [recipe.objective.model_dump(), recipe.augmentation.model_dump()]
    return _trained(
        making, recipe.backbone, recipe.training, objective, about, recipe.objective.prototypes, _with_heads
    )


def labelled(making: ImageMaking) -> Manifest:
    """A network that has learned from labels."""
    recipe, pool = making.recipe, pool_of(making, "train")
    names, labels = pool.classes()
    if len(names) < 2:
        raise TrainingError(
            f"the training images have {len(names)} labels, and training with labels needs two",
            hint="set probes.labelled = false to do without that comparison",
        )

    def objective(network: Any, statistics: backbone.Statistics) -> Objective:
        return Labelled(network, labels, recipe.augmentation, statistics)

    return _trained(making, recipe.scored, recipe.scored_training, objective, recipe.augmentation.model_dump(), 0)


def teacher_folder(making: ImageMaking) -> Path:
    """The folder of the teacher's weights."""
    teacher = making.recipe.distillation.teacher
    return making.local("self-distilled") / "model" if teacher == OWN_TEACHER else Path(teacher)


def _teacher(making: ImageMaking) -> backbone.Opened:
    """The teacher, where it can read the recipe's images. Raises InputError where it cannot."""
    folder, recipe = teacher_folder(making), making.recipe
    making.loading(folder.parent.name if recipe.distillation.teacher == OWN_TEACHER else folder.name)
    opened = backbone.open_folder(folder)
    patch, wanted = int(opened.model.config.patch_size), recipe.distillation.student.patch
    if opened.channels != recipe.images.channels:
        raise InputError(
            f"the teacher in {folder} reads {opened.channels} channels, the recipe's images have "
            f"{recipe.images.channels}",
            hint=f"set images.channels = {opened.channels}",
        )
    if patch != wanted:
        raise InputError(
            f"the teacher in {folder} has patches of {patch} pixels, distillation.student.patch is {wanted}",
            hint="patches are compared one by one: use the same",
        )
    return opened


def teacher_features(making: ImageMaking) -> Manifest:
    """The files of `pipeline.vision.cached`."""
    recipe, pool, folder = making.recipe, pool_of(making, "train"), making.scratch()
    device = pick_device(making.execution.device)
    teacher, views = _teacher(making), 1 + recipe.distillation.crops

    def tell(done: int) -> None:
        making.tell({"event": "records", "done": done, "total": len(pool)})

    cached.write(
        folder,
        teacher.model.to(device),
        teacher.statistics,
        pool.batches(BATCH, device),
        len(pool),
        views,
        recipe.augmentation,
        recipe.seed,
        tell,
    )
    parameters = sum(p.numel() for p in teacher.model.parameters())
    width = int(teacher.model.config.hidden_size)
    return making.folder(folder, len(pool), CachedFacts(len(pool), views, width, parameters))


def distilled(making: ImageMaking) -> Manifest:
    """The student of a frozen teacher."""
    recipe, table = making.recipe, making.recipe.distillation
    if table.mode == "features":
        features = cached.CachedFeatures(making.local("teacher-features"))

        def regression(network: Any, statistics: backbone.Statistics) -> Objective:
            return Regression(network, features, table, recipe.augmentation, statistics, recipe.seed)

        about = [table.model_dump(), recipe.augmentation.model_dump(), making.stage.inputs["teacher-features"]]
        return _trained(making, table.student, table.training, regression, about, 0)
    teacher, heads = _teacher(making), load_heads(teacher_folder(making))
    if heads is None:
        raise InputError(
            f"the teacher in {teacher_folder(making)} has no heads, which distillation.mode = 'losses' needs",
            hint="set distillation.mode = 'features', which needs none",
        )

    def matching(network: Any, statistics: backbone.Statistics) -> Objective:
        return SelfDistillation(network, recipe.objective, recipe.augmentation, statistics, teacher.model, heads)

    about = [recipe.objective.model_dump(), recipe.augmentation.model_dump(), dict(making.stage.inputs)]
    return _trained(making, table.student, table.training, matching, about, heads.prototypes, _with_heads)


def _with_heads(objective: Objective, folder: Path) -> None:
    if isinstance(objective, SelfDistillation):
        save_heads(objective.kept_heads, folder)


def _nothing(objective: Objective, folder: Path) -> None:
    """A network without heads is its weights alone."""


def _trained(
    making: ImageMaking,
    table: BackboneTable,
    how: OptimisationTable,
    objective: Callable[[Any, backbone.Statistics], Objective],
    about: Any,
    prototypes: int,
    finish: Callable[[Objective, Path], None] = _nothing,
) -> Manifest:
    """Train, or go on training; the artifact is the model's folder."""
    making.loading("torch")
    pool, folder = pool_of(making, "train"), making.partial()
    steps = folder / curve.FILE
    pool, score_in_training = _apart(pool, making.recipe, how, making.execution.device)

    def on_event(event: Event) -> None:
        if event["event"] == "train":
            curve.add(steps, event)
        making.tell(event)

    trained = train(
        pool,
        table,
        how,
        objective,
        about=[making.stage.name, about],
        seed=making.recipe.seed,
        out=folder,
        execution=making.execution,
        prototypes=prototypes,
        knn=score_in_training,
        finish=finish,
        on_event=on_event,
    )
    points = [point._asdict() for point in curve.read(steps)]
    return making.folder(folder, making.count("unique-images"), _facts(trained, points), keep=("model",))


def _facts(trained: Trained, points: list[dict[str, Any]]) -> TrainingFacts:
    said = {name: getattr(trained, name) for name in Trained.__dataclass_fields__}
    return TrainingFacts(**said, curve=points)


def _apart(pool: Pool, recipe: ImageRecipe, how: OptimisationTable, device: str) -> tuple[Pool, Knn | None]:
    """The images to train on, and the k-NN score on others where the recipe asks for it: never on test images."""
    _, labels = pool.classes()
    if not how.knn_steps or (labels < 0).any():
        return pool, None
    drawn = np.random.default_rng(rng_seed(recipe.seed, "watched")).permutation(len(pool))
    count = min(WATCHED[0], len(pool) // 10)
    asked, rest = np.sort(drawn[:count]), np.sort(drawn[count:])
    bank = np.sort(drawn[count : count + WATCHED[1]])

    def scored(network: Any, statistics: backbone.Statistics) -> float:
        place = pick_device(device)
        known, queries = (extracted(network, statistics, pool.part(part), place).of_class for part in (bank, asked))
        guessed = knn(known, labels[bank], queries, recipe.probes.neighbours, recipe.probes.temperature)
        return float((guessed == labels[asked]).mean())

    return pool.part(rest), scored


def probes(making: ImageMaking) -> Manifest:
    """Guesses of test images, the board, and pictures."""
    torch.set_num_threads(making.execution.thread_count())
    return score(making, pool_of(making, "train"), pool_of(making, "test"))
