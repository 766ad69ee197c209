"""What `hornbook evaluate` does: the score, and beside it what the user asked for.

A corpus splits the score into problems that it has something like and others (`splits.py`); a judge grades the answers
(`understanding.py`); a teacher answers the same problems in the same harness (`board.py`).
"""

import itertools
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.benchmarks import problems
from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.errors import InputError, UsageError
from pipeline.core.events import Event, OnEvent, silent
from pipeline.core.identity import digest
from pipeline.core.records import Document, Passage
from pipeline.core.stage import Kept
from pipeline.evaluation import samples_file
from pipeline.evaluation.api import Scored, Subject, evaluate, opened
from pipeline.evaluation.board import HEADING, Contestant, Row, board
from pipeline.evaluation.references import Comparison, compared, quantised_bits, reference
from pipeline.evaluation.understanding import Understanding, grade
from pipeline.execution import Execution
from pipeline.models.named import named
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.recipe_teachers import LocalTable, OpenAITable, ReplayTable, TeacherTable
from pipeline.sandbox import Sandbox
from pipeline.stages.likelihoods.results import Surprise, surprises
from pipeline.stages.likelihoods.stage import Likelihoods
from pipeline.stages.samples.endpoint import EndpointModel
from pipeline.stages.samples.models import LocalModel, Opened
from pipeline.stages.samples.opening import is_endpoint
from pipeline.stages.scores.results import verdicts_by_task
from pipeline.stages.scores.splits import SplitScore, split_scores
from pipeline.store.places import Places
from pipeline.teacher import Teacher, build
from pipeline.teacher.ages import told_ages
from pipeline.teacher.building import KINDS
from pipeline.teacher.lines import entries

REPLAY = "replay:"
"""Before the journal of an earlier judge, in place of a judge."""
JUDGE_TOKENS = 256
"""Longest verdict with its grade."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What is wanted beside the score; empty values want nothing.

    corpus: a run's name, or a file or folder of documents. judge: as a model is named, or "replay:JOURNAL". repeats:
    readings of each answer. judge_key_env: environment variable with the key of a judge's endpoint. teacher: the model
    whose score is to be kept. save: file for the samples. reference: name of a published score.
    likelihood: how likely the model finds the reference solutions.
    """

    corpus: str = ""
    judge: str = ""
    judge_model: str = ""
    judge_key_env: str = ""
    repeats: int = 3
    teacher: Subject | None = None
    save: Path | None = None
    reference: str = ""
    likelihood: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A score and what stands beside it; empty where it was not asked for."""

    scored: Scored
    splits: tuple[SplitScore, ...] = ()
    understanding: Understanding | None = None
    board: tuple[Row, ...] = ()
    reference: Comparison | None = None
    likelihood: Surprise | None = None

    def to_json(self) -> dict[str, Any]:
        """The result's own object, with "size", "splits", "understanding", "board", "reference" and "likelihood"."""
        size = self.scored.size
        return self.scored.result.to_json() | {
            "size": None if size is None else size._asdict(),
            "splits": [one.to_json() for one in self.splits],
            "understanding": None if self.understanding is None else self.understanding.to_json(),
            "board": [row.to_json() for row in self.board],
            "reference": None if self.reference is None else self.reference.to_json(),
            "likelihood": None if self.likelihood is None else self.likelihood.to_json(),
        }

    def to_text(self) -> str:
        """The result's lines, then those of what stands beside it."""
        lines = [self.scored.result.to_text()]
        if self.reference is not None:
            lines += [f"  {line}" for line in self.reference.to_text().splitlines()]
        lines += [f"  {one.to_text()}" for one in self.splits]
        lines += [f"  {self.likelihood.to_text()}"] if self.likelihood is not None else []
        if self.understanding is not None:
            lines.append(f"  {self.understanding.to_text()}")
        if self.board:
            lines += ["", HEADING, *(row.to_text() for row in self.board)]
        return "\n".join(lines)


