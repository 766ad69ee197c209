"""Reference solutions of benchmark files through the sandbox: every one must pass its own tests, all plus inputs too.

    python scripts/bench/sandbox_references.py FILE... [--json] [--cpu-seconds S] [--memory-mb N] [--repeat N]

FILE: HumanEval.jsonl.gz, mbpp.jsonl, or evalplus' files of HumanEval+ and MBPP+. Names each that does not pass and why,
and the slowest. Exit status 1 where one does not pass.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.benchmarks import problems  # noqa: E402
from pipeline.sandbox import Limits, Sandbox  # noqa: E402
from pipeline.stages.scores import stage as scoring  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", type=Path, nargs="+", metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of lines")
    parser.add_argument("--cpu-seconds", type=float, default=10.0)
    parser.add_argument("--memory-mb", type=int, default=Limits().memory_mb)
    parser.add_argument("--repeat", type=int, default=1, help="times that each solution is run")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    limits = Limits(cpu_seconds=options.cpu_seconds, memory_mb=options.memory_mb)
    with Sandbox(limits, options.workers) as sandbox:
        report = {path.name: references(path, sandbox, options.repeat) for path in options.files}
    if options.json:
        print(json.dumps(report))
    else:
        for name, row in report.items():
            print(f"{name}: {row['passed']} of {row['programs']} pass, {row['cpu_seconds']:.0f} CPU s")
            for line in row["not_passed"]:
                print(f"  {line}")
            print("  slowest: " + ", ".join(f"{task} {seconds:.2f} CPU s" for task, seconds in row["slowest"]))
    return int(any(row["not_passed"] for row in report.values()))


def references(path: Path, sandbox: Sandbox, repeat: int) -> dict[str, Any]:
    """How the reference solutions of one file fare; CPU seconds are those of program and test."""
    problem_set = problems.load(str(path))
    judged = [
        result
        for _ in range(repeat)
        for result in scoring.judge(scoring.references(problem_set.problems), problem_set.problems, sandbox)
    ]
    used = {j.score.task_id: j.verdict.cpu_seconds for j in judged}
    return {
        "programs": len(judged),
        "passed": sum(j.verdict.passed for j in judged),
        "not_passed": [
            f"{j.score.task_id}: {j.verdict.verdict}, {j.verdict.detail}" for j in judged if not j.verdict.passed
        ],
        "cpu_seconds": sum(j.verdict.cpu_seconds for j in judged),
        "slowest": sorted(used.items(), key=lambda item: -item[1])[:5],
    }


if __name__ == "__main__":
    sys.exit(main())
