"""How long a program has slept, told apart from how long it has waited for a CPU.

CPU time cannot tell a sleeper from a program on a busy machine: both use little. The kernel's account can: for each
thread, /proc/PID/task/TID/schedstat (Linux, Documentation/scheduler/sched-stats.rst) holds the time it has run and the
time it was ready to run and had to wait. What is left of the wall time is sleep.
"""

import os
from collections.abc import Iterable
from typing import NamedTuple

_READY = frozenset("RD")
"""States of a thread that is not asleep of its own will: on a CPU or waiting for one, or in the kernel for a disk."""


class _Thread(NamedTuple):
    ready: bool
    busy: float


class Account:
    """Reads the kernel's account through `folder`, a descriptor of a /proc that shows this process.

    The program's view has no /proc; the descriptor is opened before the view is built, and no fork of it keeps one.
    """

    def __init__(self, folder: int) -> None:
        self.folder = folder
        self.own = os.readlink("self", dir_fd=folder)
        self.parent = self._read(f"{self.own}/stat").rpartition(")")[2].split()[1]
        if not self.threads([self.own])[self.own].busy:
            raise OSError("the kernel keeps no account of waiting threads")

    def children(self) -> list[str]:
        """The processes that this one has forked, by their number in `folder`."""
        return self._read(f"{self.own}/task/{self.own}/children").split()

    def threads(self, processes: Iterable[str]) -> dict[str, _Thread]:
        """Of every thread: whether it is ready to run now, and the seconds it has run and waited for a CPU so far."""
        found = {}
        for process in processes:
            try:
                tasks = os.open(f"{process}/task", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.folder)
            except OSError:
                continue
            try:
                for thread in os.listdir(tasks):  # noqa: PTH208 - a descriptor
                    try:
                        ran, waited, _ = self._read(f"{process}/task/{thread}/schedstat").split()
                        state = self._read(f"{process}/task/{thread}/stat").rpartition(")")[2].split()[0]
                    except (OSError, ValueError):
                        continue
                    found[thread] = _Thread(state in _READY, (int(ran) + int(waited)) / 1e9)
            finally:
                os.close(tasks)
        return found

    def _read(self, name: str) -> str:
        file = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.folder)
        try:
            return os.read(file, 1 << 16).decode("ascii", "replace")
        finally:
            os.close(file)


def open_account() -> Account | None:
    """The account of this process and its forks; None where this machine shows none."""
    try:
        folder = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        account = Account(folder)
        account.children()
        return account
    except (OSError, ValueError, KeyError, IndexError):
        os.close(folder)
        return None


class Sleep:
    """Seconds in which nothing that a program's run consists of was ready to run: judge, server, program and test.

    The judge counts because a program that waits for a starved judge is not to blame. Time in which a thread has ended
    counts as work: how long that thread had waited is not known any more.
    """

    def __init__(self, account: Account, now: float) -> None:
        self.account = account
        self.seen: dict[str, _Thread] | None = None
        self.looked = now
        self.asleep = 0.0

    def look(self, now: float) -> float:
        """Seconds asleep so far; 0 while a thread is ready to run, whose waiting the kernel adds only when it ends."""
        account = self.account
        threads = account.threads([account.parent, account.own, *account.children()])
        passed, self.looked = now - self.looked, now
        if self.seen is not None and self.seen.keys() <= threads.keys():
            known = sum(thread.busy for thread in self.seen.values())
            self.asleep += passed - (sum(thread.busy for thread in threads.values()) - known)
        self.seen = threads
        return 0.0 if any(t.ready for key, t in threads.items() if key != account.own) else self.asleep
