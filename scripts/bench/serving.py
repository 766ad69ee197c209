"""The mock server of the generation benchmarks, started or already running, and the prompts that they ask it."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.core.records import Prompt

SERVER = "HORNBOOK_MOCK_SERVER"
"""Environment variable with a script to run instead of `mock_server.py` (called with PORT SECONDS)."""


class Mock:
    """A running mock server."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.base_url = f"{self.root}/v1"

    def control(self, **settings: Any) -> None:
        """Set the behaviour and reset the counters."""
        request = urllib.request.Request(f"{self.root}/control", data=json.dumps(settings).encode())
        urllib.request.urlopen(request, timeout=10).read()

    def stats(self) -> dict[str, Any]:
        return json.load(urllib.request.urlopen(f"{self.root}/stats", timeout=10))


@contextlib.contextmanager
def mock_server(root: str = "") -> Iterator[Mock]:
    """The mock at `root`, or a fresh one that ends with the block."""
    if root:
        yield Mock(root)
        return
    script = os.environ.get(SERVER) or str(Path(__file__).with_name("mock_server.py"))
    port = _free_port()
    process = subprocess.Popen([sys.executable, script, str(port), "86400"], stdout=subprocess.DEVNULL)
    try:
        mock = Mock(f"http://127.0.0.1:{port}")
        _wait(mock)
        yield mock
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(mock: Mock) -> None:
    import time

    for _ in range(200):
        with contextlib.suppress(OSError):
            mock.stats()
            return
        time.sleep(0.05)
    raise SystemExit("the mock server did not start")


def prompts(texts: Iterable[str]) -> "Iterator[Prompt]":
    """One prompt a text, for the teacher "mock". Needs the repository on `sys.path`."""
    from pipeline.core.records import Message, Prompt, Seed

    for number, text in enumerate(texts):
        seed = Seed(
            kind="textbook", number=number, topic="a/b", title="b", audience="students", form="lesson", teacher="mock"
        )
        yield Prompt(seed=seed, messages=(Message("user", text),), template="t", template_digest="")
