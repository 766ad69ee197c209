"""An OpenAI-compatible server that answers at once with canned text, or fails in a chosen way. For benchmarks.

    python scripts/bench/mock_server.py PORT [SECONDS]

POST /control sets the behaviour (see `DEFAULTS`) and resets the counters, GET /stats tells them; a prompt with
"ID=<n>" in it is counted by n. Prompts without one are answered at once and never fail (other tools probe with those).
It listens on the loopback interface only.
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import sys
import time

DEFAULTS: dict[str, object] = {
    "latency": 0.05,  # seconds until an answer
    "p429": 0.0,  # share of requests answered 429 with retry-after
    "p500": 0.0,
    "pbad": 0.0,  # share of 200s whose JSON is cut in half
    "preset": 0.0,  # share of connections reset instead of an answer
    "retry_after": 1,
    "limit_per_second": 0.0,  # a real limiter; 0 for none
    "limit_kind": "bucket",  # "bucket", "window" (so many in each second of the clock) or "spaced" (no burst at all)
    "limit_burst": 20,  # of the bucket
    "limit_headers": True,  # whether x-ratelimit-limit-requests tells the limiter's rate
    "down": [0, 0],  # seconds since the behaviour was set from which and until when every connection is reset
    "seed": 1,
}
TEXT = (
    "Binary search halves the interval at each step, so it needs O(log n) comparisons. "
    "The invariant is that the target, if present, lies in the half-open range. "
) * 10
ID = re.compile(rb"ID=(\d+)")
LENGTH = re.compile(rb"(?i)content-length:\s*(\d+)")
REASONS = {200: b"OK", 400: b"Bad Request", 404: b"Not Found", 429: b"Too Many Requests", 500: b"Internal Server Error"}


class Limiter:
    """Accepts `rate` requests a second, by one of three rules."""

    def __init__(self, rate: float, kind: str, burst: int) -> None:
        self.rate, self.kind, self.burst = rate, kind, burst
        self.level = float(burst)
        self.at = time.monotonic()
        self.count = 0

    def accepts(self) -> bool:
        now = time.monotonic()
        if self.kind == "window":
            if int(now) != int(self.at):
                self.count = 0
            self.at = now
            self.count += 1
            return self.count <= self.rate
        most = self.burst if self.kind == "bucket" else 1
        self.level = min(most, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < 1:
            return False
        self.level -= 1
        return True


class State:
    """Behaviour and counters of the server."""

    def __init__(self) -> None:
        self.control({})

    def control(self, changes: dict[str, object]) -> None:
        self.config = {**DEFAULTS, **changes}
        self.random = random.Random(self.config["seed"])
        rate = float(self.config["limit_per_second"])
        self.limiter = Limiter(rate, self.config["limit_kind"], self.config["limit_burst"]) if rate else None
        names = ("total", "ok", "e429", "e500", "bad", "reset", "inflight", "max_inflight", "conns")
        self.stats: dict[str, float] = dict.fromkeys(names, 0)
        self.first = self.last = 0.0
        self.since = time.monotonic()
        self.ids: dict[str, int] = {}

    def down(self) -> bool:
        begin, end = self.config["down"]
        return begin <= time.monotonic() - self.since < end

    def summary(self) -> dict[str, object]:
        counts: dict[int, int] = {}
        for asked in self.ids.values():
            counts[asked] = counts.get(asked, 0) + 1
        return {
            **self.stats,
            "seconds": self.last - self.first,
            "distinct": len(self.ids),
            "per_id_hist": counts,
        }


STATE = State()


def answer(number: str) -> bytes:
    content = f"# Lesson {number}\n\n{TEXT[:1500]}"
    message = {"role": "assistant", "content": content}
    return json.dumps(
        {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "gpt-4o-mini",
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 60, "completion_tokens": 330, "total_tokens": 390},
        }
    ).encode()


def response(status: int, body: bytes, extra: bytes = b"") -> bytes:
    rate = 10_000_000
    if STATE.limiter is not None:
        rate = int(STATE.limiter.rate * 60) if STATE.config["limit_headers"] else 0
    told = b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-limit-tokens: 1000000000\r\n" % rate if rate else b""
    head = b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
    return head % (status, REASONS[status], len(body)) + told + extra + b"\r\n" + body


def error(message: str, kind: str, code: str | None) -> bytes:
    return json.dumps({"error": {"message": message, "type": kind, "param": None, "code": code}}).encode()


class Server(asyncio.Protocol):
    """One connection; requests on it are answered in order of their latency."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.data = b""
        STATE.stats["conns"] += 1

    def data_received(self, data: bytes) -> None:
        self.data += data
        while (end := self.data.find(b"\r\n\r\n")) >= 0:
            head = self.data[:end]
            length = LENGTH.search(head)
            size = int(length.group(1)) if length else 0
            start = end + 4
            if not length and b"chunked" in head.lower():
                size = self.data.find(b"0\r\n\r\n", start)
                if size < 0:
                    return
                size += 5 - start
            if len(self.data) < start + size:
                return
            body, self.data = self.data[start : start + size], self.data[start + size :]
            self.handle(head.split(b"\r\n", 1)[0], body)

    def handle(self, line: bytes, body: bytes) -> None:
        if b"/stats" in line:
            self.send(response(200, json.dumps(STATE.summary()).encode()))
        elif b"/control" in line:
            STATE.control(json.loads(body or b"{}"))
            self.send(response(200, b"{}"))
        elif b"/models" in line:
            model = {"id": "gpt-4o-mini", "object": "model", "owned_by": "mock"}
            self.send(response(200, json.dumps({"object": "list", "data": [model]}).encode()))
        elif b"/chat/completions" not in line:
            self.send(response(404, error("not found", "invalid_request_error", None)))
        else:
            self.complete(body)

    def complete(self, body: bytes) -> None:
        found = ID.search(body)
        if found is None:
            self.send(response(200, answer("probe")))
            return
        number = found.group(1).decode()
        config, stats = STATE.config, STATE.stats
        now = time.time()
        STATE.first, STATE.last = STATE.first or now, now
        stats["total"] += 1
        stats["inflight"] += 1
        stats["max_inflight"] = max(stats["max_inflight"], stats["inflight"])
        STATE.ids[number] = STATE.ids.get(number, 0) + 1
        drawn, latency = STATE.random.random(), float(config["latency"])
        if STATE.down():
            self.finish(b"")
            return
        bounds = [config["p429"], config["p500"], config["pbad"], config["preset"]]
        edges = [sum(bounds[: i + 1]) for i in range(4)]
        if drawn < edges[0] or (STATE.limiter is not None and not STATE.limiter.accepts()):
            stats["e429"] += 1
            latency = min(latency, 0.005)
            words = error("Rate limit reached. Please try again.", "requests", "rate_limit_exceeded")
            out = response(429, words, b"retry-after: %d\r\n" % config["retry_after"])
        elif drawn < edges[1]:
            stats["e500"] += 1
            out = response(500, error("The server had an error", "server_error", None))
        elif drawn < edges[2]:
            stats["bad"] += 1
            whole = answer(number)
            out = response(200, whole[: len(whole) // 2])
        elif drawn < edges[3]:
            out = b""
        else:
            out = response(200, answer(number))
        whole = drawn >= edges[3] and out.startswith(b"HTTP/1.1 200")
        asyncio.get_running_loop().call_later(latency, self.finish, out, whole)

    def finish(self, out: bytes, whole: bool = False) -> None:
        """Send `out`, or reset the connection. whole: whether it is an answer."""
        STATE.stats["inflight"] -= 1
        if out and not STATE.down():
            STATE.stats["ok"] += whole
            self.send(out)
            return
        STATE.stats["reset"] += 1
        with contextlib.suppress(OSError, AttributeError):
            lingering = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, lingering)
        self.transport.abort()

    def send(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(data)


async def serve(port: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Server, "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(seconds)
    server.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) if len(sys.argv) > 2 else 86400))
