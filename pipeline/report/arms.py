"""Arms of an experiment side by side: each arm is one recipe, run once or with several seeds.

An arm's rate is over its seeds and the problems, with an interval that resamples both. Two arms are compared on the
same problems: by McNemar's exact test where each was run once and answered once a problem, by a paired bootstrap
otherwise. What p-values say of several pairs together is adjusted (Holm 1979). Where a recipe measures how likely the
reference solutions are, the same is done with bits per byte.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from pipeline.report.costs import Cost, artifacts, cost, differing
from pipeline.report.score_rows import about, beside, score_rows
from pipeline.report.scoring import with_pools
from pipeline.run.reading import RunView
from pipeline.stages.decontaminated.split import TAUS
from pipeline.stages.likelihoods.results import COLUMNS, bits_per_byte, claim_of
from pipeline.stages.scores.facts import ScoresFacts
from pipeline.stages.scores.statistics import (
    Interval,
    McNemar,
    Rates,
    claimable,
    crossed_interval,
    holm,
    mcnemar,
    paired_difference,
)
from pipeline.stages.student.facts import StudentFacts
from pipeline.stages.tokens.facts import TokensFacts
from pipeline.vision.facts import ProbesFacts, TrainingFacts

Measure = Literal["pass@1", "bits per byte"]
"""What arms are measured by: the share of problems solved, or what the reference solutions cost, of which less is
better."""

BEFORE = "before"
"""Name of the arm that is the student before any training."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A run of an arm that did not come to its end. stage: where; hint: what to do."""

    run: str
    seed: int
    stage: str
    message: str
    hint: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm. runs: those that there are, by seed. failed: those that stopped. series: its line in a fit."""

    name: str
    caption: str
    runs: Mapping[int, RunView]
    failed: tuple[Failed, ...] = ()
    series: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A rate over some of a benchmark's problems; None where there is none of them."""

    problems: int
    value: float | None
    interval: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"problems": self.problems, "pass@1": self.value, "interval": _listed(self.interval)}


@dataclass(frozen=True, slots=True)
class Scored:
    """An arm on one benchmark by one measure, on the problems that each of its runs has a value for.

    tasks: their ids, sorted. rates: pass@1 or bits per byte, (seeds, problems). asked: problems of the benchmark that
    were asked. greedy: whether each problem was answered once. split: by tau, problems that the corpus has something
    like and the others.
    """

    benchmark: str
    seeds: tuple[int, ...]
    tasks: tuple[str, ...]
    rates: Rates
    asked: int
    greedy: bool
    whole: Part
    split: tuple[tuple[float, Part, Part], ...] = ()
    measure: Measure = "pass@1"

    def columns(self, tasks: Sequence[str]) -> Rates:
        """The rates of these tasks, in their order."""
        place = {task: number for number, task in enumerate(self.tasks)}
        return self.rates[:, [place[task] for task in tasks]]

    def to_json(self) -> dict[str, Any]:
        """One entry of an arm's `scores`, or of its `likelihoods`."""
        if self.measure == "bits per byte":
            ends = zip(self.seeds, self.rates.mean(axis=1), strict=True)
            return {
                "benchmark": self.benchmark,
                "seeds": len(self.seeds),
                "problems": self.whole.problems,
                "bits_per_byte": self.whole.value,
                "interval": _listed(self.whole.interval),
                "per_seed": [{"seed": seed, "bits_per_byte": float(value)} for seed, value in ends],
            }
        per_seed = [{"seed": s, "pass@1": float(r)} for s, r in zip(self.seeds, self.rates.mean(axis=1), strict=True)]
        splits = [{"tau": t, "similar": a.to_json(), "others": b.to_json()} for t, a, b in self.split]
        return {
            "benchmark": self.benchmark,
            "seeds": len(self.seeds),
            **self.whole.to_json(),
            "asked": self.asked,
            "per_seed": per_seed,
            "splits": splits,
        }


