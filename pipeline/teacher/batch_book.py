"""What a batch lane has written down beside the journal, so that the next process finds what this one has sent.

`batches.jsonl` has one line for each step of a batch: "sending" before its file is uploaded, "sent" with its id once it
was created, "done" once its answers are in the journal. The requests of a batch are in a file of its name until then.
"""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import TeacherError
from pipeline.core.identity import storable
from pipeline.teacher.redaction import redact


def note(folder: Path, event: dict[str, str]) -> None:
    """Write down a step of a batch, synced. Raises DiskFull or StoreError."""
    write_synced(folder / "batches.jsonl", json.dumps(event).encode() + b"\n", append=True)


def unfinished(folder: Path, url: str) -> list[dict[str, str]]:
    """The last step of each batch at `url` that is not done."""
    states: dict[str, dict[str, str]] = {}
    for event in _events(folder / "batches.jsonl"):
        if event.get("url") == url:
            states[event["name"]] = event
    return [event for event in states.values() if event["state"] != "done"]


def custom_ids(path: Path) -> Iterator[str]:
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)["custom_id"]


def with_field(name: str, reply: Any, base_url: str) -> Any:
    """`reply` of the Batch API, which has this field. Raises TeacherError where it is another thing altogether."""
    kind = {"data": list, "content": bytes}.get(name, str)
    if isinstance(getattr(reply, name, None), kind):
        return reply
    raise TeacherError(
        f"the Batch API at {base_url} sent no {name!r}, but {_shown(reply)}",
        hint='base_url should be that of an API with /files and /batches; mode = "online" needs neither',
    )


def _shown(reply: object) -> str:
    """What came, on one line of at most 200 characters, without keys."""
    text = redact(" ".join(storable(str(reply)).split()))
    return text if len(text) <= 200 else text[:200] + "..."


def _events(path: Path) -> Iterator[dict[str, str]]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "name" in event and "state" in event:
                yield event


def write_synced(path: Path, data: bytes, *, append: bool = False) -> None:
    """Write and sync. Raises a HornbookError for a full disk or whatever else keeps it from being written."""
    from pipeline.teacher.journal import store_error

    try:
        with path.open("ab" if append else "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise store_error(error, path.parent) from error
