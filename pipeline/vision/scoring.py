"""The board: what features know of classes, the trained network's beside all that it should beat."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.core.identity import rng_seed
from pipeline.core.image_records import Guess
from pipeline.core.stage import Tally, made
from pipeline.models.loading import pick_device
from pipeline.recipe_images import OWN_TEACHER, ImageRecipe
from pipeline.stages.scores.statistics import wilson
from pipeline.store.manifest import Manifest
from pipeline.vision import backbone, pictures
from pipeline.vision.facts import ProbesFacts
from pipeline.vision.features import Features, extracted, principal_components, raw_pixels
from pipeline.vision.making import ImageMaking
from pipeline.vision.pool import Pool
from pipeline.vision.probes import knn, linear
from pipeline.vision.sizes import products_of


class _Read(NamedTuple):
    """Features of both splits. parameters, flops, rate: of the network that gave them, None where none did."""

    name: str
    train: Features
    test: Features
    parameters: int | None = None
    flops: int | None = None
    rate: float | None = None


def score(making: ImageMaking, train: Pool, test: Pool) -> Manifest:
    """Guesses of every kind of features, as records, with the board and the pictures."""
    names, labels = train.classes()
    right = [one.label for one in test.images]
    unscored = ""
    if len(names) < 2 or (labels < 0).any():
        unscored = f"the training images have {len(names)} labels, and {(labels < 0).sum():,} of them have none"
    elif not test.images or not all(right):
        unscored = f"of {len(test):,} test images {sum(not one for one in right):,} have no label"
    board: list[dict[str, Any]] = []
    guesses: list[Guess] = []
    first: list[_Read] = []
    for read in _all_features(making, train, test):
        first += [read] if not first else []
        if unscored:
            break
        making.tell({"event": "records", "features": read.name})
        for method, guessed, chosen in _guessed(read, labels, making.recipe, making.execution.thread_count()):
            of_read = [
                Guess(image_id=one.id, features=read.name, method=method, guessed=names[place], label=one.label)
                for one, place in zip(test.images, guessed, strict=True)
            ]
            board.append(_line(read, of_read, chosen))
            guesses += of_read
    tally = Tally()
    folder = making.scratch()

    def files() -> tuple[Path, ...]:
        return _pictures(making, folder, train, test, first[0]) if len(test) > 1 and len(train) > 1 else ()

    facts = ProbesFacts(board or None, len(train), unscored or None)
    manifest = making.write(made(guesses, tally), tally, lambda: facts, files)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    return manifest


def _guessed(
    read: _Read, labels: NDArray[np.int64], recipe: ImageRecipe, threads: int
) -> Iterator[tuple[Any, NDArray[np.int64], float | None]]:
    table = recipe.probes
    yield "k-nn", knn(read.train.of_class, labels, read.test.of_class, table.neighbours, table.temperature), None
    yield "linear", *linear(read.train.pooled, labels, read.test.pooled, table.linear_images, recipe.seed, threads)


def _line(read: _Read, guesses: list[Guess], regularisation: float | None) -> dict[str, Any]:
    right, images = sum(one.right for one in guesses), len(guesses)
    return {
        "features": read.name,
        "method": guesses[0].method,
        "right": right,
        "images": images,
        "accuracy": round(right / images, 6),
        "interval": [round(end, 6) for end in wilson(right, images)],
        "parameters": read.parameters,
        "flops": read.flops,
        "images_per_second": None if read.rate is None else round(read.rate, 1),
        "regularisation": regularisation,
    }


def _networks(making: ImageMaking) -> Iterator[tuple[str, Callable[[], backbone.Opened]]]:
    """The network that is scored first, then those that it is compared with."""
    recipe = making.recipe
    own = "distilled" if recipe.distillation.teacher else "self-distilled"

    def of_stage(name: str) -> Callable[[], backbone.Opened]:
        return lambda: backbone.open_folder(making.local(name) / "model")

    yield own, of_stage(own)
    if recipe.distillation.teacher == OWN_TEACHER:
        yield "teacher", of_stage("self-distilled")
    elif recipe.distillation.teacher:
        yield "teacher", lambda: backbone.open_folder(Path(recipe.distillation.teacher))
    if recipe.probes.labelled:
        yield "labelled", of_stage("labelled")


def _all_features(making: ImageMaking, train: Pool, test: Pool) -> Iterator[_Read]:
    recipe, device = making.recipe, pick_device(making.execution.device)
    for name, load in _networks(making):
        opened = load()
        yield _read(name, opened.model, opened.statistics, train, test, device)
    if recipe.probes.untrained:
        torch.manual_seed(rng_seed(recipe.seed, "backbone"))
        model = backbone.build(recipe.scored, recipe.images.channels, recipe.images.size).eval()
        yield _read("untrained", model, train.statistics(), train, test, device)
    yield _Read("pixels", raw_pixels(train), raw_pixels(test))
    yield _Read("pca", *principal_components(train, test, recipe.scored.width, recipe.seed))


def _read(
    name: str, model: Any, statistics: backbone.Statistics, train: Pool, test: Pool, device: torch.device
) -> _Read:
    model = model.to(device)
    started = time.monotonic()
    known = extracted(model, statistics, train, device)
    rate = len(train) / max(time.monotonic() - started, 1e-9)
    parameters = sum(p.numel() for p in model.parameters())
    return _Read(name, known, extracted(model, statistics, test, device), parameters, _flops(model, train), rate)


def _flops(model: Any, pool: Pool) -> int:
    config = model.config
    return products_of(
        width=int(config.hidden_size),
        depth=int(config.num_hidden_layers),
        mlp_ratio=float(getattr(config, "mlp_ratio", 4)),
        registers=int(getattr(config, "num_register_tokens", 0) or 0),
        patch=int(config.patch_size),
        channels=pool.pixels.shape[1],
        size=pool.pixels.shape[-1],
    )


def _pictures(making: ImageMaking, folder: Path, train: Pool, test: Pool, read: _Read) -> tuple[Path, ...]:
    drawn = np.random.default_rng(rng_seed(making.recipe.seed, "shown")).permutation(len(test))[: pictures.SHOWN]
    asked, device = test.part(np.sort(drawn)), pick_device(making.execution.device)
    name, load = next(iter(_networks(making)))
    assert name == read.name
    opened = load()
    colours = pictures.patch_colours(opened.model.to(device), opened.statistics, asked, device)
    near = pictures.nearest(read.train.of_class, read.test.of_class[np.sort(drawn)], pictures.NEAREST)
    return pictures.write_pictures(folder, colours, asked, train, near)
