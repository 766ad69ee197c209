"""Run a manifest of hostile and honest programs through the sandbox and say whether it held.

    python scripts/hostile.py MANIFEST [--jobs N] [--only ID ...] [--together]

Prints one JSON line a program, in the manifest's order: {"id", "verdict", "as_expected", "breaches", "sandbox_verdict",
"detail"}; `verdict` is in the manifest's words, `breaches` are the codes of its `must` that did not hold. Exit status 0
only if every program is as expected.

Each program runs in a sandbox of its own, inside one more layer of namespaces with a read-only view of the machine and
a canary: a home, files to keep, a place where nothing may be written, a secret in the environment, sockets that listen.
If the sandbox fails, the canary shows it and the machine is unharmed.
"""

import argparse
import contextlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from pipeline.sandbox import Limits, Program, Sandbox, Verdict, kernel, namespaces  # noqa: E402

CANARY = Path("/tmp/canary")
SECRET = "canary-secret-5b1f0c"
LIMITS = Limits(cpu_seconds=4.0, idle_seconds=6.0, wall_seconds=60.0)
WORDS = {
    "passed": "pass",
    "failed": "fail",
    "syntax-error": "fail",
    "early-exit": "fail",
    "timeout-cpu": "timeout",
    "timeout-wall": "timeout",
}
"""The manifest's word for each of the sandbox's verdicts that it names otherwise."""
TOGETHER = "import io, sys\nsys.stderr = io.StringIO()\n"
"""What keeps a test from being reduced: it runs apart from the program and, where that fails, together with it."""
PROBE = Program(
    "probe",
    "import builtins, json, math\ndef probe():\n"
    "    return [math.sqrt(4.0), json.loads('[1]'), hasattr(builtins, 'leaked'), sorted([2, 1])]\n",
    "probe",
    "assert probe() == [2.0, [1], False, [1, 2]]\n",
)


@dataclass
class Canary:
    """What must not change, as it was before the program ran."""

    listeners: list[socket.socket]
    temporary: set[str] = field(default_factory=set)
    processes: set[str] = field(default_factory=set)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="programs at a time")
    parser.add_argument("--only", nargs="*", default=[], help="ids to run; default all")
    parser.add_argument("--together", action="store_true", help="with tests that may run in the program's process")
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.manifest.read_text().splitlines() if line.strip()]
    rows = [row for row in rows if not options.only or row["id"] in options.only]
    if options.together:
        rows = [row | {"test": TOGETHER + row["test"]} for row in rows]
    jobs = [row | {"source": (options.manifest.parent / row["file"]).read_text()} for row in rows]
    good = 0
    with ThreadPoolExecutor(max(options.jobs, 1)) as pool:
        for row, result in zip(rows, pool.map(_outside, jobs), strict=True):
            report = judge(row, result)
            good += report["as_expected"]
            print(json.dumps(report), flush=True)
    print(f"{good} of {len(rows)} as expected", file=sys.stderr)
    return 0 if good == len(rows) else 1


def judge(row: dict[str, Any], result: dict[str, Any]) -> dict[str, Any]:
    """The line to print for a program."""
    word = WORDS.get(result["verdict"], result["verdict"])
    return {
        "id": row["id"],
        "verdict": word,
        "as_expected": word in row["expect"] and not result["breaches"],
        "breaches": result["breaches"],
        "sandbox_verdict": result["verdict"],
        "detail": result["detail"],
    }


def _outside(job: dict[str, Any]) -> dict[str, Any]:
    """Start the outer layer for one program and read what it found."""
    read, write = os.pipe()
    command = [sys.executable, "-P", str(Path(__file__).resolve()), "--inside", str(write)]
    environment = {"PATH": os.defpath, "HOME": str(CANARY / "home"), "TMPDIR": "/tmp", "H_EVAL_SECRET": SECRET}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=environment,
        pass_fds=[write],
        start_new_session=True,
    )
    os.close(write)
    try:
        output, _ = process.communicate(json.dumps(job).encode(), timeout=LIMITS.wall_seconds * 4)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
    with os.fdopen(read, "rb") as answer:
        text = answer.read()
    if not text:
        last = output.decode(errors="replace").strip().splitlines()[-3:]
        return {"verdict": "infrastructure", "detail": f"the outer layer ended: {last}", "breaches": job["must"]}
    result: dict[str, Any] = json.loads(text)
    for code in job["must"]:
        if (size := re.fullmatch(r"out<(\d+)M", code)) and len(output) >= int(size[1]) << 20:
            result["breaches"].append(code)
        if code == "noleak" and SECRET in output.decode(errors="replace") + result["detail"]:
            result["breaches"].append(code)
    return result


