"""The fork-server: pid 1 of its own namespaces. Forks one process per program, limits it, and leaves nothing of it.

It never sees a program, a test or a value: the judge hands it the ends of channels, and it hands them on to the fork.
Where a layer is missing (`--sandbox=weak`) it does what is left; then it is not pid 1 and kills process groups.
"""

import array
import contextlib
import gc
import mmap
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.sandbox import idle, kernel, view

PRELOADED = """
abc ast bisect calendar collections collections.abc contextlib copy dataclasses datetime decimal enum fractions
functools hashlib heapq io itertools json math numbers operator pathlib random re statistics string textwrap time
typing unittest
"""
"""Imported once, before the first fork: what exercises import most."""

PROGRAM, TEST = 0, 1
ENDED, DONE = b"E", b"D"
_END = struct.Struct("<cBiddI")
"""Kind, role, wait status, CPU seconds, limit that was met (index into `MET`), peak memory in KiB."""
MET = ("", "cpu", "wall", "idle", "output", "layer")
_HIGH = 40
"""Descriptors from here on are used to move the low ones; the server itself has far fewer open."""
_BARELY = 0.0002
"""Share of one core below which a process counts as asleep where the kernel does not say how long it waited for one:
less than a busy machine gives the least urgent process."""
_TEST_MEMORY = 4
"""Memory of a test in its own process, over that of a program: it holds a program's values in several forms at once."""


class Settings(NamedTuple):
    """The limits, as the server needs them."""

    cpu_seconds: float
    wall_seconds: float
    idle_seconds: float
    memory_bytes: int
    output_bytes: int
    tmp_mb: int
    files: int
    threads: int


class Guards(NamedTuple):
    """The layers that are put on in the fork; None where this machine refuses one."""

    seccomp: kernel.SeccompFilter | None
    user: int | None
    isolated: bool
    work: str
    packages: tuple[str, ...]
    account: idle.Account | None


class Running:
    """A forked process that has not ended, or how it ended."""

    def __init__(self, pid: int, role: int) -> None:
        self.pid = pid
        self.role = role
        self.watch = os.pidfd_open(pid)
        self.clock = kernel.cpu_clock(pid)
        self.met = 0
        self.ended = False
        self.last_cpu = 0.0
        self.moved = time.monotonic()

    def cpu(self) -> float:
        """CPU seconds so far."""
        try:
            return time.clock_gettime(self.clock)
        except OSError:
            return self.last_cpu