@dataclass(frozen=True, slots=True)
class ArmResult:
    """An arm with its numbers. tokens: trained on, of one run. documents: of its corpus. alone: what it takes by
    itself; added: what it takes beyond the arms before it, which share what is the same."""

    arm: Arm
    scores: tuple[Scored, ...]
    tokens: int | None
    documents: int | None
    parameters: int | None
    alone: Cost
    added: Cost

    def score(self, benchmark: str, measure: Measure = "pass@1") -> Scored | None:
        """On that benchmark by that measure, None where there is none."""
        return next((one for one in self.scores if (one.benchmark, one.measure) == (benchmark, measure)), None)

    def to_json(self) -> dict[str, Any]:
        """One entry of `arms`."""
        return {
            "arm": self.arm.name,
            "caption": self.arm.caption,
            "series": self.arm.series or None,
            "seeds": list(self.arm.runs),
            "runs": [run.name for run in self.arm.runs.values()],
            "failed": [one.to_json() for one in self.arm.failed],
            "tokens": self.tokens,
            "documents": self.documents,
            "parameters": self.parameters,
            "scores": [score.to_json() for score in self.scores if score.measure == "pass@1"],
            "likelihoods": [score.to_json() for score in self.scores if score.measure != "pass@1"],
            "cost": self.alone.to_json(),
            "added_cost": self.added.to_json(),
        }


@dataclass(frozen=True, slots=True)
class Pair:
    """Two arms on the problems that both have a value for; `difference` is how much more the second has.

    test: how p was had. by_seed: McNemar of each seed that both have, where they answered once a problem. adjusted: p
    with regard to all pairs. stage: the first stage in which the arms differ. cost: what the second takes that the
    first does not.
    """

    first: str
    second: str
    benchmark: str
    measure: Measure
    problems: int
    difference: float
    interval: Interval
    p: float
    adjusted: float
    test: Literal["mcnemar", "paired bootstrap"]
    by_seed: tuple[tuple[int, McNemar], ...]
    stage: str
    cost: Cost

    @property
    def claim(self) -> Literal["rise", "fall", "likelier", "less likely", "none"]:
        """What may be said: nothing where chance alone could give it, with regard to all pairs."""
        if self.measure == "bits per byte":
            return claim_of(self.difference, self.adjusted, self.interval)
        if not claimable(self.adjusted, self.interval):
            return "none"
        return "rise" if self.difference > 0 else "fall"

    def to_json(self) -> dict[str, Any]:
        """One entry of `pairs`."""
        by_seed = [{"seed": seed, **test._asdict()} for seed, test in self.by_seed]
        return {
            "first": self.first,
            "second": self.second,
            "benchmark": self.benchmark,
            "measure": self.measure,
            "problems": self.problems,
            "difference": self.difference,
            "interval": list(self.interval),
            "p": self.p,
            "p_adjusted": self.adjusted,
            "test": self.test,
            "mcnemar_by_seed": by_seed,
            "claim": self.claim,
            "first_stage_that_differs": self.stage,
            "added_cost": self.cost.to_json(),
        }


def _listed(ends: Interval | None) -> list[float] | None:
    return None if ends is None else list(ends)


Rows = Sequence[Mapping[str, Any]]
"""Judged answers of a run."""

Closest = Mapping[str, Mapping[str, Sequence[Any]]]
"""By benchmark and task id, the match rate and id of the closest document of a corpus."""


def results(arms: Sequence[Arm], split_by: str = "") -> tuple[ArmResult, ...]:
    """The arms with their numbers, in their order, after the student before training where a run has scored it.

    split_by: name of the arm by whose corpus the problems are split into similar ones and others, "" for none.
    """
    closest: Closest = {}
    for run in next((arm.runs.values() for arm in arms if arm.name == split_by), ()):
        closest = run.facts("scores", ScoresFacts).closest or closest
    answers = {arm.name: {seed: score_rows(run) for seed, run in arm.runs.items()} for arm in arms}
    found = [*_before(arms, closest), *_beside(arms, answers)]
    seen: set[str] = set()
    for arm in arms:
        stages = artifacts(arm.runs.values())
        first = next(iter(arm.runs.values()), None)
        facts = _facts(first)
        new = {key: one for key, one in stages.items() if key not in seen}
        seen |= stages.keys()
        model = about(first) if first else ""
        scores = _scores(answers[arm.name], model, closest) + _likelihoods(arm.runs, model)
        found.append(ArmResult(arm, scores, *facts, cost(stages), cost(new)))
    return tuple(found)