def inside(answer: int) -> None:
    """In a fresh process: enter the outer layer, run the program in a sandbox, look at the canary, answer."""
    job = json.loads(sys.stdin.buffer.read())
    root = os.getuid() == 0
    everyone = [namespaces.Ids(0, 0, 1), namespaces.Ids(65534, 65534, 1)]
    users = everyone if root and namespaces.maps_id(65534) else [namespaces.Ids(os.getuid(), os.getuid(), 1)]
    spaces = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWNET | kernel.CLONE_NEWIPC | kernel.CLONE_NEWUTS
    namespaces.enter(kernel.CLONE_NEWUSER | spaces, users)
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    kernel.die_with_parent()
    _outer_view()
    canary = _plant()
    source = job["source"].replace("@CANARY@", str(CANARY))
    program = Program(job["id"], source, job["entry_point"], job["test"])
    with Sandbox(LIMITS) as sandbox:
        canary.processes = _processes()
        (verdict,) = sandbox.run([program])
        breaches = [code for code in job["must"] if not holds(code, canary, sandbox, verdict)]
    _reap()
    if "noproc" in job["must"] and _processes() - {"1"} and "noproc" not in breaches:
        breaches.append("noproc")
    text = json.dumps({"verdict": verdict.verdict, "detail": verdict.detail, "breaches": breaches})
    os.write(answer, text.encode())
    os._exit(0)


def _reap(seconds: float = 2.0) -> None:
    """Collect what has ended or is about to: this process is pid 1 here, and orphans are its own."""
    end = time.monotonic() + seconds
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < end:
            if not os.waitpid(-1, os.WNOHANG)[0]:
                time.sleep(0.01)


def _outer_view() -> None:
    """A read-only machine with a /tmp and a /dev/shm of its own, and a /proc of this pid namespace."""
    kernel.mount("", "/", None, kernel.MS_REC | kernel.MS_PRIVATE)
    needed = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
    inside = sorted(path for path in needed if path.is_relative_to("/tmp"))
    hidden = [path for path in inside if not any(path != other and path.is_relative_to(other) for other in inside)]
    stage = Path("/mnt") if Path("/mnt").is_dir() else Path("/media")
    kernel.mount("/tmp", str(stage), None, kernel.MS_BIND | kernel.MS_REC)
    kernel.read_only("/")
    kernel.mount("proc", "/proc", "proc", kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC)
    kernel.mount("tmpfs", "/tmp", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=256m,mode=1777")
    for path in hidden:
        path.mkdir(parents=True)
        kernel.bind(str(stage / path.relative_to("/tmp")), str(path))
    kernel.unmount(str(stage))
    if Path("/dev/shm").is_dir():
        kernel.mount("tmpfs", "/dev/shm", "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=64m,mode=1777")


def _plant() -> Canary:
    for name in ("host", "keep", "home/documents"):
        (CANARY / name).mkdir(parents=True)
    (CANARY / "host").chmod(0o777)
    for name, text in _KEPT.items():
        (CANARY / name).write_text(text)
        (CANARY / name).chmod(0o644)
    listeners = []
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0h_eval_abs")
    listeners.append(abstract)
    with contextlib.suppress(OSError):
        listeners.append(socket.create_server(("127.0.0.1", 0)))
    for listener in listeners:
        listener.listen(1)
        listener.setblocking(False)
    return Canary(listeners, {p.name for p in Path("/tmp").iterdir()})


_KEPT = {
    "keep/a.txt": "kept\n",
    "keep/secret.txt": SECRET + "\n",
    "home/notes.txt": "notes\n",
    "home/documents/letter.txt": "letter\n",
}


def _processes() -> set[str]:
    return {p.name for p in Path("/proc").iterdir() if p.name.isdigit()}


def _intact(folder: str) -> bool:
    for name, text in _KEPT.items():
        if name.startswith(folder + "/"):
            path = CANARY / name
            if not path.is_file() or stat.S_IMODE(path.stat().st_mode) != 0o644 or path.read_text() != text:
                return False
    return True


def _quiet(listener: socket.socket) -> bool:
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return True
    connection.close()
    return False


_CHECKS: dict[str, Callable[[Canary, Sandbox, Verdict], bool]] = {
    "noproc": lambda canary, sandbox, verdict: _processes() <= canary.processes,
    "notmp": lambda canary, sandbox, verdict: {p.name for p in Path("/tmp").iterdir()} == canary.temporary,
    "noshm": lambda canary, sandbox, verdict: not Path("/dev/shm").is_dir() or not list(Path("/dev/shm").iterdir()),
    "home": lambda canary, sandbox, verdict: _intact("home"),
    "keep": lambda canary, sandbox, verdict: _intact("keep"),
    "noleak": lambda canary, sandbox, verdict: SECRET not in verdict.detail,
    "nonet": lambda canary, sandbox, verdict: sum(map(_quiet, canary.listeners)) == len(canary.listeners),
    "alive": lambda canary, sandbox, verdict: next(sandbox.run([PROBE])).passed and _processes() == canary.processes,
    "nostate": lambda canary, sandbox, verdict: next(sandbox.run([PROBE])).passed,
}


def holds(code: str, canary: Canary, sandbox: Sandbox, verdict: Verdict) -> bool:
    """Whether one of the manifest's conditions holds after the program; one that is not known does not."""
    if code.startswith("no:"):
        path = CANARY / code.removeprefix("no:")
        return not path.exists() and not path.is_symlink()
    if code.startswith("out<"):
        return True
    check = _CHECKS.get(code)
    if check is None:
        print(f"unknown condition {code!r} in the manifest", flush=True)
        return False
    return check(canary, sandbox, verdict)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        inside(int(sys.argv[2]))
    else:
        sys.exit(main())
