"""The typed summary of a run, from its manifests: what report.json holds, what the card and the page are made of."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import walk
from pipeline.core.records import Problem
from pipeline.report import corpus, samples, scoring, variety
from pipeline.report.axes import AxisCover, axes, language
from pipeline.report.strength import Strength, strength
from pipeline.run.journalled import Journalled, journalled
from pipeline.run.reading import RunView, StageView, open_run
from pipeline.stages.likelihoods.results import COLUMNS, Change, Surprise, changes, surprises
from pipeline.stages.samples.facts import SamplesFacts
from pipeline.stages.scores.facts import ScoresFacts
from pipeline.stages.student.facts import StudentFacts
from pipeline.stages.tokens.facts import TokensFacts
from pipeline.store.store import Store
from pipeline.training.curve import CurvePoint, curve

SCORE_COLUMNS = ("id", "sample_id", "problem_id", "benchmark", "task_id", "model", "group", "number", "passed",
                 "verdict", "detail")  # fmt: skip


@dataclass(frozen=True, slots=True)
class StageLine:
    """Counts and time of one stage.

    seconds, cpu_seconds: what making the artifact took, in this run or the earlier one that it is reused from.
    seconds_here: wall time of this run. counted: whether the artifact is complete, so that entered = kept + dropped.
    made_by, made_at: the run that made it, and when, as far as that is known. journalled: the answers that a stage
    which is not finished has had.
    """

    name: str
    key: str
    state: str
    entered: int
    kept: int
    dropped: Mapping[str, int]
    seconds: float
    cpu_seconds: float
    seconds_here: float
    counted: bool
    made_by: str = ""
    made_at: str = ""
    journalled: Journalled | None = None

    def to_json(self) -> dict[str, Any]:
        """One entry of `stages` in `status`, and of the report's `funnel`."""
        return {
            "name": self.name,
            "key": self.key,
            "state": self.state,
            "in": self.entered,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "seconds": self.seconds,
            "cpu_seconds": self.cpu_seconds,
            "seconds_here": self.seconds_here,
            "made_by": self.made_by or None,
            "made_at": self.made_at or None,
            "journalled": self.journalled.to_json() if self.journalled else None,
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """All that the report says of a run. What the run does not have is empty or None.

    curve: of a student that is still learning as far as its events tell. stopped: stage, message and hint of a run that
    ended early. stages_diversity: how varied the documents are after each stage. value: what the value classifier and
    the sampler of crowded clusters did. unexecuted: teachers' passages that were kept though none of their code was
    executed. corpus_at, model_at: folders of the last documents kept and of the student, "" where there is none yet.
    strength: of the tests, where mutants were made. want: what was kept after each round of a recipe that wants a
    number of documents. axes: how evenly the corpus covers what it was asked by. language: of the run's domain.
    """

    run: str
    recipe: str
    description: str
    recipe_toml: str
    state: str
    started: str
    finished: str
    seconds: float
    funnel: tuple[StageLine, ...]
    drops: tuple[corpus.DropView, ...]
    teachers: tuple[corpus.TeacherView, ...]
    diversity: corpus.Diversity | None
    tokens: TokensFacts
    student: StudentFacts
    curve: tuple[CurvePoint, ...]
    scores: tuple[scoring.ModelScore, ...]
    comparisons: tuple[scoring.Comparison, ...]
    likelihoods: tuple[Surprise, ...]
    likelihood_comparisons: tuple[Change, ...]
    samples: tuple[samples.Shown, ...]
    sampling: Mapping[str, SamplesFacts]
    benchmarks: tuple[Mapping[str, Any], ...]
    provenance: Mapping[str, Any]
    folder: str
    stopped: Mapping[str, str] | None = None
    stages_diversity: tuple[variety.StageDiversity, ...] = ()
    value: variety.ValueView | None = None
    unexecuted: int = 0
    corpus_at: str = ""
    model_at: str = ""
    strength: tuple[Strength, ...] = ()
    want: tuple[Mapping[str, Any], ...] = ()
    axes: tuple[AxisCover, ...] = ()
    language: str = "python"

    def line(self, name: str) -> StageLine | None:
        """The stage of that name, None where the run has none."""
        return next((line for line in self.funnel if line.name == name), None)

    @property
    def corpus_lines(self) -> tuple[StageLine, ...]:
        """The stages whose records are, or become, training documents."""
        return tuple(line for line in self.funnel if line.name in walk.corpus())

    @property
    def measured_alone(self) -> Mapping[str, int]:
        """Problems of each benchmark of which no answer was asked for and the reference solutions were measured."""
        asked = {score.benchmark for score in self.scores}
        return {one.benchmark: one.problems for one in self.likelihoods if one.benchmark not in asked}

    @property
    def parsed(self) -> bool:
        """Whether answers became documents: a run that ends before that keeps none and loses none."""
        line = self.line("documents")
        return line is not None and line.counted

    @property
    def usd(self) -> float:
        """Dollars that this run, in whichever call, paid to the teachers."""
        return sum(teacher.usd for teacher in self.teachers)

    @property
    def earlier_usd(self) -> float:
        """Dollars that earlier runs paid for answers which this one has from them."""
        return sum(teacher.earlier_usd for teacher in self.teachers)

    @property
    def teacher_tokens(self) -> int:
        """Tokens of the teachers, prompts and answers."""
        return sum(teacher.tokens for teacher in self.teachers)

    @property
    def kept_from_teachers(self) -> int:
        """Documents of the final corpus that a teacher wrote."""
        return sum(teacher.kept for teacher in self.teachers if teacher.kind != "source")

    def cost(self) -> dict[str, Any]:
        """Dollars and teacher tokens, in all and for each kept document (None where none was kept)."""
        kept = self.kept_from_teachers
        return {
            "usd": round(self.usd, 6),
            "reused_usd": round(self.earlier_usd, 6),
            "tokens": self.teacher_tokens,
            "kept_documents": kept,
            "usd_per_kept_document": round(self.usd / kept, 8) if kept else None,
            "tokens_per_kept_document": round(self.teacher_tokens / kept, 1) if kept else None,
        }

    def to_json(self) -> dict[str, Any]:
        """report.json. The keys of DESIGN's contract are `run`, `funnel`, `scores`, `teachers` and `seconds`."""
        return {
            "run": self.run,
            "recipe": self.recipe,
            "description": self.description,
            "state": self.state,
            "stopped": dict(self.stopped) if self.stopped else None,
            "started": self.started,
            "finished": self.finished or None,
            "seconds": self.seconds,
            "funnel": [line.to_json() for line in self.funnel],
            "drops": [drop.to_json() for drop in self.drops],
            "unexecuted": self.unexecuted,
            "strength": [one._asdict() for one in self.strength],
            "want": [dict(one) for one in self.want],
            "axes": [one.to_json() for one in self.axes],
            "teachers": [teacher.to_json() for teacher in self.teachers],
            "cost": self.cost(),
            "diversity": self.diversity.to_json() if self.diversity else None,
            "diversity_by_stage": [entry.to_json() for entry in self.stages_diversity],
            "value": self.value.to_json() if self.value else None,
            "tokens": self.tokens.to_json() if self.tokens else {},
            "student": {
                name: said for name, said in self.student.to_json().items() if name != "curve" and self.student
            },
            "curve": [point._asdict() for point in self.curve],
            "scores": [score.to_json() for score in self.scores],
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "likelihoods": [one.to_json() for one in self.likelihoods],
            "likelihood_comparisons": [change.to_json() for change in self.likelihood_comparisons],
            "samples": [shown.to_json() for shown in self.samples],
            "sampling": {name: facts.to_json() for name, facts in self.sampling.items()},
            "benchmarks": [dict(benchmark) for benchmark in self.benchmarks],
            "provenance": dict(self.provenance),
        }


def summarise(run_folder: Path, store: Store) -> Summary:
    """Read a run, whatever its state, into a summary."""
    run = open_run(run_folder, store)
    recipe = run.loaded.recipe if run.loaded else None
    score_rows = list(run.rows("scores", columns=SCORE_COLUMNS))
    known = benchmark_problems(run) if score_rows else {}
    totals = {name: len(entries) for name, entries in known.items()}
    told = run.facts("scores", ScoresFacts)
    student = run.facts("student", StudentFacts)
    seed = recipe.seed if recipe else 0
    every = scoring.with_pools(score_rows)
    totals |= {pool: sum(totals[part] for part in parts) for pool, parts in scoring.pools(totals).items()}
    scores = scoring.model_scores(every, seed, totals, told.closest or {})
    named = (f"likelihoods-{model}" for model in ("before", "after"))
    likely = scoring.with_pools([row for name in named for row in run.rows(name, columns=COLUMNS)])
    measured = surprises(likely, seed)
    return Summary(
        run=run.name,
        recipe=str(run.info.get("recipe") or ""),
        description=recipe.description if recipe else "",
        recipe_toml=run.recipe_toml,
        state=str(run.info.get("state") or "unknown"),
        started=str(run.info.get("started") or ""),
        finished=str(run.info.get("finished") or ""),
        seconds=float(run.info.get("seconds") or 0.0),
        funnel=tuple(stage_line(stage, run) for stage in run.stages),
        drops=tuple(corpus.drops(run)),
        teachers=tuple(corpus.teachers(run)),
        diversity=corpus.diversity(run),
        tokens=run.facts("tokens", TokensFacts),
        student=student,
        curve=curve(student.curve or run.events("train")),
        scores=tuple(scores),
        comparisons=tuple(scoring.compare(every, scores, "before", "after", seed)),
        likelihoods=tuple(measured),
        likelihood_comparisons=tuple(changes(likely, measured, seed)),
        samples=tuple(samples.shown(run, score_rows, known)),
        sampling={
            s.name: SamplesFacts.from_json(s.facts) for s in run.stages if s.name.startswith("samples") and s.facts
        },
        benchmarks=tuple(told.benchmarks or ()),
        provenance=provenance_of(run),
        folder=str(run.folder),
        stopped=run.info.get("stopped") or None,
        stages_diversity=tuple(variety.by_stage(run)),
        value=variety.value(run),
        unexecuted=corpus.unexecuted(run),
        corpus_at=_folder(run, walk.documents()),
        model_at=_folder(run, ("student",), "/model"),
        strength=strength(run),
        want=tuple(run.info.get("want") or ()),
        axes=axes(run),
        language=language(run),
    )


def _folder(run: RunView, stages: Sequence[str], below: str = "") -> str:
    """Where the last of these stages that is finished lies, "" where none is."""
    done = [stage for stage in run.stages if stage.name in stages and stage.manifest is not None]
    return f"{run.store.root}/{done[-1].name}/{done[-1].key}{below}" if done else ""


def benchmark_problems(run: RunView) -> dict[str, tuple[Problem, ...]]:
    """The problems of the run's benchmarks, as far as their data is at hand."""
    return samples.problems(run, run.loaded.recipe.evaluation.benchmarks) if run.loaded else {}


def stage_line(stage: StageView, run: RunView) -> StageLine:
    """Counts and time of one stage; zeros, and `counted` false, where its artifact is not complete.

    A manifest's clock starts when its files are opened, which is after training; the run's own clock has it all.
    """
    manifest = stage.manifest
    return StageLine(
        name=stage.name,
        key=stage.key,
        state=stage.state,
        entered=manifest.entered if manifest else 0,
        kept=manifest.kept if manifest else 0,
        dropped=manifest.dropped if manifest else {},
        seconds=max(manifest.seconds, stage.seconds if stage.state == "made" else 0.0) if manifest else stage.seconds,
        cpu_seconds=manifest.cpu_seconds if manifest else 0.0,
        seconds_here=stage.seconds,
        counted=manifest is not None,
        made_by=stage.made_by,
        made_at=stage.made_at,
        journalled=journalled(stage, run),
    )


def provenance_of(run: RunView) -> dict[str, Any]:
    """Versions, commit and machine, as run.json has them, and the recipe's digest."""
    names = ("hornbook", "commit", "python", "torch", "transformers", "machine")
    found = {name: run.info[name] for name in names if run.info.get(name)}
    recipe_file = run.folder / "recipe.toml"
    if recipe_file.is_file():
        found["recipe_digest"] = hashlib.sha256(recipe_file.read_bytes()).hexdigest()[:12]
    if run.loaded:
        found["seed"] = run.loaded.recipe.seed
    return found


def status(run_folder: Path, store: Store) -> dict[str, Any]:
    """What `hornbook status --json` prints: each stage's state and counts, with in = kept + sum(dropped)."""
    run = open_run(run_folder, store)
    entries = []
    last = _last_progress(run)
    for stage in run.stages:
        entry = stage_line(stage, run).to_json()
        if stage.state in ("making", "stopped") and stage.name in last:
            entry["progress"] = last[stage.name]
        entries.append(entry)
    return {
        "run": run.name,
        "recipe": run.info.get("recipe"),
        "state": run.info.get("state"),
        "seconds": run.info.get("seconds"),
        "stages": entries,
    }


def _last_progress(run: RunView) -> dict[str, dict[str, Any]]:
    """For a run that is not done, the newest progress event of each stage."""
    if run.info.get("state") == "done":
        return {}
    passing = ("stage-started", "stage-finished", "stage-reused", "note", "warning", "servers")
    return {str(event["stage"]): event for event in run.events() if "stage" in event and event["event"] not in passing}


def status_text(found: Mapping[str, Any]) -> str:
    """`status` for a person: one aligned line a stage."""
    lines = [f"{found['run']}: {found['state']}"]
    for stage in found["stages"]:
        lines.append(_status_line(stage))
    return "\n".join(lines)


def _answers(journalled: Mapping[str, Any]) -> str:
    paid = f", {journalled['tokens']:,} tokens, ${journalled['usd']:,.4f}" if journalled["tokens"] else ""
    return f"{journalled['answers']:,} answers in the journal{paid}"


def _status_line(stage: Mapping[str, Any]) -> str:
    head = f"  {stage['name']:<15} {stage['state']:<8} "
    if stage["journalled"]:
        return head + _answers(stage["journalled"])
    if not stage["in"] and not stage["kept"]:
        progress = stage.get("progress") or {}
        done, total = progress.get("done", progress.get("step")), progress.get("total", progress.get("steps"))
        return (head + (f"{done:,} of {total:,}" if done is not None and total else "")).rstrip()
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(stage["dropped"].items(), key=lambda i: -i[1]))
    dropped = f"  dropped {sum(stage['dropped'].values()):,}: {reasons}" if reasons else ""
    return f"{head}{stage['in']:>7,} in {stage['kept']:>7,} kept {stage['seconds']:>8.1f} s{dropped}"
