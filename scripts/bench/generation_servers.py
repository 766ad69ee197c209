"""Generation on three servers, one dying, one slow, one returning later: what is lost, repeated, and how fast it goes.

    python scripts/bench/generation_servers.py [--json] [--rows 4000] [--concurrency 16]

The servers answer in 0.2 s, 0.8 s and 0.2 s, so that many at once. The first dies for good after 8 s, with all that it
has in flight; the last is down until 16 s. best_seconds: the least time in which they could answer all rows, had every
slot of a server that works always been full; share_of_best: that over the time it took. repeated: answers given beyond
one a row.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from serving import mock_server, prompts

ROOT = Path(__file__).resolve().parents[2]
FOR_GOOD = 10**6
SERVERS: dict[str, dict[str, Any]] = {
    "dying": {"latency": 0.2, "down": [8, FOR_GOOD]},
    "slow": {"latency": 0.8},
    "returning": {"latency": 0.2, "down": [0, 16]},
}


def best_seconds(rows: int, concurrency: int) -> float:
    """The least time, seconds: answers add up at each server's rate while it is up."""
    turns = sorted({0.0, *(float(at) for one in SERVERS.values() for at in one.get("down", ()) if at < FOR_GOOD)})
    left = float(rows)
    for begin, end in zip(turns, [*turns[1:], float(FOR_GOOD)], strict=True):
        up = [one for one in SERVERS.values() if not _down(one, begin)]
        rate = sum(concurrency / one["latency"] for one in up)
        if rate * (end - begin) >= left:
            return begin + left / rate
        left -= rate * (end - begin)
    raise AssertionError("the servers never answer all")


def _down(server: dict[str, Any], at: float) -> bool:
    begin, end = server.get("down", (0, 0))
    return begin <= at < end


def measure(rows: int, concurrency: int) -> dict[str, Any]:
    sys.path.insert(0, str(ROOT))
    from pipeline import teacher
    from pipeline.core.stage import Kept
    from pipeline.execution import Execution, ServersTable
    from pipeline.recipe_teachers import OpenAITable
    from pipeline.stages.completions.stage import Complete

    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        mocks = {name: stack.enter_context(mock_server()) for name in SERVERS}
        urls = tuple(mock.base_url for mock in mocks.values())
        execution = Execution(concurrency=concurrency, servers=(ServersTable(teacher="mock", urls=urls),))
        table = OpenAITable(name="mock", base_url="http://servers/v1", model="gpt-4o-mini")
        stage = Complete({"mock": teacher.build(table, execution, 0)}, Path(folder), execution)
        lessons = (f"ID={number} Write a lesson on binary search." for number in range(rows))
        for name, mock in mocks.items():
            mock.control(**SERVERS[name])
        start = time.perf_counter()
        kept = sum(isinstance(outcome, Kept) for outcome in stage(prompts(lessons)))
        seconds = time.perf_counter() - start
        answered = {name: int(mock.stats()["ok"]) for name, mock in mocks.items()}
    best = best_seconds(rows, concurrency)
    return {
        "rows": rows,
        "lost": rows - kept,
        "repeated": sum(answered.values()) - kept,
        "answered": answered,
        "seconds": round(seconds, 2),
        "best_seconds": round(best, 2),
        "share_of_best": round(best / seconds, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--concurrency", type=int, default=16)
    given = parser.parse_args()
    found = measure(given.rows, given.concurrency)
    print(json.dumps(found) if given.json else "\n".join(f"{name:<15}{value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
