"""Many small programs through one sandbox, some of them hostile: memory, processes and verdicts at the end.

    python scripts/bench/sandbox_soak.py [--json] [--programs N] [--hostile SHARE] [--workers N]

Every program has a known verdict, and none may be missing, repeated or wrong. Memory (anonymous and resident),
open descriptors and mounts of all processes of the sandbox are read ten times; at the end,
what is left when it is closed: processes, temporary files, shared memory, mounts. Exit status 1 where anything is.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pipeline.sandbox import Limits, Program, Sandbox  # noqa: E402

HOSTILE = [
    ("early-exit", "import os\nos._exit(0)\n"),
    ("blocked", "import os\nos.fork()\n"),
    ("memory", "x = bytearray(1 << 40)\n"),
    ("crash", "import os\nos.abort()\n"),
    ("failed", "for i in range(2000): open('f%d' % i, 'w').close()\n"),
    ("output", "import os\nwhile True: os.write(1, b'x' * 65536)\n"),
    ("timeout-cpu", "while True: pass\n"),
    (
        "failed",
        "open('big', 'w').write('x' * (8 << 20))\ndef f(x):\n    return type('A', (), {'__eq__': lambda *a: 1})()\n",
    ),
    ("failed", "import os\ndef f(x):\n    os.write(3, b'\\x08\\0\\0\\0[\"held\"]')\n    return 0\n"),
    (
        "early-exit",
        "import threading, time\ndef run():\n    time.sleep(9)\n"
        "[threading.Thread(target=run, daemon=True).start() for _ in range(20)]\nraise SystemExit\n",
    ),
    ("crash", "import ctypes\nctypes.string_at(0)\n"),
    ("failed", "import multiprocessing.shared_memory as m\nm.SharedMemory('left', True, 1 << 16)\n"),
]
GROWTH_MB = 2.0
"""Growth of all processes together, from the first tenth to the end, beyond which memory does not count as constant."""


def programs(count: int, share: float) -> Iterator[Program]:
    """`count` programs, of which every 1 / `share`-th is hostile; an id says which verdict is right.

    Of the others one in ten is wrong, and one in ten has a test that runs in a process of its own.
    """
    every = round(1 / share) if share else count + 1
    for number in range(count):
        verdict, source = "passed", f"def f(x):\n    return x + {number}\n"
        test = f"assert f(1) == {number + 1}\nassert f(2) == {number + 2}\n"
        if number % every == every - 1:
            verdict, source = HOSTILE[number // every % len(HOSTILE)]
        elif number % 10 == 3:
            verdict, source = "failed", source.replace("+", "-")
        elif number % 10 == 7:
            test = f"for x in (1, 2):\n    assert f(x) == x + {number}\n"
        yield Program(f"{number} {verdict}", source, "f", test)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout instead of a table")
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--hostile", type=float, default=0.01, help="share of hostile programs")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as temporary:
        os.environ["TMPDIR"] = tempfile.tempdir = temporary
        report = soak(options.programs, options.hostile, options.workers)
        report["temporary_files_left"] = listed(temporary)
    print(json.dumps(report) if options.json else "\n".join(f"{key:24} {value}" for key, value in report.items()))
    right = {"verdicts": options.programs, "descriptors_grown": 0, "mounts_grown": 0, "same_processes": True}
    return int(
        any(report[key] != value for key, value in right.items())
        or any(report[key] for key in report if key.endswith("_left") or key in ("wrong", "missing", "repeated"))
        or report["memory_growth_mb"] > GROWTH_MB
    )


def soak(count: int, share: float, workers: int) -> dict[str, object]:
    """Run the programs; what was seen, with the figures of each tenth."""
    started, wrong, memory, descriptors, mounts = time.perf_counter(), [], [], [], []
    seen, verdicts = bytearray(count), Counter[str]()
    before = host_state()
    marks = {count * tenth // 10 for tenth in range(1, 11)}
    with Sandbox(Limits(cpu_seconds=0.2, files=256), workers) as sandbox:
        pids = descendants("self")
        for done, verdict in enumerate(sandbox.run(programs(count, share)), 1):
            seen[int(verdict.program_id.split()[0])] += 1
            verdicts[verdict.verdict] += 1
            if verdict.verdict != verdict.program_id.split()[1]:
                wrong.append(f"{verdict.program_id}: {verdict.verdict}, {verdict.detail}")
            if done in marks:
                memory.append(round(sum(map(memory_mb, [*pids, "self"])), 1))
                descriptors.append(sum(len(listed(f"/proc/{pid}/fd")) for pid in [*pids, "self"]))
                mounts.append(sum(len(lines(f"/proc/{pid}/mountinfo")) for pid in pids))
        same = set(pids) <= set(descendants("self"))
    after = host_state()
    return {
        "programs": count,
        "verdicts": sum(verdicts.values()),
        "by_verdict": dict(verdicts.most_common()),
        "repeated": sum(n > 1 for n in seen),
        "missing": seen.count(0),
        "wrong": wrong,
        "memory_mb_by_tenth": memory,
        "memory_growth_mb": round(memory[-1] - memory[0], 1),
        "descriptors_grown": max(descriptors[-1] - descriptors[0], 0),
        "mounts_grown": mounts[-1] - mounts[0],
        "same_processes": same,
        "processes_left": len(descendants("self")),
        **{f"{key}_left": sorted(after[key] - before[key]) for key in after},
        "programs_per_second": round(count / (time.perf_counter() - started), 1),
    }


def host_state() -> dict[str, set[str]]:
    """What programs could leave on the machine."""
    return {
        "shared_memory": {*listed("/dev/shm"), *lines("/proc/sysvipc/shm"), *lines("/proc/sysvipc/sem")},
        "mounts": set(lines("/proc/self/mountinfo")),
        "descriptors": set(listed("/proc/self/fd")),
    }


def listed(folder: str) -> list[str]:
    """Names in a folder; none where it is gone or may not be read."""
    try:
        return sorted(path.name for path in Path(folder).iterdir())
    except OSError:
        return []


def lines(file: str) -> list[str]:
    """Lines of a file; none where it is gone or may not be read."""
    try:
        return Path(file).read_text().splitlines()
    except OSError:
        return []


def descendants(pid: str) -> list[str]:
    """All processes below one."""
    own = Path(f"/proc/{pid}").resolve().name
    return [
        p
        for line in lines(f"/proc/{own}/task/{own}/children")
        for child in line.split()
        for p in (child, *descendants(child))
    ]


def memory_mb(pid: str) -> float:
    """Anonymous resident memory of a process, MB; 0 for one that has ended. Forks that come and go do not change it."""
    return sum(int(line.split()[1]) / 1000 for line in lines(f"/proc/{pid}/status") if line.startswith("RssAnon:"))


if __name__ == "__main__":
    sys.exit(main())