def _facts(run: RunView | None) -> tuple[int | None, int | None, int | None]:
    """Tokens trained on, documents of the corpus or training images, parameters."""
    if run is None:
        return None, None, None
    if run.stage("probes") is not None:
        return None, run.facts("probes", ProbesFacts).bank, run.facts(about(run), TrainingFacts).parameters
    student = run.facts("student", StudentFacts)
    return student.tokens, run.facts("tokens", TokensFacts).documents, student.parameters


def _before(arms: Iterable[Arm], closest: Closest) -> Iterable[ArmResult]:
    """The untrained student, once for each that there is."""
    found: dict[str, RunView] = {}
    for run in (run for arm in arms for run in arm.runs.values()):
        stage = run.stage("samples-before")
        if stage is not None and stage.manifest is not None:
            found.setdefault(stage.key, run)
    for run in found.values():
        init = run.loaded.recipe.student.init.rpartition("/")[2] if run.loaded else ""
        scores = _scores({0: score_rows(run)}, BEFORE, closest) + _likelihoods({0: run}, BEFORE)
        if scores:
            arm = Arm(BEFORE if len(found) == 1 else f"{BEFORE} ({init})", f"{init}, not trained", {})
            yield ArmResult(arm, scores, None, None, None, Cost(), Cost())


def _beside(arms: Iterable[Arm], answers: Mapping[str, Mapping[int, Rows]]) -> Iterable[ArmResult]:
    """What stands beside the network of runs over images: what several arms have alike is told once."""
    told: dict[str, set[bytes]] = {}
    for arm in arms:
        for model in dict.fromkeys(name for run in arm.runs.values() for name in beside(run)):
            scores = _scores(answers[arm.name], model, {})
            said = {row.tobytes() for score in scores for row in score.rates}
            if not said <= told.setdefault(model, set()):
                name = f"{model} ({arm.name})" if told[model] else model
                yield ArmResult(Arm(name, "", {}), scores, None, None, None, Cost(), Cost())
            told[model] |= said


