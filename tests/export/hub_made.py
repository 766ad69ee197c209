"""A stand-in of the hub's API for repositories and commits, in this process: enough for the hub's own client."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_abcDEF0123456789ghiJKL"


@dataclass
class Hub:
    """repositories: by "datasets/me/name" or "models/me/name": whether private, and files by name. tokens: those that
    requests came with. refuse: a status to answer every request with. logged: request lines."""

    endpoint: str = ""
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    refuse: int = 0
    logged: list[str] = field(default_factory=list)

    def add(self, place: str, *, private: bool, files: dict[str, bytes]) -> None:
        self.repositories[place] = {"private": private, "files": files}


@contextmanager
def hub() -> Iterator[Hub]:
    """Served on loopback until the block ends."""
    state = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Served", (_Handler,), {"hub": state}))
    state.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, body: bytes | None) -> None:
        self.hub.tokens.add(self.headers.get("Authorization", ""))
        self.hub.logged.append(f"{self.command} {self.path}")
        path = self.path.partition("?")[0].removeprefix("/api/")
        if self.hub.refuse:
            return self._send(self.hub.refuse, {"error": "You may not do this."})
        if path == "repos/create":
            return self._create(json.loads(body or b"{}"))
        if path == "validate-yaml":
            return self._send(200, {"warnings": [], "errors": []})
        kind, owner, name, *rest = path.split("/")
        found = self.hub.repositories.get(f"{kind}/{owner}/{name}")
        if found is None:
            return self._send(404, {"error": "Repository not found"}, "RepoNotFound")
        if not rest or rest[0] == "revision":
            files = [{"rfilename": name} for name in found["files"]]
            return self._send(200, {"id": f"{owner}/{name}", "private": found["private"], "sha": "0" * 40,
                                    "siblings": files, "tags": []})  # fmt: skip
        if rest[0] == "preupload":
            wanted = json.loads(body or b"{}")["files"]
            return self._send(200, {"files": [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False}
                                              for one in wanted]})  # fmt: skip
        if rest[0] == "tree":
            return self._send(200, [{"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
                                    for path, data in found["files"].items()])  # fmt: skip
        if rest[0] == "commit":
            self._commit(found, (body or b"").splitlines())
            url = f"{self.hub.endpoint}/{'' if kind == 'models' else 'datasets/'}{owner}/{name}/commit/{'1' * 40}"
            return self._send(200, {"commitUrl": url, "commitOid": "1" * 40, "success": True})
        return self._send(404, {"error": f"not served here: {self.path}"})

    def _create(self, asked: dict[str, Any]) -> None:
        kind = {"dataset": "datasets"}.get(asked.get("type") or "model", "models")
        name = f"{asked['organization']}/{asked['name']}"
        private = asked.get("private", asked.get("visibility") == "private")
        found = self.hub.repositories.setdefault(f"{kind}/{name}", {"private": private, "files": {}})
        found["files"].setdefault(".gitattributes", b"")
        self._send(200, {"url": f"{self.hub.endpoint}/{'' if kind == 'models' else 'datasets/'}{name}", "name": name})

    def _commit(self, found: dict[str, Any], lines: list[bytes]) -> None:
        for line in map(json.loads, lines):
            if line["key"] == "file":
                found["files"][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "deletedFile":
                found["files"].pop(line["value"]["path"], None)

    def _send(self, status: int, value: Any, code: str = "") -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        self.wfile.write(data)