def run(
    subject: Subject,
    benchmark: str,
    table: EvaluationTable,
    ks: Sequence[int],
    beside: Beside,
    *,
    sandbox: Sandbox,
    execution: Execution,
    places: Places,
    seed: int = 0,
    fresh: bool = False,
    on_event: OnEvent = silent,
) -> Evaluation:
    """Score a model, and add what is wanted beside that.

    Answers of models and judges are kept below the data folder and not asked again, unless `fresh` wants it: then those
    that are there stay as an earlier generation. Raises before a model is loaded
    where the corpus, the judge or the benchmark is not there, or the samples cannot be saved.
    """
    problem_set = problems.load(benchmark)
    _check(subject, problem_set, beside)
    documents = list(corpus(beside.corpus, places)) if beside.corpus else []
    judge = _judge(beside, execution, places, seed) if beside.judge else None
    for one in (subject, beside.teacher):
        if one is not None and is_endpoint(one.spec):
            EndpointModel(one.spec, one.endpoint_model, one.api_key_env, execution)  # before anything is run or asked

    def score(model: Subject, calibrate: bool, answerer: Opened | None = None) -> Scored:
        return evaluate(
            model,
            problem_set,
            table,
            ks,
            sandbox=sandbox,
            execution=execution,
            cache=places.models,
            journal=_journal(places, model.spec, benchmark),
            seed=seed,
            calibrate=calibrate,
            fresh=fresh,
            answerer=answerer,
            on_event=on_event,
        )

    asked = problem_set.limited(table.limit)
    here = opened(subject, execution, places.models, on_event) if beside.likelihood else None
    scored = score(subject, True, here)
    if beside.save is not None:
        samples_file.write_samples(beside.save, (one.sample for one in scored.judged))
        samples_file.saved_results(beside.save, scored.judged)
    likelihood = _likelihood(subject, asked, here, on_event) if isinstance(here, LocalModel) else None
    here = None  # whose memory the teacher may need
    graded = None
    if judge:
        graded = _graded(scored, problem_set, judge, beside.repeats, places, execution, seed, fresh, on_event)
    return Evaluation(
        scored,
        _splits(scored, asked, documents, ks, seed) if beside.corpus else (),
        graded,
        _board(scored, score(beside.teacher, False)) if beside.teacher is not None else (),
        _beside_published(beside.reference, scored, subject, table) if beside.reference else None,
        likelihood,
    )


def _likelihood(subject: Subject, problem_set: ProblemSet, model: LocalModel, on_event: OnEvent) -> Surprise | None:
    """Of the problems that have a reference solution; None where none has."""

    def tell(event: Event) -> None:
        on_event({**event, "stage": "likelihoods"})

    stage = Likelihoods(model.loaded, subject.name or subject.spec, model.checkpoint, tell)
    rows = [asdict(one.record) for one in stage(problem_set.problems) if isinstance(one, Kept)]
    return next(iter(surprises(rows, 0)), None)


def _check(subject: Subject, problem_set: ProblemSet, beside: Beside) -> None:
    """Raises for what would fail after hours of answers."""
    if beside.save is not None:
        samples_file.check_writable(beside.save)
    if beside.reference:
        reference(beside.reference).score(problem_set.name)
    if subject.precision != "auto" and is_endpoint(subject.spec):
        raise UsageError(
            f"--precision {subject.precision} is of a model that is loaded here, and {subject.spec} is an endpoint",
            hint="start its server with that precision, and leave --precision out",
        )
    if beside.likelihood and is_endpoint(subject.spec):
        raise UsageError(
            f"--likelihood reads a model's probabilities, and {subject.spec} is an endpoint",
            hint="name a run, a checkpoint folder or a model that can be loaded here, or leave --likelihood out",
        )


def _beside_published(name: str, scored: Scored, subject: Subject, table: EvaluationTable) -> Comparison:
    model = named(subject.spec)
    file = model.file if model else Path(subject.spec).name
    return compared(
        reference(name),
        scored.result,
        temperature=table.temperature,
        samples=table.samples,
        quantised=quantised_bits(file),
    )


def _journal(places: Places, model: str, benchmark: str) -> Path:
    return places.data / "evaluations" / f"{digest([model, benchmark])[:16]}.jsonl"


