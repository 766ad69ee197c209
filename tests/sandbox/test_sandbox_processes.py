"""What is left of the sandbox when its parent is killed, and what it does where the kernel refuses namespaces."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.sandbox import layers

ROOT = Path(__file__).resolve().parents[2]
ENDLESS = """
import sys
sys.path.insert(0, sys.argv[1])
from pipeline.sandbox import Limits, Program, Sandbox
with Sandbox(Limits(cpu_seconds=100.0), workers=2) as sandbox:
    print("open", flush=True)
    for verdict in sandbox.run(Program(str(i), "while True: pass") for i in range(4)):
        print(verdict, flush=True)
"""
NO_NAMESPACES = """
import os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from pipeline.core.errors import SandboxUnavailable
from pipeline.sandbox import Limits, Program, Sandbox, kernel, layers, namespaces
namespaces.enter(kernel.CLONE_NEWUSER, [namespaces.Ids(os.getuid(), os.getuid(), 1)])
Path("/proc/sys/user/max_user_namespaces").write_text("0")
def ours():
    return {p.name for p in Path("/tmp").iterdir() if p.name.startswith(("hornbook-sandbox-", "sandbox-escaped"))}
before = ours()
add = "import os\\ndef add(a, b):\\n    open('x', 'w').write('x')\\n    return a + b\\n"
programs = [
    Program("right", add, "add", "assert add(2, 3) == 5"),
    Program("wrong", add.replace("+", "-"), "add", "assert add(2, 3) == 5"),
    Program("fork", "import os\\nos.fork()", "add", "assert add(2, 3) == 5"),
    Program("write", "open('/tmp/sandbox-escaped', 'w')", "add", "assert add(2, 3) == 5"),
    Program("loop", "while True: pass", "add", "assert add(2, 3) == 5"),
]
try:
    Sandbox().__enter__()
except SandboxUnavailable as error:
    print(error)
with Sandbox(Limits(cpu_seconds=0.5), mode="weak") as sandbox:
    print([verdict.verdict for verdict in sandbox.run(programs)])
print(ours() == before)
"""


def descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [p for child in map(int, children) for p in (child, *descendants(child))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT])
def test_nothing_runs_on_when_the_parent_is_killed(sign: signal.Signals) -> None:
    command = [sys.executable, "-c", ENDLESS, str(ROOT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        deadline = time.monotonic() + 300
        while len(started := descendants(process.pid)) < 6 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(started) == 6, "two workers, two servers, two programs"
        os.kill(process.pid, sign)
        process.wait(300)
        deadline = time.monotonic() + 300
        while any(map(alive, started)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not [pid for pid in started if alive(pid)]


def test_without_namespaces_it_refuses_and_weak_mode_does_what_is_left() -> None:
    command = [sys.executable, "-c", NO_NAMESPACES, str(ROOT)]
    environment = os.environ | {"TMPDIR": "/tmp"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600, check=False)
    assert "this machine refuses a layer of the sandbox: user namespace, pid namespace" in done.stdout, done.stderr
    assert "--sandbox=weak" in done.stdout
    assert done.stderr.count("model-written code runs without it") == 1
    assert "['passed', 'failed', 'blocked', 'blocked', 'timeout-cpu']" in done.stdout, done.stdout
    assert done.stdout.splitlines()[-1] == "True"


def test_layers_lists_each_of_them_once() -> None:
    names = [layer.name for layer in layers()]
    assert len(names) == len(set(names)) == 8
    assert {"user namespace", "pid namespace", "seccomp", "landlock"} <= set(names)
