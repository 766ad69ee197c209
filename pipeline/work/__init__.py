"""Where blocks of work are done: in this process, in processes of this machine, or on the nodes of a Ray cluster."""

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

from pipeline.execution import Execution
from pipeline.work.protocol import SERIAL, Executor


@contextlib.contextmanager
def executor(execution: Execution) -> Iterator[Executor]:
    """The executor that the settings ask for; nothing is started before it is used.

    Inside, with Ray, what libraries print goes to stderr: Ray tells of dead workers on stdout, where results are.
    """
    chosen: Any
    if execution.engine == "ray":
        from pipeline.work.ray import RayCluster

        chosen = RayCluster(execution.address, execution.worker_count())
    elif execution.worker_count() == 1:
        yield SERIAL
        return
    else:
        from pipeline.work.local import Processes

        chosen = Processes(execution.worker_count())
    aside = contextlib.redirect_stdout(sys.stderr) if execution.engine == "ray" else contextlib.nullcontext()
    with aside:
        try:
            yield chosen
        finally:
            chosen.close()
