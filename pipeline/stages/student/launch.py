"""Training in several processes, which the run starts itself: torchrun as a child, and files between it and the run.

The run writes the job into the folder of work in progress and starts torchrun, whose processes read it. The first of
them writes what happens to a file, which the run follows; one that fails on purpose says why in a file of its own. So
it makes no difference on which machine of a shared folder a process is. What they print is in `processes-HOST-PID.log`.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.core import errors
from pipeline.core.errors import HornbookError, TrainingError
from pipeline.core.events import Event, OnEvent
from pipeline.execution import Execution
from pipeline.stages.student import finished
from pipeline.stages.student.job import Job
from pipeline.stages.student.summary import TrainingSummary
from pipeline.store import jsonl
from pipeline.store.disk import write_atomically
from pipeline.training.world import gpu_count, rank

EVENTS = "events.jsonl"
POLL = 0.2
"""Seconds between two looks at what the processes have said."""
GRACE = 15.0
"""Seconds that torchrun is given to end its processes before it is killed."""
_ROOT_CAUSE = re.compile(r"Root Cause.*?rank\s*: (\d+).*?exitcode\s*: (-?\d+)", re.DOTALL)
"""What torchrun says of the process that failed first."""


def several(execution: Execution) -> bool:
    """Whether a training with these settings is one of more than this process."""
    return execution.processes != 1 or execution.nodes > 1


def launch(job: Job, on_event: OnEvent) -> TrainingSummary:
    """Train `job` in `execution.processes` processes on each of `execution.nodes` machines, this one among them.

    Raises what made a process fail: its own error, or TrainingError that says how it ended and where to go on.
    """
    for stale in (*job.out.glob("error-*.json"), job.out / EVENTS):
        stale.unlink(missing_ok=True)
    counted = job.execution.model_copy(update={"processes": job.execution.processes or gpu_count() or 1})
    file = job.model_copy(update={"execution": counted}).write()
    told = followed(job.out / EVENTS)

    def follow() -> None:
        for event in told():
            on_event(event)

    try:
        code = lend(file, counted, follow)
    finally:
        file.unlink(missing_ok=True)
    found = finished.latest(job.out)
    if code or found is None:
        raise failure(job.out, code)
    return found


def lend(file: Path, execution: Execution, meanwhile: Callable[[], None]) -> int:
    """Take part in the job of `file` with `execution.processes` processes of this machine, to its end; torchrun's exit
    code.

    meanwhile: called now and then, and at the end. Whatever ends this process, or raises in it, ends those too.
    """
    threads = execution.threads or max(1, execution.thread_count() // execution.processes)
    command = [sys.executable, "-m", "pipeline.training.agent", str(os.getpid()), *_arguments(file, execution)]
    with log_of(file.parent).open("wb") as log:
        child = subprocess.Popen(
            [*command, "-m", "pipeline.cli.train", "--job", str(file)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)},
            start_new_session=True,
        )
        try:
            while child.poll() is None:
                meanwhile()
                time.sleep(POLL)
        except BaseException:
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(GRACE)
            child.kill()
            child.wait()
            raise
    meanwhile()
    return child.returncode


def log_of(folder: Path) -> Path:
    """Where the processes that this one has started for a training print."""
    return folder / f"processes-{socket.gethostname()}-{os.getpid()}.log"


def _arguments(file: Path, execution: Execution) -> list[str]:
    """Of torchrun. Machines that meet at one place for several trainings tell them apart by the job's folder."""
    per_machine = f"--nproc-per-node={execution.processes}"
    if execution.nodes == 1:
        return ["--standalone", per_machine]
    return [
        f"--nnodes={execution.nodes}",
        per_machine,
        "--rdzv-backend=c10d",
        f"--rdzv-endpoint={execution.rendezvous}",
        f"--rdzv-id={file.parent.name}",
    ]


def report(folder: Path) -> OnEvent:
    """The listener of the first process: the run that started it reads along."""
    return lambda event: jsonl.append(folder / EVENTS, event)


def followed(path: Path) -> Callable[[], Iterator[Event]]:
    """Reads the events that were added to a file since it was last asked; a line that is not whole yet waits."""
    place = 0

    def new() -> Iterator[Event]:
        nonlocal place
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(place)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                place += len(line)
                with suppress(ValueError):
                    yield json.loads(line)

    return new


def confess(folder: Path, error: BaseException) -> None:
    """Leave the error of this process to the run that started it."""
    message, hint = f"{type(error).__name__}: {error}", ""
    if isinstance(error, HornbookError):
        message, hint = error.message, error.hint
    said = {"kind": type(error).__name__, "message": message, "hint": hint}
    with suppress(OSError, HornbookError):
        write_atomically(folder / f"error-{rank()}.json", json.dumps(said).encode())


def failure(folder: Path, code: int) -> HornbookError:
    """Why a training of several processes came to nothing, from what they left in `folder`. code: torchrun's.

    Of several that failed the first one counts: the others lost it. Where it was ended by a signal it says nothing.
    """
    log = log_of(folder)
    cause = _ROOT_CAUSE.search(log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "")
    steps = sorted(one.name for one in folder.glob("checkpoints/step-*"))
    place = f"step {int(steps[-1].partition('-')[2]):,}" if steps else "its start: there is no checkpoint yet"
    hint = f"run the same command again: it goes on from {place}; what the processes said is in {log}"
    who = f"process {cause[1]} of the training" if cause else "the training"
    if cause and int(cause[2]) < 0:
        number = -int(cause[2])
        name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
        memory = ", as the kernel does where memory runs out" if number == signal.SIGKILL else ""
        return TrainingError(f"{who} was ended by {name}{memory}", hint=hint)
    left = sorted(folder.glob("error-*.json"), key=lambda path: (not cause or path.stem != f"error-{cause[1]}", path))
    if not left:
        return TrainingError(f"{who} ended {f'with exit code {code}' if code else 'and left no model'}", hint=hint)
    said = json.loads(left[0].read_text(encoding="utf-8"))
    kind = vars(errors).get(said["kind"])
    if isinstance(kind, type) and issubclass(kind, HornbookError):
        return kind(said["message"], hint=said["hint"])
    return TrainingError(f"{who} failed: {said['message']:.300}", hint=hint)
