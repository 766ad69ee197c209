"""How fast and where: settings that never change what is written, and so never enter a key.

They come from the recipe's `[execution]` table, from `execution.key=value` on the command line, and are kept apart
from the recipe as soon as the file is read: no stage that makes content is handed this object.
"""

import os
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.core.located import Located

SPINS = "1000"
"""How often a waiting OpenMP thread looks again before it sleeps: some 10 microseconds."""


def let_waiting_threads_sleep() -> None:
    """Keep OpenMP's threads from burning a core while they wait for each other. Has an effect before torch is imported.

    GNU's OpenMP, which torch carries, lets them spin for milliseconds. On a machine with other work to do the thread
    that is waited for does not run meanwhile, and training is several times slower. What the environment says already
    (GOMP_SPINCOUNT, OMP_WAIT_POLICY) stays.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


class ServersTable(BaseModel):
    """Servers that answer in the place of a teacher's `base_url`, all with its model and its key; the load is balanced.

    Where they are changes no answer: answers stay stored under the teacher's `base_url` and `model`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    teacher: str
    """Name of a teacher of kind "openai", mode "online"."""
    urls: tuple[str, ...] = ()
    """Their base URLs, e.g. ["http://node1:8000/v1", "http://node2:8000/v1"]."""
    file: Annotated[str, Located("path")] = ""
    """A text file with one base URL a line, read again while the run goes on: servers may come and go."""


class Execution(BaseModel):
    """Execution settings; every field has a default that works on one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)

    workers: Annotated[int, Field(ge=0, le=4096)] = 0
    """Processes for record stages and the sandbox; 0 for one per core."""
    engine: Literal["local", "ray"] = "local"
    """Where record stages work: processes of this machine, or a Ray cluster."""
    address: str = ""
    """Address of a Ray cluster; "" starts a local one."""
    device: str = "auto"
    """torch device of the student and of local teachers; "auto" for a GPU where there is one."""
    threads: Annotated[int, Field(ge=0, le=4096)] = 0
    """torch threads; 0 for one per core."""
    sandbox: Literal["strong", "weak"] = "strong"
    """"weak" lets model-written code run where the kernel refuses a layer of isolation."""
    concurrency: Annotated[int, Field(ge=1, le=65_536)] = 64
    """Most requests in flight per endpoint."""
    servers: tuple[ServersTable, ...] = ()
    """Many servers behind one teacher."""
    requests_per_minute: Annotated[float, Field(ge=0)] = 0
    """0 to learn the limit from the endpoint."""
    tokens_per_minute: Annotated[float, Field(ge=0)] = 0
    """0 to learn the limit from the endpoint."""
    retries: Annotated[int, Field(ge=0, le=1000)] = 8
    """Most retries of one request."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Longest wait for one answer."""
    budget_usd: Annotated[float, Field(ge=0)] | None = None
    """Hard cap on this run's spend; reaching it ends the run with exit code 3, resumable."""
    budget_tokens: Annotated[int, Field(ge=0, le=10**15)] | None = None
    """Hard cap on this run's teacher tokens (prompt and completion)."""
    batch: Annotated[int, Field(ge=0, le=10**6)] = 0
    """Sequences generated at once by local models; 0 for a size that suits the device."""
    compile: Literal["off", "on", "auto"] = "auto"
    """Whether training goes through torch.compile; "auto" tries it where rows have one length and training will last
    over ten minutes, measures, and keeps what is faster. Where nothing can be compiled training goes on without."""
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """Training in several processes: whole weights in each, or split over them (FSDP2) where they do not fit."""
    processes: Annotated[int, Field(ge=0, le=4096)] = 1
    """Processes of a machine that train the student, which the run starts by torchrun; 0 for one per GPU."""
    nodes: Annotated[int, Field(ge=1, le=65_536)] = 1
    """Machines that train the student together; on all but the first `hornbook join RUN` lends them. They share the
    data folder."""
    rendezvous: str = ""
    """Where the machines of a training meet: host:port, the host one of them. Needed where nodes is above 1."""
    trackers: tuple[Literal["tensorboard", "wandb", "trackio"], ...] = ()
    """Where the training curve is shown beside events.jsonl; each must be installed. wandb stays offline."""
    checkpoint_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Time between training checkpoints."""

    @model_validator(mode="after")
    def _meeting(self) -> Self:
        host, _, port = self.rendezvous.rpartition(":")
        if self.rendezvous and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
            raise ValueError(f"rendezvous = {self.rendezvous!r} should be host:port, e.g. node-0:29400")
        if self.nodes > 1 and not self.rendezvous:
            raise ValueError(f"nodes = {self.nodes} needs rendezvous, the host:port where they meet")
        return self

    def worker_count(self) -> int:
        """Processes to start, at least 1."""
        return self.workers or len(os.sched_getaffinity(0))

    def thread_count(self) -> int:
        """torch threads, at least 1."""
        return self.threads or len(os.sched_getaffinity(0))
