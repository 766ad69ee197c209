"""An experiment as a whole: its arms, the differences between them, fits, and what all of it took."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.recipe_images import ImageRecipe
from pipeline.report.arms import Arm, ArmResult, Failed, Measure, Pair, Scored, pairs, results
from pipeline.report.costs import Cost, artifacts, cost
from pipeline.run.reading import RunView
from pipeline.stages.scores.statistics import Fit, log_fit


@dataclass(frozen=True, slots=True)
class Curve:
    """pass@1 or bits per byte of the arms of one series against the tokens that they were trained on, on one benchmark.

    points: (arm, tokens, value), by tokens. fit: None for fewer than two different numbers of tokens.
    """

    series: str
    benchmark: str
    points: tuple[tuple[str, int, float], ...]
    fit: Fit | None
    measure: Measure = "pass@1"

    def to_json(self) -> dict[str, Any]:
        """One entry of `fits`."""
        fit = self.fit
        name = self.measure.replace(" ", "_")
        return {
            "series": self.series,
            "benchmark": self.benchmark,
            "measure": self.measure,
            "points": [{"arm": arm, "tokens": tokens, name: rate} for arm, tokens, rate in self.points],
            "per_doubling": fit.slope if fit else None,
            "interval": list(fit.interval) if fit else None,
            "at_one_token": fit.at_one if fit else None,
        }


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is written as report.json, and shown as text and as a page.

    name, description: the sweep's; "" where runs were made by hand. recipe: the base. state: "done", or what is
    missing, in words. arms: with the untrained student. total: what all took together, each artifact once.
    """

    name: str
    description: str
    recipe: str
    state: str
    arms: tuple[ArmResult, ...]
    pairs: tuple[Pair, ...]
    curves: tuple[Curve, ...]
    split_by: str
    total: Cost

    @property
    def boards(self) -> tuple[tuple[str, Measure], ...]:
        """Benchmarks that some arm was scored on, in the order of the recipe, each with what it was measured by."""
        return tuple(dict.fromkeys((score.benchmark, score.measure) for one in self.arms for score in one.scores))

    @property
    def failed(self) -> tuple[tuple[str, Failed], ...]:
        """Runs that did not come to their end, with their arm."""
        return tuple((one.arm.name, failed) for one in self.arms for failed in one.arm.failed)

    def to_json(self) -> dict[str, Any]:
        """What `hornbook sweep --json` and `hornbook runs compare --json` print."""
        return {
            "sweep": self.name,
            "description": self.description,
            "recipe": self.recipe,
            "state": self.state,
            "arms": [one.to_json() for one in self.arms],
            "pairs": [pair.to_json() for pair in self.pairs],
            "fits": [curve.to_json() for curve in self.curves],
            "split_by": self.split_by or None,
            "cost": self.total.to_json(),
        }


def experiment(
    arms: Sequence[Arm],
    named: Iterable[tuple[str, str]],
    *,
    name: str = "",
    description: str = "",
    recipe: str = "",
    state: str = "done",
    split_by: str = "",
    fit: bool = False,
) -> Experiment:
    """The arms side by side. named: the pairs that are compared, (first, second)."""
    found = results(arms, split_by)
    made = artifacts(run for arm in arms for run in arm.runs.values())
    curves = tuple(_curves(found)) if fit else ()
    return Experiment(name, description, recipe, state, found, pairs(found, named), curves, split_by, cost(made))


def _curves(found: Sequence[ArmResult]) -> Iterable[Curve]:
    groups: dict[tuple[str, str, Measure], list[tuple[int, str, Scored]]] = defaultdict(list)
    for one in found:
        for score in one.scores:
            if one.tokens:
                groups[one.arm.series, score.benchmark, score.measure].append((one.tokens, one.arm.name, score))
    for (series, benchmark, measure), arms in groups.items():
        arms.sort(key=lambda entry: entry[:2])
        common = sorted(set.intersection(*(set(score.tasks) for _, _, score in arms)))
        xs = [float(tokens) for tokens, _, _ in arms]
        rates = [score.columns(common) for _, _, score in arms]
        fit = log_fit(xs, rates, 0) if len(set(xs)) > 1 and common else None
        points = tuple((name, tokens, float(score.rates.mean())) for tokens, name, score in arms)
        yield Curve(series, benchmark, points, fit, measure)


def of_runs(runs: Sequence[RunView]) -> Experiment:
    """Runs made by hand: those whose recipes differ in nothing but a seed are one arm; each is compared with the first.

    An arm is called as its first run. Raises UsageError for fewer than two runs.
    """
    if len({run.name for run in runs}) < 2:
        raise UsageError("one run is named", hint="name two or more: hornbook runs compare A B")
    groups: dict[str, dict[int, RunView]] = {}
    names: dict[str, str] = {}
    for run in runs:
        what, seed = _unseeded(run)
        group = groups.setdefault(what, {})
        names.setdefault(what, run.name)
        while seed in group and group[seed].name != run.name:
            seed += 1  # the same recipe and seed, made twice (`--fresh`)
        group[seed] = run
    arms = [Arm(names[what], _caption(group), group) for what, group in groups.items()]
    named = [(arms[0].name, arm.name) for arm in arms[1:]]
    recipes = dict.fromkeys(str(run.info.get("recipe") or "") for run in runs)
    unfinished = [run.name for run in runs if run.info.get("state") != "done"]
    state = "done" if not unfinished else f"not done: {', '.join(unfinished)}"
    return experiment(arms, named, recipe=", ".join(filter(None, recipes)), state=state)


def _unseeded(run: RunView) -> tuple[str, int]:
    """What tells a run's recipe from others but for its seeds and name, and its seed."""
    if run.loaded is None:
        return run.name, 0
    recipe = run.loaded.recipe
    if isinstance(recipe, ImageRecipe):
        return recipe.model_copy(update={"seed": 0, "name": "recipe", "description": ""}).model_dump_json(), recipe.seed
    seed = recipe.seed if recipe.student.seed is None else recipe.student.seed
    student = recipe.student.model_copy(update={"seed": None})
    same = recipe.model_copy(update={"seed": 0, "name": "recipe", "description": "", "student": student})
    return same.model_dump_json(), seed


def _caption(group: dict[int, RunView]) -> str:
    others = [run.name for run in group.values()][1:]
    return f"with {', '.join(others)}" if others else ""
