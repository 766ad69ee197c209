"""The page of an experiment: one file without scripts, as report.html is; what is on it is in experiment.html."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.report.arms import ArmResult, Part, Scored
from pipeline.report.card import compact
from pipeline.report.experiment import Curve, Experiment
from pipeline.report.experiment_text import cost_text, fit_text, hours_text, pair_text, points, verdict
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
    """One benchmark: its chart, and the arms in which its problems are split."""

    name: str
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
    """All series of one benchmark, with ticks of both axes."""

    benchmark: str
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def render(found: Experiment) -> str:
    """The whole page."""
    return template("experiment.html").render(
        e=found,
        css=css(),
        boards=[_board(found, name) for name in found.benchmarks],
        fits=[_fit_chart(found, name) for name in found.benchmarks if any(c.benchmark == name for c in found.curves)],
        chart_width=WIDTH,
        chart_height=HEIGHT,
        pair_text=pair_text,
        points=points,
        verdict=verdict,
        cost_text=cost_text,
        hours_text=hours_text,
        several=max((len(one.arm.runs) for one in found.arms), default=0) > 1,
    )


def _board(found: Experiment, benchmark: str) -> Board:
    arms = [(one, score) for one in found.arms if (score := one.score(benchmark)) is not None]
    ends = [score.whole.interval.high for _, score in arms if score.whole.interval]
    ticks = [tick for tick in nice_ticks(0.0, max([*ends, 0.01]), 5) if tick <= 1 or tick == 0]
    top = max(ticks[-1], *ends) if ends else 1.0
    rows = tuple(
        Row(one, score, _mark(score.whole, top), tuple(100 * float(r) / top for r in score.rates.mean(axis=1)))
        for one, score in arms
    )
    sizes = sorted({score.whole.problems for _, score in arms})
    problems = f"{sizes[0]:,}" if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,}"
    split = tuple(row for row in rows if any(similar.problems for _, similar, _ in row.score.split))
    return Board(benchmark, rows, tuple(Tick(100 * tick / top, f"{100 * tick:g}%") for tick in ticks), problems, split)


def _mark(part: Part, top: float) -> Mark | None:
    if part.value is None or part.interval is None:
        return None
    low, high = part.interval
    return Mark(100 * part.value / top, 100 * low / top, 100 * (high - low) / top)


def _fit_chart(found: Experiment, benchmark: str) -> FitChart:
    curves = [curve for curve in found.curves if curve.benchmark == benchmark]
    xs = [math.log2(tokens) for curve in curves for _, tokens, _ in curve.points]
    rates = [rate for curve in curves for _, _, rate in curve.points]
    low, high = min(xs), max(xs)
    y_ticks = nice_ticks(0.0, max([*rates, 0.01]), 5)
    top = max(y_ticks[-1], *rates)

    def place(x: float, rate: float) -> tuple[float, float]:
        across = (x - low) / ((high - low) or 1.0)
        return round(across * WIDTH, 1), round(HEIGHT - min(max(rate / top, 0.0), 1.0) * HEIGHT, 1)

    lines = []
    for curve in curves:
        dots = [(*place(math.log2(tokens), rate), f"{arm}: {rate:.1%}") for arm, tokens, rate in curve.points]
        lines.append(Line(curve, fit_text(curve), _path(curve, place), tuple(dots)))
    whole = [tokens for curve in curves for _, tokens, _ in curve.points]
    x_ticks = [Tick(place(math.log2(tokens), 0)[0] / WIDTH * 100, compact(tokens)) for tokens in _apart(whole)]
    ticks = tuple(Tick(100 * tick / top, f"{100 * tick:g}%") for tick in y_ticks)
    return FitChart(benchmark, tuple(lines), tuple(x_ticks), ticks)


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
