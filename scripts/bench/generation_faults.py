"""Generation on a server that fails: what is lost, what is asked twice, and what survives `kill -9`.

    python scripts/bench/generation_faults.py [--json] [--server URL]

faults: 2,000 rows against 20% 429 (Retry-After 1), 5% 500, 2% cut-off JSON, 1% connection resets.
limiter: 300 rows at concurrency 64 against a real limiter of 20 requests a second that names no limit in its headers;
`limit_seconds` is the least time that it allows. kills: 1,000 rows, the process killed ten times at random moments and
started again. in_flight_at_kills: requests that the server has and the journal has no answer to; repeated: requests
beyond one per row; arrived_lost: answers that the journal had before a kill and not after it.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving import Mock, mock_server, prompts

ROOT = Path(__file__).resolve().parents[2]
FAULTS = {"latency": 0.05, "p429": 0.2, "p500": 0.05, "pbad": 0.02, "preset": 0.01, "retry_after": 1}
LIMIT, BURST = 20, 20


def run(base_url: str, rows: int, concurrency: int, journal: Path) -> dict[str, float]:
    """Ask all rows; {"kept", "dropped", "seconds"}."""
    sys.path.insert(0, str(ROOT))
    from pipeline import teacher
    from pipeline.core.stage import Kept
    from pipeline.execution import Execution
    from pipeline.recipe_teachers import OpenAITable
    from pipeline.stages.completions.stage import Complete

    execution = Execution(concurrency=concurrency)
    table = OpenAITable(name="mock", base_url=base_url, model="gpt-4o-mini")
    teachers = {"mock": teacher.build(table, execution, 0)}
    lessons = (f"ID={number} Write a lesson on binary search." for number in range(rows))
    start = time.perf_counter()
    kept = dropped = 0
    for outcome in Complete(teachers, journal, execution)(prompts(lessons)):
        if isinstance(outcome, Kept):
            kept += 1
        else:
            dropped += 1
    return {"kept": kept, "dropped": dropped, "seconds": time.perf_counter() - start}


def faults(mock: Mock) -> dict[str, Any]:
    mock.control(**FAULTS)
    with tempfile.TemporaryDirectory() as folder:
        found = run(mock.base_url, 2000, 64, Path(folder))
    return {
        "rows": 2000,
        "lost": 2000 - found["kept"],
        "requests": int(mock.stats()["total"]),
        "seconds": round(found["seconds"], 2),
    }


def limiter(mock: Mock) -> dict[str, Any]:
    mock.control(latency=0.05, limit_per_second=LIMIT, limit_burst=BURST, limit_headers=False)
    with tempfile.TemporaryDirectory() as folder:
        found = run(mock.base_url, 300, 64, Path(folder))
    return {
        "rows": 300,
        "lost": 300 - found["kept"],
        "rejections": int(mock.stats()["e429"]),
        "seconds": round(found["seconds"], 2),
        "limit_seconds": (300 - BURST) / LIMIT,
    }


def journal_keys(folder: Path) -> set[str]:
    sys.path.insert(0, str(ROOT))
    from pipeline.teacher.lines import entries

    return {entry.key for entry in entries(folder)}


def kills(mock: Mock, rows: int = 1000, times: int = 10) -> dict[str, Any]:
    mock.control(latency=0.05)
    draw = random.Random(0)
    in_flight = lost = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        before: set[str] = set()
        for wanted in sorted(draw.sample(range(20, rows - 150), times)):
            sent = int(mock.stats()["total"])
            process = _worker(mock, rows, folder)
            while process.poll() is None and len(journal_keys(folder)) < wanted:
                time.sleep(0.01)
            process.kill()
            process.wait()
            after = journal_keys(folder)
            in_flight += int(mock.stats()["total"]) - sent - len(after - before)
            lost += len(before - after)
            before = after
        process = _worker(mock, rows, folder)
        process.wait()
        after = journal_keys(folder)
        lost += len(before - after)
    total = int(mock.stats()["total"])
    return {
        "rows": rows,
        "kills": times,
        "missing": rows - len(after),
        "repeated": total - rows,
        "in_flight_at_kills": in_flight,
        "arrived_lost": lost,
    }


def _worker(mock: Mock, rows: int, folder: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, __file__, "--worker", mock.base_url, "--rows", str(rows), "--journal", str(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def table(result: dict[str, Any]) -> str:
    lines = []
    for name, figures in result.items():
        lines.append(f"{name:<10}" + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items()))
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--server", default="", help="root URL of a mock_server.py that already runs")
    parser.add_argument("--worker", default="", help=argparse.SUPPRESS)
    parser.add_argument("--rows", type=int, default=1000, help=argparse.SUPPRESS)
    parser.add_argument("--journal", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        run(arguments.worker, arguments.rows, 16, Path(arguments.journal))
        return
    with mock_server(arguments.server) as mock:
        result = {"faults": faults(mock), "limiter": limiter(mock), "kills": kills(mock)}
    print(json.dumps(result) if arguments.json else table(result))


if __name__ == "__main__":
    main()
