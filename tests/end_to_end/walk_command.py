"""The command line: in a process of its own, as a user runs it, or in that of the tests, which costs no imports."""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Result:
    """What a command gave back."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def here(*arguments, data=None):
    """Run the command line in this process: for what does not depend on a process that begins or ends."""
    from pipeline.cli.main import main

    words = [str(word) for word in [*arguments, *(["--data", data] if data is not None else [])]]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(words)
    return Result(int(ended.value.code or 0), out.getvalue(), err.getvalue())


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