class Server:
    """Serves one judge over `control`, a SOCK_SEQPACKET socket."""

    def __init__(self, control: socket.socket, settings: Settings, guards: Guards) -> None:
        self.control = control
        self.settings = settings
        self.guards = guards
        self.landlock = self._new_landlock()
        self.entries: dict[int, Callable[[], None]] = {}
        self.confined = mmap.mmap(-1, mmap.PAGESIZE)

    def _new_landlock(self) -> kernel.Landlock | None:
        try:
            if self.guards.isolated:
                devices = ["/dev/null", "/dev/zero", "/dev/full"]
                return kernel.Landlock(["/"], [self.guards.work, *existing(devices)])
            libraries = [p.source for p in view.python_paths()[0]]
            known = [*libraries, *view.LIBRARIES, "/dev", *self.guards.packages]
            return kernel.Landlock(existing(known), [self.guards.work, "/dev/null"])
        except OSError:
            return None

    def serve(self) -> None:
        """Run until the judge is gone."""
        channels: list[int] = []
        while True:
            if not channels:
                message, channels = _receive(self.control)
                if not message:
                    return
            if channels:
                channels = self._run(channels)

    def _run(self, channels: list[int]) -> list[int]:
        """One program: channels are its own, or its own, its link, the test's own and the test's link.

        Returns the channels of the next one, where the judge has sent them along with the word to stop.
        """
        output, written = os.pipe2(os.O_CLOEXEC)
        groups = [channels[:2], channels[2:]] if len(channels) == 4 else [channels]
        running = [self._fork(role, ends, output, written) for role, ends in enumerate(groups)]
        os.close(written)
        for channel in channels:
            os.close(channel)
        os.set_blocking(output, False)
        following: list[int] = []
        try:
            following = self._watch(running, output)
        finally:
            self._clear(running)
            os.close(output)
            for process in running:
                os.close(process.watch)
        self.control.send(DONE)
        return following

    def _fork(self, role: int, channels: list[int], output: int, written: int) -> Running:
        """Start a process. It says that all its layers are on in memory that it then lets go of: an exit status it
        could choose itself."""
        self.confined[role] = 0
        pid = os.fork()
        if pid == 0:
            try:
                self._confine(role, channels, written)
                self.confined[role] = 1
                self.confined.close()
                self.entries[role]()
            finally:
                os._exit(1)
        return Running(pid, role)

    def _confine(self, role: int, channels: list[int], written: int) -> None:
        """In the fork: only the channels stay open, then every layer, the strictest last."""
        landlock = self.landlock
        null = os.open("/dev/null", os.O_RDONLY)
        high = [os.dup2(fd, _HIGH + i) for i, fd in enumerate((null, written, written, *channels))]
        if landlock is not None:
            landlock.fd = os.dup2(landlock.fd, _HIGH + len(high))
        for low, fd in enumerate(high):
            os.dup2(fd, low)
        os.closerange(len(high), _HIGH + len(high))
        os.closerange(_HIGH + len(high) + (landlock is not None), 1 << 16)
        if not self.guards.isolated:
            os.setpgid(0, 0)
        kernel.die_with_parent()
        self._limit(_TEST_MEMORY if role == TEST else 1)
        if self.guards.user is not None:
            os.setgroups([])
            os.setresgid(self.guards.user, self.guards.user, self.guards.user)
            os.setresuid(self.guards.user, self.guards.user, self.guards.user)
        kernel.drop_capabilities()
        if landlock is not None:
            landlock.enforce()
            landlock.close()
        if self.guards.seccomp is not None:
            self.guards.seccomp.install_program()

    def _limit(self, memory: int) -> None:
        settings = self.settings
        cpu = int(settings.cpu_seconds) + 2
        limits = {
            resource.RLIMIT_CPU: cpu,
            resource.RLIMIT_AS: settings.memory_bytes * memory,
            resource.RLIMIT_FSIZE: settings.tmp_mb << 20,
            resource.RLIMIT_NOFILE: 64,
            resource.RLIMIT_NPROC: settings.threads + 8 if self.guards.isolated else resource.RLIM_INFINITY,
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_STACK: 8 << 20,
            resource.RLIMIT_MSGQUEUE: 0,
            resource.RLIMIT_MEMLOCK: 0,
        }
        for what, value in limits.items():
            if value != resource.RLIM_INFINITY:
                kernel.limit(what, value)

    def _watch(self, running: list[Running], output: int) -> list[int]:
        """Until the judge says stop: enforce the limits, drain output, tell the judge who has ended.

        Returns the channels that came with that word.
        """
        settings = self.settings
        poller = select.poll()
        poller.register(self.control, select.POLLIN)
        poller.register(output, select.POLLIN)
        by_watch = {process.watch: process for process in running}
        for watch in by_watch:
            poller.register(watch, select.POLLIN)
        started = time.monotonic()
        account = self.guards.account
        sleep = idle.Sleep(account, started) if account is not None else None
        written = 0
        timeout = min(settings.cpu_seconds, settings.idle_seconds, 1.0)
        while True:
            events = poller.poll(timeout * 1000)
            for fd, _ in events:
                if fd == self.control.fileno():
                    return _receive(self.control)[1]
                if fd == output:
                    written += _drain(output)
                    if written > settings.output_bytes:
                        self._kill_all(running, "output")
                        poller.unregister(output)
                    elif _closed(output):
                        poller.unregister(output)
                elif fd in by_watch:
                    poller.unregister(fd)
                    self._tell_end(by_watch[fd])
            if not events or time.monotonic() - started > 1.0:
                timeout = self._enforce(running, started, sleep)

    def _enforce(self, running: list[Running], started: float, sleep: idle.Sleep | None) -> float:
        """Kill what is over a limit; returns seconds until the next look."""
        settings, now = self.settings, time.monotonic()
        wait = 1.0
        alive = [p for p in running if not p.ended and not p.met]
        for process in alive:
            used = process.cpu()
            if used - process.last_cpu > _BARELY * max(now - process.moved, 0.1):
                process.last_cpu, process.moved = used, now
            if used >= settings.cpu_seconds:
                self._kill(process, "cpu")
            elif now - started > settings.wall_seconds:
                self._kill(process, "wall")
            else:
                wait = min(wait, max(settings.cpu_seconds - used, 0.005))
        if sleep is not None:
            asleep = sleep.look(now) > settings.idle_seconds
        else:
            asleep = all(now - p.moved > settings.idle_seconds for p in alive)
        if asleep:
            self._kill_all(running, "idle")
        return wait

    def _kill(self, process: Running, met: str) -> None:
        process.met = MET.index(met)
        os.kill(process.pid, signal.SIGKILL)

    def _kill_all(self, running: list[Running], met: str) -> None:
        for process in running:
            if not process.ended and not process.met:
                self._kill(process, met)

    def _tell_end(self, process: Running) -> None:
        _, status, usage = os.wait4(process.pid, 0)
        process.ended = True
        if not self.confined[process.role] and not process.met:
            process.met = MET.index("layer")
        cpu = usage.ru_utime + usage.ru_stime
        self.control.send(_END.pack(ENDED, process.role, status, cpu, float(process.met), usage.ru_maxrss))

    def _clear(self, running: list[Running]) -> None:
        """Leave nothing: no process of this namespace but this one, no file in the working directory."""
        if self.guards.isolated:
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                pass
        for process in running:
            if not process.ended:
                if not self.guards.isolated:
                    with contextlib.suppress(ProcessLookupError):  # it may have left its group
                        os.killpg(process.pid, signal.SIGKILL)
                    os.kill(process.pid, signal.SIGKILL)
                self._tell_end(process)
        if self.guards.isolated:
            while True:
                try:
                    os.waitpid(-1, 0)
                except ChildProcessError:
                    break
        with os.scandir(self.guards.work) as left:
            dirty = next(left, None) is not None
        if dirty:
            self._empty_work()

    def _empty_work(self) -> None:
        if not self.guards.isolated:
            view.remove_all(self.guards.work)
            return
        os.chdir("/")
        kernel.unmount(view.WORK)
        view.fresh_work(self.settings.tmp_mb, self.settings.files)
        os.chdir(view.WORK)
        if self.landlock is not None:
            self.landlock.close()
            self.landlock = self._new_landlock()


