"""The Batch API at one endpoint: calls that are tried again, and batches that are found again.

`batches.jsonl` beside the journal says what was sent (`batch_book`), so that the batches of a process that died are
found, even one that was created a moment before it could be written down: each carries the name of its file.
"""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import tenacity

from pipeline.core.errors import TeacherError
from pipeline.core.identity import digest
from pipeline.store.disk import disk_errors, write_atomically
from pipeline.teacher.address import without_query
from pipeline.teacher.batch_book import custom_ids, note, unfinished, with_field
from pipeline.teacher.endpoint import Service
from pipeline.teacher.redaction import redact
from pipeline.teacher.wire import json_lines

CLOCKS_APART = 86_400.0
"""Seconds by which the endpoint's clock may differ from ours where lost batches are looked for."""


class Batch(NamedTuple):
    """A batch at the endpoint. name: of its file, in the journal's folder and in its metadata."""

    id: str
    name: str


class Batches:
    """The batches of a teacher at its first endpoint. All calls but `done` raise openai's errors, once they last."""

    def __init__(self, service: Service, folder: Path) -> None:
        """folder: the journal's."""
        endpoint = service.endpoints[0]
        base_url, query = without_query(endpoint.base_url)
        self._url = endpoint.base_url
        self._folder = folder
        self._path = "/v1/chat/completions" if service.sampling.api == "chat" else "/v1/completions"
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            default_query=query,
            api_key=endpoint.key.reveal() if endpoint.key else "none",
            default_headers=dict(service.headers),
            timeout=service.execution.timeout_seconds,
            max_retries=0,
        )

    def line(self, custom_id: str, body: bytes) -> bytes:
        """One request in a batch's file."""
        head = json.dumps({"custom_id": custom_id, "method": "POST", "url": self._path}).encode()
        return head[:-1] + b', "body": ' + body + b"}\n"

    async def send(self, custom_ids: list[str], data: bytes) -> Batch:
        """Create a batch of the requests in `data`."""
        name = f"batch-{digest(custom_ids)[:16]}-{os.urandom(4).hex()}.jsonl"
        with disk_errors(self._folder):
            await asyncio.to_thread(write_atomically, self._folder / name, data)
        self._note({"name": name, "state": "sending", "at": f"{time.time():.0f}"})
        uploaded = await self._call("id", self._client.files.create, file=(name, data), purpose="batch")
        created = await self._call(
            "id",
            self._client.batches.create,
            input_file_id=uploaded.id,
            endpoint=self._path,
            completion_window="24h",
            metadata={"hornbook": name},
        )
        self._note({"name": name, "state": "sent", "id": created.id})
        return Batch(created.id, name)

    async def state(self, batch: Batch) -> Any:
        """What the endpoint says of a batch."""
        return await self._call("status", self._client.batches.retrieve, batch.id)

    async def answers(self, file: str) -> Iterator[dict[str, Any]]:
        """The lines of an output or error file."""
        content = await self._call("content", self._client.files.content, file)
        return json_lines(content.content)

    def asked(self, batch: Batch) -> set[str]:
        """The requests in a batch that was sent from here."""
        return set(custom_ids(self._folder / batch.name))

    def done(self, batch: Batch) -> None:
        """All answers of the batch that are wanted are in the journal."""
        self._note({"name": batch.name, "state": "done", "id": batch.id})
        with contextlib.suppress(OSError):
            (self._folder / batch.name).unlink()

    async def unfinished(self) -> list[Batch]:
        """Batches of an earlier process at this endpoint that are not done."""
        open_ = unfinished(self._folder, self._url)
        lost = {event["name"] for event in open_ if event["state"] == "sending"}
        found = [Batch(event["id"], event["name"]) for event in open_ if event["state"] == "sent"]
        if lost:
            since = min(float(event.get("at", 0)) for event in open_ if event["name"] in lost) - CLOCKS_APART
            found += await self._search(lost, since)
        return [batch for batch in found if (self._folder / batch.name).exists()]

    async def close(self) -> None:
        """Close its connections."""
        await self._client.close()

    async def _call(self, wanted: str, function: Any, *arguments: Any, **named: Any) -> Any:
        """A call of the API, tried again for ten minutes while the endpoint does not work or is busy.

        wanted: the field that its reply must have, or it is none. Raises TeacherError where it has not.
        """
        passing = (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError)
        async for attempt in tenacity.AsyncRetrying(
            stop=tenacity.stop_after_delay(600),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=60),
            retry=tenacity.retry_if_exception_type(passing),
            reraise=True,
        ):
            with attempt:
                return with_field(wanted, await function(*arguments, **named), self._url)
        raise AssertionError("unreachable: reraise=True")

    def _note(self, event: dict[str, str]) -> None:
        note(self._folder, {"url": self._url, **event})

    async def _search(self, lost: set[str], since: float) -> list[Batch]:
        """Those of the lost batches that the endpoint has, newest first; the others were never created."""
        found: list[Batch] = []
        after: dict[str, str] = {}
        while lost:
            try:
                page = await self._call("data", self._client.batches.list, limit=100, **after)
            except (openai.OpenAIError, json.JSONDecodeError) as error:
                raise TeacherError(f"the Batch API at {self._url} failed: {redact(str(error))}") from error
            for listed in page.data:
                metadata, id_ = getattr(listed, "metadata", None), getattr(listed, "id", None)
                name = metadata.get("hornbook") if isinstance(metadata, dict) else None
                if name in lost and isinstance(id_, str):
                    lost.discard(name)
                    found.append(Batch(id_, name))
                    self._note({"name": name, "state": "sent", "id": id_})
            last = page.data[-1] if page.data and getattr(page, "has_more", False) else None
            made, before = getattr(last, "created_at", None), after.get("after")
            after = {"after": str(getattr(last, "id", None))}
            if not isinstance(made, int | float) or made < since or after["after"] == before:
                break
        for name in lost:
            self.done(Batch("", name))
        return found
