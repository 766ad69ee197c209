"""The pipeline's end: `Sandbox` hands programs to workers and yields one verdict for each."""

import json
import os
import platform
import select
import socket
import subprocess
import sys
import time
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from pipeline.core import environment
from pipeline.core.errors import SandboxUnavailable
from pipeline.sandbox import wire
from pipeline.sandbox.packages import module_names, package_paths
from pipeline.sandbox.types import Layer, Limits, Mode, Output, Program, Verdict

ATTEMPTS = 3
"""Runs of a program before an infrastructure failure becomes its verdict."""
_QUEUED = 2
"""Programs handed to one worker at a time: the second waits in its socket, so that the worker never does."""
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from pipeline.sandbox.worker import main; main()"
_START_SECONDS = 60.0
_END_SECONDS = 5.0
_MISSING = (
    "use --sandbox=weak to run model-written code without it, at your own risk; `hornbook doctor` lists the layers"
)


class Sandbox:
    """Runs untrusted programs in `workers` processes; a context manager.

    mode "strong" raises SandboxUnavailable at the start where the kernel refuses a layer, "weak" warns and goes on
    with what there is. packages: distributions whose modules programs may import, with what they require; theirs are
    imported once, before the first program. modules: of this package, light ones, that programs may import too.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        workers: int = 1,
        mode: Mode = "strong",
        packages: Iterable[str] = (),
        modules: Iterable[str] = (),
    ) -> None:
        self.limits = limits or Limits()
        self.workers = max(workers, 1)
        self.mode: Mode = mode
        self.packages = tuple(packages)
        self.modules = tuple(modules)
        self._package_paths = package_paths(self.packages)
        self._preloaded = [name for package in self.packages for name in module_names(package)]
        self._workers: list[_Worker] = []
        self._running = False
        self.layers: tuple[Layer, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether its workers are running."""
        return bool(self._workers)

    def __enter__(self) -> "Sandbox":
        self._workers = [_Worker(self) for _ in range(self.workers)]
        try:
            reports = [worker.ready() for worker in self._workers]
            self.layers = reports[0]
            self._refuse_or_warn([layer for layer in self.layers if not layer.available])
        except BaseException:
            self.close()
            raise
        return self

    def _refuse_or_warn(self, missing: list[Layer]) -> None:
        if not missing:
            return
        names = ", ".join(layer.name for layer in missing)
        found = f"this machine refuses a layer of the sandbox: {names} ({missing[0].detail})"
        if self.mode == "strong":
            raise SandboxUnavailable(found, hint=_MISSING)
        warnings.warn(
            f"{found}; model-written code runs without it, as --sandbox=weak asks", RuntimeWarning, stacklevel=3
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all workers and what they run."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def manifest(self) -> dict[str, Any]:
        """What a verdict depends on: layers, limits, interpreter, packages, and what makes programs repeatable."""
        return {
            "mode": self.mode,
            "layers": [asdict(layer) for layer in self.layers],
            "limits": self.limits.as_dict(),
            "python": platform.python_version(),
            "packages": list(self.packages),
            "determinism": {
                "hash_seed": 0,
                "random_seed": 0,
                "time_zone": "UTC",
                "locale": "C.UTF-8",
                "not_fixed": ["os.urandom", "secrets", "time", "uuid4", "object addresses"],
            },
        }

    def run(self, programs: Iterable[Program], ordered: bool = True) -> Iterator[Verdict]:
        """One verdict for each program, in order or as they finish.

        Reads `programs` only as fast as workers take them. A worker that dies is replaced and its programs run again.
        One `run` at a time.
        """
        if not self._workers:
            raise SandboxUnavailable(
                "the sandbox is not open", hint="use it as a context manager: with Sandbox(...) as sandbox"
            )
        if self._running:
            raise RuntimeError("this sandbox already runs programs; use one Sandbox per iterator")
        self._running = True
        try:
            yield from _Run(self, iter(programs), ordered).verdicts()
        finally:
            self._running = False
            for index, worker in enumerate(self._workers):
                if worker.queue:
                    worker.close()
                    self._workers[index] = _Worker(self)
                    self._workers[index].ready()

    def _replace(self, worker: "_Worker") -> "_Worker":
        worker.close()
        fresh = _Worker(self)
        self._workers[self._workers.index(worker)] = fresh
        fresh.ready()
        return fresh


class _Job:
    def __init__(self, number: int, program: Program) -> None:
        self.number = number
        self.program = program
        self.attempts = 0


class _Run:
    """One call of `Sandbox.run`: what is queued, what is done and not yet yielded."""

    def __init__(self, sandbox: Sandbox, programs: Iterator[Program], ordered: bool) -> None:
        self.sandbox = sandbox
        self.programs = programs
        self.ordered = ordered
        self.window = sandbox.workers * 64
        self.again: deque[_Job] = deque()
        self.done: dict[int, Verdict] = {}
        self.taken = 0
        self.next = 0
        self.exhausted = False

    def verdicts(self) -> Iterator[Verdict]:
        while True:
            self._feed()
            if not any(worker.queue for worker in self.sandbox._workers):
                return
            self._wait()
            if self.ordered:
                while self.next in self.done:
                    verdict = self.done.pop(self.next)
                    self.next += 1
                    yield verdict
            else:
                while self.done:
                    yield self.done.pop(next(iter(self.done)))

    def _feed(self) -> None:
        for depth in range(_QUEUED):
            for worker in self.sandbox._workers:
                if len(worker.queue) > depth:
                    continue
                job = self._next_job()
                if job is None:
                    return
                job.attempts += 1
                worker.queue.append(job)
                worker.send(job.program)

    def _next_job(self) -> _Job | None:
        if self.again:
            return self.again.popleft()
        if self.exhausted or (self.ordered and self.taken - self.next >= self.window):
            return None
        try:
            program = next(self.programs)
        except StopIteration:
            self.exhausted = True
            return None
        self.taken += 1
        return _Job(self.taken - 1, program)

    def _wait(self) -> None:
        poller = select.poll()
        by_fd = {worker.fd: worker for worker in self.sandbox._workers if worker.queue}
        for fd in by_fd:
            poller.register(fd, select.POLLIN)
        limits = self.sandbox.limits
        events = poller.poll((limits.wall_seconds + 60.0) * 1000)
        now = time.monotonic()
        for fd, _ in events:
            self._collect(by_fd[fd])
        for worker in by_fd.values():
            if worker.queue and now - worker.since > limits.wall_seconds + 60.0:
                self._lost(worker, "the worker stopped answering")

    def _collect(self, worker: "_Worker") -> None:
        try:
            answer = json.loads(wire.receive(worker.fd))
        except (wire.Closed, ValueError, OSError):
            self._lost(worker, "the worker died")
            return
        job = worker.queue.popleft()
        worker.since = time.monotonic()
        observed = tuple(Output(text, raised) for text, raised in answer["observed"])
        verdict = Verdict(
            job.program.id,
            answer["verdict"],
            answer["detail"],
            answer["cpu"],
            answer["wall"],
            answer["judged"],
            observed,
        )
        if verdict.verdict == "infrastructure" and job.attempts < ATTEMPTS:
            self.again.append(job)
        else:
            self.done[job.number] = verdict

    def _lost(self, worker: "_Worker", why: str) -> None:
        """Put a dead worker's programs back; the first of them is what it may have died of."""
        jobs = list(worker.queue)
        self.sandbox._replace(worker)
        for place, job in enumerate(jobs):
            if place:
                job.attempts -= 1
            if job.attempts >= ATTEMPTS:
                self.done[job.number] = Verdict(job.program.id, "infrastructure", f"{why}, {ATTEMPTS} times")
            else:
                self.again.append(job)


class _Worker:
    """A worker process and its socket."""

    def __init__(self, sandbox: Sandbox) -> None:
        ours, theirs = socket.socketpair()
        root = str(Path(__file__).resolve().parents[2])
        # A helper puts the socket on descriptor 3: the worker must find it there whatever this process has open.
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-S",
                "-s",
                "-P",
                "-B",
                "-X",
                "utf8",
                "-W",
                "ignore",
                "-c",
                f"import os; os.dup2({theirs.fileno()}, 3); {_BOOT}",
                root,
            ],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if not os.environ.get(environment.SANDBOX_DEBUG) else None,
            env={"PYTHONHASHSEED": "0", "TZ": "UTC", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
        )
        theirs.close()
        self.socket = ours
        self.fd = ours.fileno()
        self.queue: deque[_Job] = deque()
        self.since = time.monotonic()
        config = {
            "limits": sandbox.limits.as_dict(),
            "packages": sandbox._package_paths,
            "preloaded": sandbox._preloaded,
            "modules": sandbox.modules,
        }
        wire.send(self.fd, json.dumps(config).encode())

    def ready(self) -> tuple[Layer, ...]:
        """Wait until it has set up; what it could set up. Raises SandboxUnavailable where it died before."""
        self.socket.settimeout(_START_SECONDS)
        try:
            readable, _, _ = select.select([self.fd], [], [], _START_SECONDS)
            report = json.loads(wire.receive(self.fd)) if readable else None
        except wire.Closed:
            report = None
        self.socket.settimeout(None)
        if report is None:
            self.close()
            raise SandboxUnavailable(
                "a sandbox worker ended at its start", hint="run `hornbook doctor` to see what this machine offers"
            )
        return tuple(Layer(name, available, detail) for name, available, detail in report)

    def send(self, program: Program) -> None:
        """Hand it a program; a worker that is gone is noticed when its answer is read."""
        if len(self.queue) == 1:
            self.since = time.monotonic()
        body = {
            "source": program.source,
            "entry_point": program.entry_point,
            "test": program.test,
            "needs_test": program.needs_test,
            "observe": program.observe,
            "examples": [[example.source, example.want, example.options] for example in program.examples],
        }
        try:
            wire.send(self.fd, json.dumps(body).encode())
        except (wire.Closed, OSError):
            pass

    def close(self) -> None:
        """Have it end, or kill it where it is at work: the kernel then kills all it has started. Returns when done."""
        if not self.queue:
            try:
                self.socket.shutdown(socket.SHUT_WR)
                self.process.wait(_END_SECONDS)
            except (OSError, subprocess.TimeoutExpired):
                pass
        self.process.kill()
        self.process.wait()
        self.socket.settimeout(_END_SECONDS)
        try:
            while self.socket.recv(1 << 16):
                pass
        except OSError:
            pass
        self.socket.close()


def layers() -> list[Layer]:
    """The layers of isolation and whether this machine offers them, for `hornbook doctor`."""
    if not sys.platform.startswith("linux"):
        return [Layer("Linux", False, f"the sandbox needs Linux, this is {sys.platform}")]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            with Sandbox(mode="weak") as sandbox:
                return list(sandbox.layers)
    except SandboxUnavailable as error:
        return [Layer("worker", False, error.message)]
