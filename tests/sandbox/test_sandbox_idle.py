"""Asleep or starved: the two are told apart, whatever else the machine does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.sandbox import Limits, Program, Sandbox
from pipeline.sandbox.idle import Account, Sleep


def put(folder: Path, process: str, *threads: tuple[str, str, float, float]) -> None:
    """Write the account of a process: (thread, state, seconds run, seconds waited) each."""
    for thread, state, ran, waited in threads:
        place = folder / process / "task" / thread
        place.mkdir(parents=True, exist_ok=True)
        (place / "schedstat").write_text(f"{ran * 1e9:.0f} {waited * 1e9:.0f} 7\n")
        (place / "stat").write_text(f"{thread} (a ) b) {state} 1 1\n")
        (place / "children").write_text("13 \n")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    put(tmp_path, "11", ("11", "S", 1.0, 0.0))
    put(tmp_path, "12", ("12", "R", 1.0, 0.0))
    put(tmp_path, "13", ("13", "S", 0.0, 0.0))
    (tmp_path / "12" / "stat").write_text("12 (pid 1) R 11 1\n")
    (tmp_path / "self").symlink_to("12")
    return tmp_path


@contextmanager
def sleep_of(proc: Path) -> Iterator[Sleep]:
    folder = os.open(proc, os.O_PATH)
    try:
        sleep = Sleep(Account(folder), 0.0)
        assert sleep.look(0.0) == 0.0
        yield sleep
    finally:
        os.close(folder)


def test_time_that_is_neither_run_nor_waited_is_sleep(proc: Path) -> None:
    with sleep_of(proc) as sleep:
        put(proc, "13", ("13", "S", 0.25, 0.5))
        assert sleep.look(1.0) == pytest.approx(0.25)
        assert sleep.look(4.0) == pytest.approx(3.25)


def test_a_thread_that_is_ready_is_not_asleep_before_its_wait_is_known(proc: Path) -> None:
    with sleep_of(proc) as sleep:
        put(proc, "13", ("13", "R", 0.0, 0.0))
        assert sleep.look(50.0) == 0.0
        put(proc, "13", ("13", "S", 0.0, 50.0))
        assert sleep.look(50.0) == pytest.approx(0.0)


def test_a_program_that_waits_for_a_starved_judge_is_not_asleep(proc: Path) -> None:
    with sleep_of(proc) as sleep:
        put(proc, "11", ("11", "S", 1.0, 9.0))
        assert sleep.look(10.0) == pytest.approx(1.0)


def test_time_in_which_a_thread_ended_counts_as_work(proc: Path) -> None:
    with sleep_of(proc) as sleep:
        put(proc, "13", ("14", "S", 0.0, 0.0))
        assert sleep.look(2.0) == pytest.approx(2.0)
        for name in ("schedstat", "stat", "children"):
            (proc / "13" / "task" / "14" / name).unlink()
        (proc / "13" / "task" / "14").rmdir()
        assert sleep.look(9.0) == pytest.approx(2.0)


def test_an_account_that_counts_nothing_is_none(proc: Path) -> None:
    put(proc, "12", ("12", "R", 0.0, 0.0))
    folder = os.open(proc, os.O_PATH)
    with pytest.raises(OSError, match="no account of waiting threads"):
        Account(folder)
    os.close(folder)


SLEEPERS = [
    "    while True:\n        time.sleep(0.001)\n",
    "    while True:\n        select.select([], [], [], 0.01)\n",
    "    t = threading.Thread(target=time.sleep, args=(99,))\n    t.start()\n    t.join()\n",
    "    threading.Lock().__enter__()\n    lock = threading.Lock()\n    lock.acquire()\n    lock.acquire()\n",
]


@pytest.mark.parametrize("test", ["assert f() == 1", "for i in [1]:\n    assert f() == 1"])
def test_sleep_in_tiny_steps_ends_as_one_long_sleep_does(test: str) -> None:
    programs = [
        Program(str(i), "import select, threading, time\ndef f():\n" + s, "f", test) for i, s in enumerate(SLEEPERS)
    ]
    with Sandbox(Limits(cpu_seconds=20.0, idle_seconds=0.2, wall_seconds=600.0), workers=4) as sandbox:
        for verdict in sandbox.run(programs):
            assert (verdict.verdict, verdict.detail) == ("timeout-wall", "slept more than 0.2 s")


def test_a_program_that_gets_no_cpu_is_not_asleep() -> None:
    """One CPU, shared with busy loops: the program takes many times as long as it may sleep, and passes."""
    core = min(os.sched_getaffinity(0))
    spin = f"import os; os.sched_setaffinity(0, {{{core}}})\nwhile os.getppid() != 1: pass"
    before = os.sched_getaffinity(0)
    others = [subprocess.Popen([sys.executable, "-S", "-c", spin], start_new_session=True) for _ in range(6)]
    source = "def f():\n    x = 0\n    for i in range(12_000_000): x += i\n    return x\n"
    try:
        os.sched_setaffinity(0, {core})
        with Sandbox(Limits(cpu_seconds=60.0, idle_seconds=0.3, wall_seconds=600.0)) as sandbox:
            (verdict,) = sandbox.run([Program("p", source, "f", "assert f() == 71999994000000\n")])
    finally:
        os.sched_setaffinity(0, before)
        for other in others:
            other.kill()
            other.wait()
    assert verdict.passed, verdict
    assert verdict.wall_seconds - verdict.cpu_seconds > 0.3, "it was starved for longer than it may sleep"