def corpus(name: str, places: Places) -> Iterator[Document]:
    """The documents of a run that went into its student, or the rows of a file or folder, as `hornbook clean` reads it.

    Raises InputError where there is neither, or nothing in it.
    """
    path = Path(name)
    if path.exists() and not (path / "run.json").is_file():
        from pipeline.files.rows import Rows

        found: Iterator[Document] = (Passage(text=row.text, origin=row.origin) for row in Rows([path], "") if row.text)
    else:
        from pipeline.run.reading import open_run, resolve

        view = open_run(resolve(places.runs, name), places.store)
        stage = view.made("decontaminated")
        if stage is None:
            raise InputError(f"run {view.name} has no finished corpus", hint="go on with `hornbook run` of its recipe")
        kept = places.store.kept(stage.name, stage.key)
        found = (record for record in kept if isinstance(record, Document))
    count = 0
    for document in found:
        count += 1
        yield document
    if not count:
        raise InputError(
            f"the corpus {name} holds no documents", hint="name a run, a JSONL or Parquet file, or a folder"
        )


def _splits(
    scored: Scored, problem_set: ProblemSet, documents: Sequence[Document], ks: Sequence[int], seed: int
) -> tuple[SplitScore, ...]:
    from pipeline.stages.decontaminated.split import split

    verdicts = verdicts_by_task(scored.result.scores)
    closest = {match.task_id: match.rate for match in split(problem_set.problems, documents).closest}
    return split_scores({task: verdicts.get(task, ()) for task in closest}, closest, ks, seed=seed)


def _judge(beside: Beside, execution: Execution, places: Places, seed: int) -> Teacher:
    if beside.repeats < 1:
        raise UsageError(f"--repeats = {beside.repeats}", hint="use 1 or more; from 2 on the agreement is reported")
    if beside.judge.startswith(REPLAY):
        table: TeacherTable = ReplayTable(name="judge", replay=beside.judge.removeprefix(REPLAY))
    elif is_endpoint(beside.judge):
        if not beside.judge_model:
            raise UsageError(f"--judge {beside.judge} without --judge-model", hint="name the model at the endpoint")
        table = OpenAITable(
            name="judge",
            base_url=beside.judge,
            model=beside.judge_model,
            api_key_env=beside.judge_key_env,
        )
    else:
        table = LocalTable(name="judge", model=beside.judge)
    return build(table.model_copy(update={"max_tokens": JUDGE_TOKENS}), execution, seed, places.models)


def _graded(
    scored: Scored,
    problem_set: ProblemSet,
    judge: Teacher,
    repeats: int,
    places: Places,
    execution: Execution,
    seed: int,
    fresh: bool,
    on_event: OnEvent,
) -> Understanding:
    samples = [one.sample for one in scored.judged]
    # By what the judge is and what it reads: a replay is asked anew, an endpoint never twice.
    folder = places.data / "evaluations" / f"judge-{digest([judge.identity(), [s.id for s in samples]])[:16]}"
    if not judge.journalled and folder.exists():
        shutil.rmtree(folder)
    elif fresh and folder.exists():
        earlier = (folder.with_name(f"{folder.name}.{n}") for n in itertools.count(1))
        folder.rename(next(place for place in earlier if not place.exists()))
    given = [entry.at for entry in entries(folder)] if KINDS[judge.kind].dated and folder.exists() else []
    graded = grade(
        samples,
        problem_set,
        judge,
        journal=folder,
        execution=execution,
        repeats=repeats,
        scores=scored.result.scores,
        on_event=lambda event: on_event({**event, "stage": "judge"}),
        seed=seed,
    )
    old = told_ages(given, max(len(given), len(graded.grades)), int(time.time()))
    return replace(graded, journal=str(folder), note=old)


def _board(student: Scored, teacher: Scored) -> tuple[Row, ...]:
    def contestant(one: Scored, role: str = "") -> Contestant:
        size = one.size
        return Contestant(f"{one.result.model}{role}", [one.result], size and size.parameters, size and size.bytes)

    return board(contestant(teacher, " (teacher)"), [contestant(student)])
