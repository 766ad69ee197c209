"""What the stages over images say in their manifests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.facts import Facts


@dataclass(frozen=True, slots=True)
class ImagesFacts(Facts):
    """train, test: images of each. classes: how many labels there are. size, channels: of the pixels."""

    train: int | None = None
    test: int | None = None
    classes: int | None = None
    size: int | None = None
    channels: int | None = None


@dataclass(frozen=True, slots=True)
class TrainingFacts(Facts):
    """As `pipeline.vision.training.Trained`; curve: "step", "loss" and what else is watched, at most 400 points."""

    steps: int | None = None
    images: int | None = None
    loss: float | None = None
    seconds: float | None = None
    parameters: int | None = None
    flops: int | None = None
    images_per_second: float | None = None
    mfu: float | None = None
    products: str | None = None
    watched: Sequence[Mapping[str, Any]] | None = None
    curve: Sequence[Mapping[str, Any]] | None = None


@dataclass(frozen=True, slots=True)
class CachedFacts(Facts):
    """images, views of each, width of the teacher's states, parameters of the teacher."""

    images: int | None = None
    views: int | None = None
    width: int | None = None
    parameters: int | None = None


@dataclass(frozen=True, slots=True)
class ProbesFacts(Facts):
    """board: for each of the features "features", "method", "right" of "images", "accuracy", "interval" (95%, over
    images), "parameters", "flops", "images_per_second" (of reading, None where no network reads), "regularisation".
    bank: training images compared with. unscored: why there are no scores, where there are none."""

    board: Sequence[Mapping[str, Any]] | None = None
    bank: int | None = None
    unscored: str | None = None
