"""Geometry of the report's charts: numbers in, places out. What is drawn with them is the template's part."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.training.curve import CurvePoint

SMOOTHED_SHARE = 40
"""The smoothed curve averages one in this many points on either side of each, so it has no lag."""

WIDTH, HEIGHT = 1000.0, 300.0
"""Units of the loss chart's view box."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis. at: per cent of the axis' length from its start. text: what stands there."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class LossChart:
    """SVG paths of the loss and of its smoothed form in a box of `WIDTH` x `HEIGHT`, and the ticks of both axes.

    smooth: "" for a curve of so few points that nothing is averaged.
    """

    raw: str
    smooth: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    last: float
    first: float
    steps: int


def loss_chart(points: Sequence[CurvePoint]) -> LossChart | None:
    """The chart of a loss curve; None for fewer than two finite points."""
    finite = [point for point in points if math.isfinite(point.loss)]
    if len(finite) < 2:
        return None
    steps = [float(point.step) for point in finite]
    losses = [point.loss for point in finite]
    y_ticks = nice_ticks(0.0 if min(losses) < max(losses) / 3 else min(losses), max(losses), 6)
    low, high = min(y_ticks[0], min(losses)), max(y_ticks[-1], max(losses))
    marks = (tick for tick in nice_ticks(steps[0], steps[-1], 5) if steps[0] <= tick <= steps[-1])
    x_ticks = [tick for tick in marks if tick == int(tick)]
    smooth = smoothed(losses)
    return LossChart(
        raw=_path(steps, losses, low, high),
        smooth=_path(steps, smooth, low, high) if smooth != losses else "",
        x_ticks=tuple(Tick(_share(tick, steps[0], steps[-1]), f"{tick:,.0f}") for tick in x_ticks),
        y_ticks=tuple(Tick(_share(tick, low, high), f"{tick:g}") for tick in y_ticks),
        last=smooth[-1],
        first=losses[0],
        steps=int(steps[-1]),
    )


def smoothed(values: Sequence[float]) -> list[float]:
    """Centred mean of up to `len(values) // SMOOTHED_SHARE` neighbours on either side, fewer near the ends."""
    reach = len(values) // SMOOTHED_SHARE
    found = []
    for place in range(len(values)):
        near = min(reach, place, len(values) - 1 - place)
        window = values[place - near : place + near + 1]
        found.append(sum(window) / len(window))
    return found


def nice_ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers (1, 2 or 5 times a power of ten apart) that cover [low, high]."""
    span = high - low or abs(high) or 1.0
    rough = span / max(count - 1, 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    start = math.floor(low / step + 1e-9)
    stop = math.ceil(high / step - 1e-9)
    return [round(place * step, 10) for place in range(start, stop + 1)]


def _share(value: float, low: float, high: float) -> float:
    """Where `value` lies between the ends, in per cent."""
    return round(100 * (value - low) / ((high - low) or 1.0), 2)


def _path(xs: Sequence[float], ys: Sequence[float], low: float, high: float) -> str:
    across, up = (xs[-1] - xs[0]) or 1.0, (high - low) or 1.0
    places = (
        f"{(x - xs[0]) / across * WIDTH:.1f} {HEIGHT - (y - low) / up * HEIGHT:.1f}"
        for x, y in zip(xs, ys, strict=True)
    )
    return "M" + "L".join(places)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram. height: per cent of the highest. label: grade or range. text: label and count."""

    height: float
    count: int
    label: str
    text: str
    below: bool


def bars(counts: Sequence[int], labels: Sequence[str], below: Sequence[bool]) -> tuple[Bar, ...]:
    """The bars of a histogram; labels: what each is of, as ends or as a value."""
    highest = max(counts, default=0) or 1
    return tuple(
        Bar(round(100 * count / highest, 2), count, label, f"{label}: {count:,}", under)
        for count, label, under in zip(counts, labels, below, strict=True)
    )


def grade_bars(grades: Mapping[str, int], threshold: float) -> tuple[Bar, ...]:
    """A bar for each whole grade from 0 to 10, to which a grade in between is rounded down."""
    counts = [0] * 11
    for grade, count in grades.items():
        counts[min(10, int(float(grade)))] += count
    return bars(counts, [str(grade) for grade in range(11)], [grade < threshold for grade in range(11)])


def value_bars(counts: Sequence[int], limit: float) -> tuple[Bar, ...]:
    """A bar for each equal part of [0, 1]; below the limit where its middle is."""
    width = 1 / max(1, len(counts))
    labels = [f"{place * width:.2f} to {(place + 1) * width:.2f}" for place in range(len(counts))]
    return bars(counts, labels, [(place + 0.5) * width < limit for place in range(len(counts))])


def roc_path(points: Sequence[Sequence[float]], side: float = 100.0) -> str:
    """SVG path of a ROC curve in a square box: false positives to the right, true positives up."""
    places = (f"{x * side:.1f} {side - y * side:.1f}" for x, y in points)
    return "M" + "L".join(places)
