"""The page of an experiment: one file without scripts, as report.html is; what is on it is in experiment.html."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.core.money import hours_text
from pipeline.report.arms import ArmResult, Measure, Part, Scored
from pipeline.report.card import compact
from pipeline.report.experiment import Curve, Experiment
from pipeline.report.experiment_text import (
    cost_text,
    fit_text,
    interval_text,
    pair_text,
    points,
    tick_text,
    value_text,
    verdict,
)
from pipeline.report.html import css, template
from pipeline.report.plots import HEIGHT, WIDTH, Tick, nice_ticks


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a rate and its interval lie on an axis, per cent of its length."""

    at: float
    low: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    """An arm in a chart. seeds: where the single seeds lie."""

    one: ArmResult
    score: Scored
    mark: Mark | None
    seeds: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One benchmark by one measure: its chart, and the arms in which its problems are split."""

    name: str
    measure: Measure
    rows: tuple[Row, ...]
    ticks: tuple[Tick, ...]
    problems: str
    split: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """A fitted line in a box of `WIDTH` x `HEIGHT`, and the arms on it as (x, y, what)."""

    curve: Curve
    text: str
    path: str
    dots: tuple[tuple[float, float, str], ...]


@dataclass(frozen=True, slots=True)
class FitChart:
    """All series of one benchmark by one measure, with ticks of both axes."""

    benchmark: str
    measure: Measure
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def render(found: Experiment) -> str:
    """The whole page."""
    return template("experiment.html").render(
        e=found,
        css=css(),
        boards=[_board(found, *board) for board in found.boards],
        fits=[
            _fit_chart(found, *board)
            for board in found.boards
            if any((c.benchmark, c.measure) == board for c in found.curves)
        ],
        value_text=value_text,
        interval_text=interval_text,
        chart_width=WIDTH,
        chart_height=HEIGHT,
        pair_text=pair_text,
        points=points,
        verdict=verdict,
        cost_text=cost_text,
        hours_text=hours_text,
        several=max((len(one.arm.runs) for one in found.arms), default=0) > 1,
    )


def _board(found: Experiment, benchmark: str, measure: Measure) -> Board:
    """Rates are drawn from 0 on; bits per byte, which no arm brings near 0, from the least of them on."""
    arms = [(one, score) for one in found.arms if (score := one.score(benchmark, measure)) is not None]
    rate = measure == "pass@1"
    intervals = [score.whole.interval for _, score in arms if score.whole.interval]
    ends = [one.high for one in intervals]
    least = 0.0 if rate or not intervals else min(one.low for one in intervals)
    ticks = nice_ticks(least, max([*ends, least + 0.01]), 5)
    ticks = [tick for tick in ticks if tick <= 1 or tick == 0] if rate else ticks
    low, top = (0.0 if rate else min(ticks[0], least)), (max(ticks[-1], *ends) if ends else 1.0)

    def at(value: float) -> float:
        return 100 * (value - low) / ((top - low) or 1.0)

    rows = tuple(
        Row(one, score, _mark(score.whole, at), tuple(at(float(r)) for r in score.rates.mean(axis=1)))
        for one, score in arms
    )
    sizes = sorted({score.whole.problems for _, score in arms})
    problems = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    split = tuple(row for row in rows if any(similar.problems for _, similar, _ in row.score.split))
    drawn = tuple(Tick(at(tick), tick_text(tick, measure)) for tick in ticks)
    return Board(benchmark, measure, rows, drawn, problems, split)


def _mark(part: Part, at: Callable[[float], float]) -> Mark | None:
    if part.value is None or part.interval is None:
        return None
    low, high = map(at, part.interval)
    return Mark(at(part.value), low, high - low)


def _fit_chart(found: Experiment, benchmark: str, measure: Measure) -> FitChart:
    curves = [curve for curve in found.curves if (curve.benchmark, curve.measure) == (benchmark, measure)]
    xs = [math.log2(tokens) for curve in curves for _, tokens, _ in curve.points]
    rates = [rate for curve in curves for _, _, rate in curve.points]
    low, high = min(xs), max(xs)
    least = 0.0 if measure == "pass@1" else min(rates)
    y_ticks = nice_ticks(least, max([*rates, 0.01]), 5)
    bottom, top = min(y_ticks[0], least), max(y_ticks[-1], *rates)

    def up(value: float) -> float:
        return (value - bottom) / ((top - bottom) or 1.0)

    def place(x: float, rate: float) -> tuple[float, float]:
        across = (x - low) / ((high - low) or 1.0)
        return round(across * WIDTH, 1), round(HEIGHT - min(max(up(rate), 0.0), 1.0) * HEIGHT, 1)

    lines = []
    for curve in curves:
        dots = [
            (*place(math.log2(tokens), rate), f"{arm}: {value_text(rate, measure)}")
            for arm, tokens, rate in curve.points
        ]
        lines.append(Line(curve, fit_text(curve), _path(curve, place), tuple(dots)))
    whole = [tokens for curve in curves for _, tokens, _ in curve.points]
    x_ticks = [Tick(place(math.log2(tokens), 0)[0] / WIDTH * 100, compact(tokens)) for tokens in _apart(whole)]
    ticks = tuple(Tick(100 * up(tick), tick_text(tick, measure)) for tick in y_ticks)
    return FitChart(benchmark, measure, tuple(lines), tuple(x_ticks), ticks)


def _apart(tokens: Sequence[int]) -> list[int]:
    """Those that have room for a label beside the one before: a fifth more of it at least."""
    found: list[int] = []
    for one in sorted(set(tokens)):
        if not found or one > 1.2 * found[-1]:
            found.append(one)
    return found


def _path(curve: Curve, place: Callable[[float, float], tuple[float, float]]) -> str:
    if curve.fit is None:
        return ""
    ends = [math.log2(curve.points[0][1]), math.log2(curve.points[-1][1])]
    steps = [ends[0] + (ends[1] - ends[0]) * step / 24 for step in range(25)]  # a line that leaves the box is bent
    return "M" + "L".join("{} {}".format(*place(x, curve.fit.at_one + curve.fit.slope * x)) for x in steps)
