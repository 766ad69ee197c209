"""The command line in a process of its own, as a user runs it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def hornbook(*arguments, data=None, env=None, cwd=None, timeout=1200):
    """Run the command line in a process of its own, as a user does."""
    command = [sys.executable, "-m", "pipeline.cli.main", *map(str, arguments)]
    if data is not None:
        command += ["--data", str(data)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **(env or {})}
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=cwd, timeout=timeout, check=False
    )
    return Result(done.returncode, done.stdout, done.stderr)
