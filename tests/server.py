"""A small OpenAI-compatible server inside the test's process, scripted by each test."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]


@dataclass
class Reply:
    """What the server sends. raw: instead of JSON; cut: bytes after which the connection is closed; delay: seconds."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: int | None = None
    delay: float = 0.0


def chat(text: str, finish: str = "stop", prompt_tokens: int = 10, completion_tokens: int = 20) -> Body:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens},
    }


def echo(body: Body) -> Reply:
    """Answers with the last message, so that a test can tell answers apart."""
    return Reply(body=chat("answer to " + body["messages"][-1]["content"]))


def refuse(status: int, message: str, code: str | None = None, **headers: str) -> Reply:
    error = {"error": {"message": message, "type": "error", "code": code}}
    return Reply(status, error, {name.replace("_", "-"): value for name, value in headers.items()})


class Server:
    """`answer` is called for each completion request; `requests` holds their bodies, `heads` their headers."""

    def __init__(self, answer: Callable[[Body], Reply]) -> None:
        self.answer = answer
        self.requests: list[Body] = []
        self.heads: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.lock = threading.Lock()
        self.route: Callable[[str, str, bytes], Reply] | None = None
        self.url = ""

    def reply(self, method: str, path: str, raw: bytes, head: dict[str, str]) -> Reply:
        if self.route is not None:
            return self.route(method, path, raw)
        body = json.loads(raw)
        with self.lock:
            self.requests.append(body)
            self.heads.append(head)
            self.paths.append(path)
        return self.answer(body)


@contextlib.contextmanager
def serving(answer: Callable[[Body], Reply] = echo) -> Iterator[Server]:
    """A server on a free port of the loopback interface."""
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _handle(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            reply = server.reply(self.command, self.path, raw, {k.lower(): v for k, v in self.headers.items()})
            if reply.delay:
                threading.Event().wait(reply.delay)
            data = reply.raw if reply.raw is not None else json.dumps(reply.body).encode()
            head = f"HTTP/1.1 {reply.status} X\r\ncontent-length: {len(data)}\r\n"
            head += "".join(f"{name}: {value}\r\n" for name, value in reply.headers.items())
            whole = head.encode() + b"\r\n" + data
            with contextlib.suppress(OSError):
                self.wfile.write(whole[: reply.cut] if reply.cut is not None else whole)
            if reply.cut is not None:
                self.close_connection = True

        do_POST = do_GET = do_DELETE = _handle  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Threads(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def handle_error(self, *_: object) -> None:
            """A client that went away is part of the tests."""

    http = Threads(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_address[1]}/v1"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
