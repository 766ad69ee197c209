"""Two runs side by side: recipe keys, stages, funnel, scores, and a paired test between the two students."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report import scoring
from pipeline.report.score_rows import score_rows
from pipeline.report.summary import StageLine, stage_line
from pipeline.run.reading import RunView, open_run
from pipeline.store.store import Store


@dataclass(frozen=True, slots=True)
class KeyDifference:
    """A recipe key whose values differ; None where a run has no such key."""

    key: str
    a: Any
    b: Any


@dataclass(frozen=True, slots=True)
class StageDifference:
    """One stage in both runs; None where a run lacks it."""

    name: str
    a: StageLine | None
    b: StageLine | None

    @property
    def same(self) -> bool:
        """Whether both runs share the artifact."""
        return self.a is not None and self.b is not None and self.a.key == self.b.key


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """One model on one benchmark in both runs. test: b against a on common problems, None where there are none."""

    benchmark: str
    model: str
    a: scoring.ModelScore | None
    b: scoring.ModelScore | None
    comparison: scoring.Comparison | None


@dataclass(frozen=True, slots=True)
class Diff:
    """What differs between run a and run b."""

    a: str
    b: str
    recipe: tuple[KeyDifference, ...]
    stages: tuple[StageDifference, ...]
    scores: tuple[ScoreDifference, ...]

    def to_json(self) -> dict[str, Any]:
        """What `hornbook diff --json` prints."""
        return {
            "a": self.a,
            "b": self.b,
            "recipe": [{"key": d.key, "a": d.a, "b": d.b} for d in self.recipe],
            "stages": [
                {
                    "name": d.name,
                    "same": d.same,
                    "a": d.a.to_json() if d.a else None,
                    "b": d.b.to_json() if d.b else None,
                }
                for d in self.stages
            ],
            "scores": [
                {
                    "benchmark": d.benchmark,
                    "model": d.model,
                    "a": d.a.to_json() if d.a else None,
                    "b": d.b.to_json() if d.b else None,
                    "comparison": d.comparison.to_json() if d.comparison else None,
                }
                for d in self.scores
            ],
        }


def diff(run_a: Path, run_b: Path, store: Store) -> Diff:
    """Compare two runs of one store."""
    a, b = open_run(run_a, store), open_run(run_b, store)
    names = dict.fromkeys([stage.name for stage in a.stages] + [stage.name for stage in b.stages])
    stages = tuple(StageDifference(name, _line(a, name), _line(b, name)) for name in names)
    return Diff(a.name, b.name, tuple(_recipe_differences(a, b)), stages, tuple(_score_differences(a, b)))


def _line(run: RunView, name: str) -> StageLine | None:
    stage = run.stage(name)
    return stage_line(stage, run) if stage else None


def _recipe_differences(a: RunView, b: RunView) -> Iterator[KeyDifference]:
    flat = [settings(run) for run in (a, b)]
    for key in dict.fromkeys([*flat[0], *flat[1]]):
        if flat[0].get(key) != flat[1].get(key):
            yield KeyDifference(key, flat[0].get(key), flat[1].get(key))


def settings(run: RunView) -> dict[str, Any]:
    """A run's recipe by dotted keys; empty where its folder has none."""
    return dict(_flatten(run.loaded.recipe.model_dump(mode="json"), "")) if run.loaded else {}


def _flatten(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Dotted keys; entries of a list of tables by name where they have one, else by place."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _flatten(entry, f"{path}.{key}" if path else key)
    elif isinstance(value, list) and any(isinstance(entry, Mapping) for entry in value):
        for place, entry in enumerate(value):
            yield from _flatten(entry, f"{path}.{entry.get('name') or place}")
    else:
        yield path, value


def _score_differences(a: RunView, b: RunView) -> Iterator[ScoreDifference]:
    rows = [score_rows(run) for run in (a, b)]
    seeds = [run.loaded.recipe.seed if run.loaded else 0 for run in (a, b)]
    scores = [{(s.benchmark, s.model): s for s in scoring.model_scores(rows[side], seeds[side], {})} for side in (0, 1)]
    for benchmark, model in dict.fromkeys([*scores[0], *scores[1]]):
        one, two = scores[0].get((benchmark, model)), scores[1].get((benchmark, model))
        yield ScoreDifference(benchmark, model, one, two, _paired(rows, benchmark, model, seeds[0]))


def _paired(rows: list[list[dict[str, Any]]], benchmark: str, model: str, seed: int) -> scoring.Comparison | None:
    """The same model name in both runs, on the problems that both answered."""
    renamed = [
        row | {"model": side}
        for side, entries in zip(("a", "b"), rows, strict=True)
        for row in entries
        if row["benchmark"] == benchmark and row["model"] == model
    ]
    found = scoring.compare(renamed, scoring.model_scores(renamed, seed, {}), "a", "b")
    return found[0] if found else None


def diff_text(found: Diff) -> str:
    """The comparison for a person."""
    lines = [f"a  {found.a}", f"b  {found.b}", "", "Recipe"]
    width = max((len(d.key) for d in found.recipe), default=0)
    lines += [f"  {d.key:<{width}}  {_value(d.a)} -> {_value(d.b)}" for d in found.recipe] or ["  the same"]
    lines += ["", f"{'Stages':<17}{'kept in a':>12}{'kept in b':>12}"]
    lines += [_stage_text(d) for d in found.stages]
    if found.scores:
        lines += ["", "Scores, pass@1"]
        lines += [line for d in found.scores for line in _score_text(d)]
    return "\n".join(lines)


def _value(value: Any) -> str:
    text = "(absent)" if value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _stage_text(difference: StageDifference) -> str:
    counts = [f"{line.kept:,}" if line and line.counted else "-" for line in (difference.a, difference.b)]
    state = "same artifact" if difference.same else "differs"
    lost = _drop_changes(difference) if not difference.same else ""
    return f"  {difference.name:<15}{counts[0]:>12}{counts[1]:>12}  {state}{lost}"


def _drop_changes(difference: StageDifference) -> str:
    """Drop reasons whose counts differ: "  (timeout 3 -> 5)"."""
    one = difference.a.dropped if difference.a else {}
    two = difference.b.dropped if difference.b else {}
    changed = [
        f"{reason} {one.get(reason, 0):,} -> {two.get(reason, 0):,}"
        for reason in sorted({*one, *two})
        if one.get(reason, 0) != two.get(reason, 0)
    ]
    return f"  ({', '.join(changed)})" if changed else ""


def _score_text(difference: ScoreDifference) -> list[str]:
    rates = []
    for score in (difference.a, difference.b):
        value = score.overall.value if score else None
        rates.append("-" if score is None else "unscored" if value is None else f"{value:.1%}")
    lines = [f"  {difference.benchmark + ' ' + difference.model:<27}{rates[0]:>9} -> {rates[1]}"]
    if difference.comparison and difference.comparison.test.gained + difference.comparison.test.lost:
        lines.append(f"    {difference.comparison.sentence()}")
    return lines
