"""The Slurm template: a replica is listed when it can answer, and no longer when it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "pipeline" / "teacher" / "vllm_replicas.sbatch"
SERVER = """#!{python}
import http.server, sys
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Health).serve_forever()
"""
pytestmark = pytest.mark.skipif(
    any(os.system(f"command -v {name} >/dev/null") for name in ("bash", "curl", "flock")), reason="needs curl and flock"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(folder: Path, server: str) -> "tuple[subprocess.Popen[bytes], str]":
    vllm = folder / "vllm"
    vllm.write_text(server.format(python=sys.executable))
    vllm.chmod(0o755)
    port = free_port()
    settings = {"MODEL": "m", "ENDPOINTS": str(folder / "endpoints.txt"), "VLLM": str(vllm), "FIRST_PORT": str(port)}
    return subprocess.Popen(["bash", SCRIPT], env={**os.environ, **settings}, start_new_session=True), f":{port}/v1"


def test_a_replica_is_listed_while_it_answers(tmp_path: Path) -> None:
    places = tmp_path / "endpoints.txt"
    places.write_text("http://other:1/v1\n")
    process, address = start(tmp_path, SERVER)
    try:
        deadline = time.monotonic() + 60
        while address not in places.read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        other, mine = places.read_text().splitlines()
        assert other == "http://other:1/v1"
        assert mine.startswith("http://") and mine.endswith(address)  # noqa: PT018
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert places.read_text() == "http://other:1/v1\n"


def test_a_replica_that_does_not_start_is_never_listed(tmp_path: Path) -> None:
    process, _ = start(tmp_path, "#!/bin/sh\nexit 3\n")
    assert process.wait(60) != 0
    assert (tmp_path / "endpoints.txt").read_text() == ""