def _scores(runs: Mapping[int, Rows], model: str, closest: Closest) -> tuple[Scored, ...]:
    """On each benchmark that some run was scored on, and on those that are pooled, over the runs that were."""
    verdicts: dict[str, dict[int, dict[str, list[bool]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    asked: dict[str, set[str]] = defaultdict(set)
    for seed, judged in runs.items():
        for row in with_pools(judged):
            if row["model"] == model:
                asked[row["benchmark"]].add(row["task_id"])
                if row["passed"] is not None:
                    verdicts[row["benchmark"]][seed][row["task_id"]].append(row["passed"])
    found = []
    for benchmark, by_seed in verdicts.items():
        tasks = tuple(sorted(set.intersection(*(set(tasks) for tasks in by_seed.values()))))
        if not tasks:
            continue
        rates = np.array([[np.mean(by_seed[seed][task]) for task in tasks] for seed in by_seed], dtype=np.float64)
        greedy = all(len(answers) == 1 for tasks_ in by_seed.values() for answers in tasks_.values())
        split = _split(rates, tasks, closest[benchmark]) if benchmark in closest else ()
        whole = part(rates)
        found.append(
            Scored(benchmark, tuple(by_seed), tasks, rates, len(asked[benchmark]), greedy, whole, tuple(split))
        )
    return tuple(found)


def _likelihoods(runs: Mapping[int, RunView], model: str) -> tuple[Scored, ...]:
    """Bits per byte of the reference solutions, on each benchmark that some run was measured on."""
    bits: dict[str, dict[int, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for seed, run in runs.items():
        for row in run.rows(f"likelihoods-{model}", columns=COLUMNS):
            bits[row["benchmark"]][seed][row["task_id"]] = bits_per_byte(row)
    found = []
    for benchmark, by_seed in bits.items():
        tasks = tuple(sorted(set.intersection(*(set(tasks) for tasks in by_seed.values()))))
        if tasks:
            values = np.array([[by_seed[seed][task] for task in tasks] for seed in by_seed], dtype=np.float64)
            asked = len(set().union(*by_seed.values()))
            found.append(
                Scored(benchmark, tuple(by_seed), tasks, values, asked, False, part(values), (), "bits per byte")
            )
    return tuple(found)


def part(rates: Rates) -> Part:
    """The mean rate, with its interval."""
    if not rates.size:
        return Part(0, None, None)
    return Part(rates.shape[1], float(rates.mean()), crossed_interval(rates, 0))


def _split(
    rates: Rates, tasks: Sequence[str], closest: Mapping[str, Sequence[Any]]
) -> Iterable[tuple[float, Part, Part]]:
    near = np.array([float((closest.get(task) or (0.0,))[0]) for task in tasks])
    for tau in TAUS:
        yield tau, part(rates[:, near >= tau]), part(rates[:, near < tau])


def pairs(found: Sequence[ArmResult], named: Iterable[tuple[str, str]]) -> tuple[Pair, ...]:
    """The named pairs of arms on every benchmark that both were scored on; p is adjusted for each benchmark and measure
    apart."""
    by_name = {one.arm.name: one for one in found}
    compared = [
        pair
        for first, second in named
        if first in by_name and second in by_name
        for pair in _compared(by_name[first], by_name[second])
    ]
    adjusted: dict[int, float] = {}
    for board in {(pair.benchmark, pair.measure) for pair in compared}:
        places = [place for place, pair in enumerate(compared) if (pair.benchmark, pair.measure) == board]
        adjusted |= zip(places, holm([compared[place].p for place in places]), strict=True)
    return tuple(replace(pair, adjusted=adjusted[place]) for place, pair in enumerate(compared))


def _compared(first: ArmResult, second: ArmResult) -> Iterable[Pair]:
    more = artifacts(second.arm.runs.values())
    for key in artifacts(first.arm.runs.values()):
        more.pop(key, None)
    stage = differing(first.arm.runs.values(), second.arm.runs.values())
    for one in first.scores:
        two = second.score(one.benchmark, one.measure)
        common = sorted(set(one.tasks) & set(two.tasks)) if two else []
        if two is None or not common:
            continue
        sides = [side.columns(common) for side in (one, two)]
        seeds = [seed for seed in one.seeds if seed in two.seeds]
        same = one.seeds == two.seeds
        once = one.greedy and two.greedy
        by_seed = [(seed, _mcnemar(one, two, common, seed)) for seed in seeds] if once else []
        test: Literal["mcnemar", "paired bootstrap"] = "paired bootstrap"
        value, ends, p = paired_difference(sides[0], sides[1], 0, same_seeds=same)
        if once and len(one.seeds) == len(two.seeds) == 1:
            lone = mcnemar((sides[0][0] > 0).tolist(), (sides[1][0] > 0).tolist())
            by_seed, p, test = [(two.seeds[0], lone)], lone.p, "mcnemar"
        yield Pair(
            first.arm.name, second.arm.name, one.benchmark, one.measure, len(common), value, ends, p, p, test,
            tuple(by_seed), stage, cost(more),
        )  # fmt: skip


def _mcnemar(one: Scored, two: Scored, tasks: Sequence[str], seed: int) -> McNemar:
    rows = [(side.columns(tasks)[side.seeds.index(seed)] > 0).tolist() for side in (one, two)]
    return mcnemar(rows[0], rows[1])
