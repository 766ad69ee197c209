"""Where the server of these tests is."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PORT = 8123
BASE = f"http://127.0.0.1:{PORT}"


@contextmanager
def served(data: Path) -> Iterator[dict[str, Any]]:
    """What `hornbook view --json` says while it listens, in a process of its own; asked to end, it ends with code 0."""
    command = [sys.executable, "-m", "pipeline.cli.main", "view", "--data", str(data), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = ""
        while not said.endswith("}\n"):
            line = server.stdout.readline()
            assert line, "the server ended before it said its address"
            said += line
        yield json.loads(said)
        server.send_signal(signal.SIGINT)
        assert server.stdout.read() == ""
        assert server.wait(60) == 0
