"""An OpenAI-compatible endpoint on this machine that grades documents as `prompts/python/judge/value.md` asks.

It likes docstrings and short functions, wavers where a document is asked about twice, and misbehaves on request: rate
limits, answers without a grade, answers that are cut. `python judge_server.py PORT [FAULTS]` serves by hand.
"""

import hashlib
import json
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

RULE = "=" * 16
RECIPE = """
name = "valued"
seed = 3

[sources]
kind = "stdlib"
limit = 150
max_characters = 6_000

[[teachers]]
name = "judge"
kind = "openai"
model = "mock"
base_url = "{url}"
"""
"""How a recipe begins that this endpoint grades; `.format(url=...)`."""


def opinion(document):
    """A grade from 0 to 10 that rests on the text alone: docstrings and comments carry it, length weighs it down."""
    lines = [line for line in document.splitlines() if line.strip()]
    explained = document.count('"""') // 2 + sum(line.lstrip().startswith("#") for line in lines)
    share = explained / max(1, len(lines))
    return max(0, min(10, round(2 + 60 * share - len(lines) / 80)))


class JudgeServer(ThreadingHTTPServer):
    """faults: share of requests that meet each of "rate-limit", "no-grade", "cut", "waver". constant: the only grade.

    asked: requests by the document's digest. served: answers given. delay: seconds before each. most: answers given
    before the others wait for a `let`.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, faults=None, *, constant=None, delay=0.0, port=0):
        super().__init__(("127.0.0.1", port), _Handler)
        self.faults = faults or {}
        self.constant = constant
        self.delay = delay
        self.asked = Counter()
        self.served = 0
        self.most = sys.maxsize
        self.limited = 0
        self._lock = threading.Condition()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def __enter__(self):
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def let(self, most):
        """Give so many answers in all."""
        with self._lock:
            self.most = most
            self._lock.notify_all()

    def answer(self, document):
        """(status, text, finish reason) of one request about `document`."""
        name = hashlib.sha256(document.encode()).hexdigest()
        with self._lock:
            self.asked[name] += 1
            time_asked = self.asked[name]

        def meets(fault, scope):
            drawn = hashlib.sha256(f"{fault} {name} {scope}".encode()).digest()
            return int.from_bytes(drawn[:4]) / 2**32 < self.faults.get(fault, 0.0)

        if meets("rate-limit", time_asked) and time_asked < 4:
            with self._lock:
                self.limited += 1
            return 429, "Rate limit reached", ""
        time.sleep(self.delay)
        with self._lock:
            self._lock.wait_for(lambda: self.served < self.most)
            self.served += 1
        if meets("no-grade", ""):
            return 200, "A pleasant read, and I would recommend it to anyone.", "stop"
        if meets("cut", ""):
            return 200, "It teaches how a", "length"
        value = opinion(document) if self.constant is None else self.constant
        if meets("waver", time_asked):
            value = max(0, min(10, value + (3 if time_asked % 2 else -3)))
        return 200, f"It teaches one thing, and little stands in the way.\n\nGrade: {value}", "stop"


class _Handler(BaseHTTPRequestHandler):
    server: "JudgeServer"
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        document = body["messages"][-1]["content"].split(RULE)[1].strip("\n")
        status, text, finish = self.server.answer(document)
        if status != 200:
            error = {"message": text, "type": "requests", "code": "rate_limit_exceeded"}
            return self.reply(status, {"error": error}, {"retry-after": "0"})
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
        usage = {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440}
        return self.reply(200, {"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})

    def reply(self, status, body, headers=None):
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    with JudgeServer(json.loads(sys.argv[2]) if len(sys.argv) > 2 else {}, delay=0.2, port=int(sys.argv[1])) as server:
        while True:
            time.sleep(5)
            print({"served": server.served, "limited": server.limited, "documents": len(server.asked)}, flush=True)
