"""What a batch lane has written down beside the journal, so that the next process finds what this one has sent.

`batches.jsonl` has one line for each step of a batch: "sending" before its file is uploaded, "sent" with its id once it
was created, "done" once its answers are in the journal. The requests of a batch are in a file of its name until then.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.core.errors import TeacherError
from pipeline.core.identity import storable
from pipeline.store import jsonl
from pipeline.store.disk import disk_errors
from pipeline.teacher.redaction import redact


def note(folder: Path, event: dict[str, str]) -> None:
    """Write down a step of a batch, synced. Raises DiskFull or StoreError."""
    with disk_errors(folder):
        jsonl.append(folder / "batches.jsonl", event, synced=True)


def unfinished(folder: Path, url: str) -> list[dict[str, str]]:
    """The last step of each batch at `url` that is not done."""
    states: dict[str, dict[str, str]] = {}
    for event in jsonl.rows(folder / "batches.jsonl"):
        if event.get("url") == url and "name" in event and "state" in event:
            states[event["name"]] = event
    return [event for event in states.values() if event["state"] != "done"]


def custom_ids(path: Path) -> Iterator[str]:
    for _, row in jsonl.objects(path):
        yield row["custom_id"]


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
