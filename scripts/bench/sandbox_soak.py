"""Many small programs through one sandbox, some of them hostile: memory, processes and verdicts at the end.

    python scripts/bench/sandbox_soak.py [--json] [--programs N] [--hostile SHARE] [--workers N]

Every program has a known verdict, and none may be missing, repeated or wrong. Reports the memory of all processes of
the sandbox at a tenth of the run and at its end, and what is left when it is closed.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.sandbox import Limits, Program, Sandbox  # noqa: E402

HOSTILE = {
    "early-exit": "import os\nos._exit(0)\n",
    "blocked": "import os\nos.fork()\n",
    "memory": "x = bytearray(1 << 40)\n",
    "crash": "import os\nos.abort()\n",
    "failed": "for i in range(2000): open('f%d' % i, 'w').close()\n",
    "output": "import os\nwhile True: os.write(1, b'x' * 65536)\n",
    "timeout-cpu": "while True: pass\n",
}


def programs(count: int, share: float) -> Iterator[Program]:
    """`count` programs, of which every 1 / `share`-th is hostile; an id says which verdict is right."""
    every = round(1 / share) if share else count + 1
    for number in range(count):
        verdict, source = "passed", f"def f(x):\n    return x + {number}\n"
        if number % every == every - 1:
            verdict, source = list(HOSTILE.items())[number // every % len(HOSTILE)]
        yield Program(f"{number} {verdict}", source, "f", f"assert f(1) == {number + 1}\nassert f(2) == {number + 2}\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a table")
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--hostile", type=float, default=0.01, help="share of hostile programs")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    started, seen, wrong, memory = time.perf_counter(), Counter[str](), [], []
    with Sandbox(Limits(cpu_seconds=0.2, files=256), options.workers) as sandbox:
        pids = descendants("self")
        for done, verdict in enumerate(sandbox.run(programs(options.programs, options.hostile)), 1):
            seen[verdict.program_id] += 1
            if verdict.verdict != verdict.program_id.split()[1]:
                wrong.append(f"{verdict.program_id}: {verdict.verdict}, {verdict.detail}")
            if done in (options.programs // 10, options.programs):
                memory.append(sum(map(rss_mb, [*descendants("self"), "self"])))
        same = descendants("self") == pids
    report = {
        "programs": options.programs,
        "verdicts": sum(seen.values()),
        "repeated": sum(n > 1 for n in seen.values()),
        "missing": options.programs - len(seen),
        "wrong": wrong,
        "rss_mb_at_tenth": round(memory[0], 1),
        "rss_mb_at_end": round(memory[-1], 1),
        "same_processes": same,
        "processes_left": len(descendants("self")),
        "programs_per_second": round(options.programs / (time.perf_counter() - started), 1),
    }
    print(json.dumps(report) if options.json else "\n".join(f"{key:20} {value}" for key, value in report.items()))


def descendants(pid: str) -> list[str]:
    """All processes below one."""
    own = Path(f"/proc/{pid}").resolve().name
    try:
        children = Path(f"/proc/{own}/task/{own}/children").read_text().split()
    except FileNotFoundError:
        return []
    return [p for child in children for p in (child, *descendants(child))]


def rss_mb(pid: str) -> float:
    """Resident memory of a process, MB; 0 for one that has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0.0


if __name__ == "__main__":
    main()