def existing(paths: list[str]) -> list[str]:
    """Those of `paths` that are there."""
    return [path for path in paths if Path(path).exists()]


def unpack_end(message: bytes) -> tuple[int, int, float, str, int]:
    """(role, wait status, CPU seconds, limit met or "", peak memory in KiB) of an `ENDED` message."""
    _, role, status, cpu, met, peak = _END.unpack(message)
    return role, status, cpu, MET[int(met)], peak


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    ends = array.array("i")
    try:
        message, extra, _, _ = control.recvmsg(64, socket.CMSG_SPACE(4 * ends.itemsize))
    except ConnectionResetError:
        return b"", []
    for level, kind, data in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            ends.frombytes(data[: len(data) - len(data) % ends.itemsize])
    return message, list(ends)


def _drain(output: int) -> int:
    try:
        return len(os.read(output, 1 << 16))
    except BlockingIOError:
        return 0


def _closed(output: int) -> bool:
    poller = select.poll()
    poller.register(output, select.POLLIN)
    return any(event & select.POLLHUP and not event & select.POLLIN for _, event in poller.poll(0))


def prepare_interpreter(path: list[str], environment: dict[str, str], packages: list[str]) -> None:
    """Make this interpreter the one that programs find: its path, its environment, its preloaded modules.

    packages: modules of packages, imported here so that no program pays for it; one that cannot be imported is left to
    the programs that try.
    """
    prefix = view.PREFIX
    if path:
        sys.path[:] = path
        sys.path_importer_cache.clear()
        view.move_modules(list(sys.modules.values()), view.python_paths()[0])
        sys.prefix = sys.exec_prefix = sys.base_prefix = sys.base_exec_prefix = prefix
        sys.executable = ""
    for name in PRELOADED.split():
        __import__(name)
    sys.argv = ["program.py"]
    sys.dont_write_bytecode = True
    kernel.one_malloc_arena()
    os.environ.clear()
    os.environ.update(environment)
    for name in packages:
        with contextlib.suppress(Exception):
            __import__(name)
    # What a program finds does not depend on who runs it.
    os.umask(0o022)
    gc.collect()
    gc.freeze()


def run(control: socket.socket, settings: Settings, guards: Guards, entries: dict[int, Any]) -> None:
    """Serve until the judge is gone."""
    if guards.seccomp is not None:
        guards.seccomp.install_common()
    server = Server(control, settings, guards)
    server.entries = entries
    server.serve()
