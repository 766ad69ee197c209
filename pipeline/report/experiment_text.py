"""An experiment for a terminal: a line an arm, then a line a pair."""

from collections.abc import Iterator, Mapping

from pipeline.core.money import dollars, hours_text
from pipeline.report.arms import ArmResult, Measure, Pair, Part
from pipeline.report.card import compact
from pipeline.report.costs import Cost
from pipeline.report.experiment import Curve, Experiment
from pipeline.report.score_rows import BENCHMARKS
from pipeline.report.scoring import format_p
from pipeline.stages.likelihoods.results import signed_bits
from pipeline.stages.scores.statistics import Interval


def text(found: Experiment) -> str:
    """The tables in plain text."""
    blocks = [_head(found)]
    blocks += [_board(found, *board) for board in found.boards]
    blocks += [_costs(found)] + ([_failed(found)] if found.failed else [])
    return "\n\n".join("\n".join(block) for block in blocks if block)


UNITS: Mapping[Measure, str] = {"pass@1": "points", "bits per byte": "bits"}
"""Of differences."""


def points(value: float, measure: Measure = "pass@1") -> str:
    """A difference of rates, in points: "+2.4"; of bits per byte: "-0.021"."""
    return f"{100 * value:+.1f}" if measure == "pass@1" else signed_bits(value)


def value_text(value: float, measure: Measure) -> str:
    """ "12.2%", or "0.476" bits per byte."""
    return f"{value:.1%}" if measure == "pass@1" else f"{value:.3f}"


def tick_text(value: float, measure: Measure) -> str:
    """ "12.5%", or "0.15" bits per byte: a number on an axis, in as few digits as it has."""
    return f"{100 * value:g}%" if measure == "pass@1" else f"{value:g}"


def interval_text(ends: Interval, measure: Measure) -> str:
    """ "7.3, 17.1" of a rate, in per cent, or "0.461, 0.490"."""
    scale, places = (100, 1) if measure == "pass@1" else (1, 3)
    return f"{scale * ends.low:.{places}f}, {scale * ends.high:.{places}f}"


def part_text(part: Part, measure: Measure = "pass@1") -> str:
    """ "12.2% [7.3, 17.1]"."""
    if part.value is None or part.interval is None:
        return "-"
    return f"{value_text(part.value, measure)} [{interval_text(part.interval, measure)}]"


def pair_text(pair: Pair) -> str:
    """ "+2.4 [-1.2, 6.1] points, p = 0.21 (paired bootstrap), adjusted = 0.42"."""
    value, *ends = (points(one, pair.measure) for one in (pair.difference, *pair.interval))
    names = {"mcnemar": "McNemar", "paired bootstrap": "paired bootstrap"}
    lone = pair.by_seed[0][1] if pair.test == "mcnemar" else None
    changes = f", {lone.gained} gained, {lone.lost} lost" if lone else ""
    adjusted = f", adjusted {format_p(pair.adjusted)}" if pair.adjusted != pair.p else ""
    return (
        f"{value} [{ends[0]}, {ends[1]}] {UNITS[pair.measure]}{changes}; {names[pair.test]} "
        f"p {format_p(pair.p)}{adjusted}"
    )


def verdict(pair: Pair) -> str:
    """What may be said of a pair."""
    return {"rise": "a rise", "fall": "a fall", "none": "no claim"}.get(pair.claim, pair.claim)


def cost_text(cost: Cost) -> str:
    """ "$1.20, 3.4 CPU h, 0.5 GPU h"."""
    parts = [dollars(cost.usd)] if cost.usd else []
    parts += [hours_text(cost.cpu_hours, "CPU")] + ([hours_text(cost.gpu_hours, "GPU")] if cost.gpu_hours else [])
    return ", ".join(parts)


def fit_text(curve: Curve) -> str:
    """ "+2.1 [0.4, 3.9] points a doubling of tokens"."""
    if curve.fit is None:
        return "no fit: fewer than two different numbers of tokens"
    value, low, high = (points(one, curve.measure) for one in (curve.fit.slope, *curve.fit.interval))
    return f"{value} [{low}, {high}] {UNITS[curve.measure]} for each doubling of the tokens"


def _head(found: Experiment) -> list[str]:
    title = " ".join(filter(None, [found.name or "Runs side by side", f"({found.state})" * (found.state != "done")]))
    return [title, *([f"  {found.description}"] if found.description else [])]


def _board(found: Experiment, benchmark: str, measure: Measure) -> list[str]:
    arms = [(one, score) for one in found.arms if (score := one.score(benchmark, measure)) is not None]
    width = max(len(one.arm.name) for one, _ in arms)
    sizes = {score.whole.problems for _, score in arms}
    size = f"{max(sizes):,}" if len(sizes) == 1 else f"{min(sizes):,} to {max(sizes):,}"
    of, what = "problems", str(measure)
    if measure != "pass@1":
        what = "bits per byte of the reference solutions (fewer: likelier)"
    elif benchmark in BENCHMARKS.values():
        of, what = "images", "accuracy"
    lines = [f"{benchmark}, {what} of {size} {of}, 95% intervals over seeds and {of}"]
    for one, score in arms:
        count = len(score.seeds)
        trained = f"{compact(one.tokens)} tokens" if one.tokens else ""
        seeds = f"{count} seed{'s' * (count != 1)}" if one.arm.runs else ""
        value = part_text(score.whole, measure)
        lines.append(f"  {one.arm.name:<{width}}  {value:<22} {seeds:<9} {trained:<14} {one.arm.caption}")
    for one, score in arms:
        for tau, similar, others in score.split:
            if similar.problems:
                lines.append(
                    f"    {one.arm.name}, tau {tau}: {similar.problems} similar {part_text(similar)}, "
                    f"{others.problems} others {part_text(others)}"
                )
    board = (benchmark, measure)
    lines += [line for pair in found.pairs if (pair.benchmark, pair.measure) == board for line in _pair(pair)]
    lines += [
        f"  {curve.series or 'all arms'}: {fit_text(curve)}"
        for curve in found.curves
        if (curve.benchmark, curve.measure) == board
    ]
    return lines


def _pair(pair: Pair) -> Iterator[str]:
    where = f" (from {pair.stage})" if pair.stage else ""
    yield f"  {pair.second} against {pair.first}{where}: {verdict(pair)}"
    yield f"    {pair_text(pair)}; costs {cost_text(pair.cost)} more"


def _costs(found: Experiment) -> list[str]:
    arms = [one for one in found.arms if one.arm.runs]
    if not arms:
        return []
    width = max(len(one.arm.name) for one in arms)
    lines = ["Cost of each arm by itself, and what it adds to those before it"]
    lines += [f"  {one.arm.name:<{width}}  {_both(one)}" for one in arms]
    return [*lines, f"  {'together':<{width}}  {cost_text(found.total)}"]


def _both(one: ArmResult) -> str:
    return f"{cost_text(one.alone):<24} adds {cost_text(one.added)}"


def _failed(found: Experiment) -> list[str]:
    lines = ["Not made"]
    for arm, one in found.failed:
        lines.append(f"  {arm}, seed {one.seed}: {one.stage + ': ' if one.stage else ''}{one.message}")
        lines += [f"    {one.hint}"] if one.hint else []
    return lines
