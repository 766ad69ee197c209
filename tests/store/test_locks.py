"""Locks hold between processes, end with them, and say who is in the way."""

import fcntl
import multiprocessing
import os
import signal
import tempfile
from pathlib import Path

import pytest

from pipeline.core.errors import StoreBusy, StoreError
from pipeline.store.locks import LOCK, exclusive, held, locked, own_folder

BUSY = StoreBusy("somebody is at work", hint="wait")
PROCESSES = multiprocessing.get_context("fork")


def _hold(path: Path, how: str, ready, release) -> None:
    with exclusive(path) if how == "exclusive" else locked(path, shared=how == "shared"):
        ready.set()
        release.wait(60)


@pytest.fixture
def holder(tmp_path: Path):
    """Starts a process that holds the lock in that way; returns the lock's path, and what lets it go."""
    started = []

    def start(how: str) -> tuple[Path, object]:
        ready, release = PROCESSES.Event(), PROCESSES.Event()
        process = PROCESSES.Process(target=_hold, args=(tmp_path / "lock", how, ready, release))
        process.start()
        started.append((process, release))
        assert ready.wait(60)
        return tmp_path / "lock", process

    yield start
    for process, release in started:
        if process.is_alive():  # an event waits for all who wait for it, the killed too
            release.set()
        process.join()


@pytest.mark.parametrize("theirs", ["exclusive", "alone", "shared"])
def test_who_may_hold_beside_whom(holder, theirs: str) -> None:
    path, _ = holder(theirs)
    assert held(path, shared=True)
    assert held(path) == (theirs != "shared")
    for ours in (exclusive(path, busy=BUSY), locked(path, busy=BUSY)):
        with pytest.raises(StoreBusy, match="somebody is at work"), ours:
            pass
    if theirs == "shared":
        with locked(path, shared=True, busy=BUSY):
            pass
    else:
        with pytest.raises(StoreBusy), locked(path, shared=True, busy=BUSY):
            pass


@pytest.mark.parametrize("theirs", ["exclusive", "alone"])
def test_a_lock_ends_with_its_process(holder, theirs: str) -> None:
    path, process = holder(theirs)
    said = []

    def end() -> None:
        said.append("waits")
        process.kill()
        process.join()

    with exclusive(path, on_wait=end):
        assert said == ["waits"]
        assert held(path)
    assert not held(path)


def test_who_waited_for_a_lock_that_was_removed_holds_the_one_that_is_there(tmp_path: Path) -> None:
    path, ours = tmp_path / "lock", exclusive(tmp_path / "lock")
    ours.__enter__()
    told, release = PROCESSES.Event(), PROCESSES.Event()
    waiting = PROCESSES.Process(target=_waits, args=(path, told, release))
    waiting.start()
    assert told.wait(60)
    path.unlink()
    ours.__exit__(None, None, None)
    try:
        with pytest.raises(StoreBusy):
            _until_held(path)
    finally:
        release.set()
        waiting.join()


def _waits(path: Path, told, release) -> None:
    with exclusive(path, on_wait=told.set):
        release.wait(60)


def _until_held(path: Path) -> None:
    while True:
        with exclusive(path, busy=BUSY):
            pass


def test_what_holds_a_lock_may_write_into_it(tmp_path: Path) -> None:
    for text in (b"12345", b"7"):
        with locked(tmp_path / "lock") as file:
            file.truncate(0)
            file.write(text)
    assert (tmp_path / "lock").read_bytes() == b"7"


@pytest.mark.parametrize("busy", [BUSY, None])
@pytest.mark.parametrize("place", ["/proc/lock", "/sys/lock", "/dev/null/lock"])
def test_where_no_lock_can_be_made_nobody_is_said_to_hold_it(place: str, busy: StoreBusy | None) -> None:
    with pytest.raises((StoreError, OSError)) as error, exclusive(Path(place), busy=busy):
        pass
    assert error.value is not busy


def test_nobody_holds_what_is_not_there(tmp_path: Path) -> None:
    assert not held(tmp_path / "lock")
    assert not (tmp_path / "lock").exists()


def test_without_locks_nobody_is_locked_out_where_that_may_be(tmp_path: Path, monkeypatch) -> None:
    def none(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("fcntl.flock", none)
    with locked(tmp_path / "lock", needed=False, busy=BUSY):
        assert not held(tmp_path / "lock")
    with pytest.raises(OSError, match="not supported"), locked(tmp_path / "lock"):
        pass


def _work(ready) -> None:
    with own_folder() as folder:
        (folder / "large").write_bytes(b"x" * 1000)
        ready.set()
        signal.pause()


def test_a_folder_of_a_killed_process_is_removed_by_the_next_one_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine, link = tmp_path / "hornbook-mine", tmp_path / "hornbook-link"
    (mine / "notes").mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK).touch()
    link.symlink_to(elsewhere)
    (tmp_path / "hornbook-file").touch()
    processes = []
    for _ in range(2):
        ready = PROCESSES.Event()
        process = PROCESSES.Process(target=_work, args=(ready,))
        process.start()
        assert ready.wait(60)
        processes.append(process)
    dead, alive = processes
    assert len(list(tmp_path.glob("hornbook-*/large"))) == 2
    assert dead.pid
    os.kill(dead.pid, signal.SIGKILL)
    dead.join()
    with own_folder() as folder:
        assert len(list(tmp_path.glob("hornbook-*/large"))) == 1
    alive.terminate()
    alive.join()
    assert not folder.exists()
    with own_folder():
        assert not list(tmp_path.glob("hornbook-*/large"))
    assert sorted(one.name for one in tmp_path.iterdir()) == ["elsewhere", "hornbook-file", link.name, mine.name]
    assert (elsewhere / LOCK).exists()


def test_without_locks_a_folder_is_nobodys_to_remove(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError("no locks here")

    monkeypatch.setattr(fcntl, "flock", none)
    with own_folder(tmp_path) as first, own_folder(tmp_path) as second:
        assert first.is_dir()
        assert second.is_dir()
    assert not list(tmp_path.iterdir())
