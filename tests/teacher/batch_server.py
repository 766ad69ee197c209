"""A mock of OpenAI's Files and Batches endpoints."""

import json
import re
import threading
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from server import Reply, chat

Judge = Callable[[dict[str, Any]], Reply | None]


class BatchApi:
    """Batches end after `polls` looks. judge: the reply to one request line, or None for one that expires.

    room: requests that the queue takes over all batches that have not ended; page: batches in one page of the list.
    """

    def __init__(self, judge: Judge | None = None, polls: int = 1) -> None:
        self.judge = judge or (lambda line: Reply(body=chat("answer to " + line["body"]["messages"][-1]["content"])))
        self.polls = polls
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.sent: list[dict[str, Any]] = []
        self.lock = threading.Lock()
        self.refuse_create = False
        self.forget_reply = False
        self.cancel = False
        self.room = 10**9
        self.page = 100
        self.pages = 0

    def __call__(self, method: str, path: str, raw: bytes) -> Reply:
        # The server has a thread for each request; two uploads at once would get one name.
        with self.lock:
            return self._reply(method, path, raw)

    def _reply(self, method: str, path: str, raw: bytes) -> Reply:
        if method == "POST" and path == "/v1/files":
            return self._upload(raw)
        if method == "POST" and path == "/v1/batches":
            return self._create(json.loads(raw))
        if method == "GET" and path.startswith("/v1/batches?"):
            return self._list(parse_qs(urlsplit(path).query).get("after", [""])[0])
        if method == "GET" and path.startswith("/v1/batches/"):
            return self._look(path.rsplit("/", 1)[1])
        found = re.fullmatch(r"/v1/files/([^/]+)/content", path)
        if found and found.group(1) in self.files:
            return Reply(raw=self.files[found.group(1)])
        return Reply(404, {"error": {"message": f"no {method} {path}"}})

    def _upload(self, raw: bytes) -> Reply:
        boundary = raw.split(b"\r\n", 1)[0]
        parts = [part.split(b"\r\n\r\n", 1) for part in raw.split(boundary)[1:-1]]
        content = next(body for head, body in parts if b"filename=" in head)
        name = f"file-{len(self.files)}"
        self.files[name] = content.removesuffix(b"\r\n")
        return Reply(
            body={
                "id": name,
                "object": "file",
                "bytes": 1,
                "created_at": 1,
                "filename": "x",
                "purpose": "batch",
                "status": "processed",
            }
        )

    def _list(self, after: str) -> Reply:
        """Newest first, as OpenAI's."""
        self.pages += 1
        ids = list(reversed(self.batches))
        start = ids.index(after) + 1 if after else 0
        shown = [self._shown(self.batches[name]) for name in ids[start : start + self.page]]
        return Reply(body={"object": "list", "data": shown, "has_more": start + self.page < len(ids)})

    def _queued(self) -> int:
        open_ = [b for b in self.batches.values() if b["status"] == "in_progress"]
        return sum(len(self.files[batch["input_file_id"]].splitlines()) for batch in open_)

    def _create(self, body: dict[str, Any]) -> Reply:
        batch = {**body, "id": f"batch-{len(self.batches)}", "looks": 0, "status": "in_progress"}
        self.batches[batch["id"]] = batch
        if self._queued() > self.room:
            batch["status"] = "failed"
            error = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached for m"}
            batch["errors"] = {"object": "list", "data": [error]}
        return Reply(raw=b"", cut=0) if self.forget_reply else Reply(body=self._shown(batch))

    def _look(self, name: str) -> Reply:
        if name not in self.batches:
            return Reply(404, {"error": {"message": f"No batch found with id {name}"}})
        batch = self.batches[name]
        batch["looks"] += 1
        if self.refuse_create:
            batch["status"] = "failed"
            batch["errors"] = {"object": "list", "data": [{"code": "x", "message": "model not allowed"}]}
        elif batch["looks"] > self.polls and batch["status"] == "in_progress":
            self._finish(batch)
        return Reply(body=self._shown(batch))

    def _finish(self, batch: dict[str, Any]) -> None:
        done, failed, expired = [], [], False
        lines = self.files[batch["input_file_id"]].splitlines()
        for data in lines[: len(lines) // 2] if self.cancel else lines:
            line = json.loads(data)
            self.sent.append(line)
            reply = self.judge(line)
            if reply is None:
                expired = True
                failed.append(
                    {"custom_id": line["custom_id"], "error": {"code": "batch_expired", "message": "too late"}}
                )
            else:
                response = {"status_code": reply.status, "request_id": "r", "body": reply.body}
                (done if reply.status == 200 else failed).append({"custom_id": line["custom_id"], "response": response})
        batch["status"] = "cancelled" if self.cancel else "expired" if expired else "completed"
        for kind, entries in (("output_file_id", done), ("error_file_id", failed)):
            if entries:
                name = f"file-{len(self.files)}"
                self.files[name] = b"\n".join(json.dumps(entry).encode() for entry in entries)
                batch[kind] = name

    @staticmethod
    def _shown(batch: dict[str, Any]) -> dict[str, Any]:
        return {"object": "batch", "created_at": 1, **{k: v for k, v in batch.items() if k != "looks"}}
