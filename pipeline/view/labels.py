"""What a person thinks of records: good, bad or a note, beside the run in one file of JSON Lines.

The file is `labels.jsonl` in the run's folder, an object a record: id, label ("good", "bad" or ""), note, stage, time.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.identity import ID_LENGTH, is_id, storable
from pipeline.run.record import now
from pipeline.stages.quality.exclusion import LABELS
from pipeline.store import jsonl
from pipeline.store.locks import exclusive

FILE = "labels.jsonl"
MOST_NOTE = 10_000
"""Characters of a note."""


def read(folder: Path) -> dict[str, dict[str, Any]]:
    """The labels of a run by record id; empty where there are none."""
    return {str(row["id"]): row for row in jsonl.rows(folder / FILE) if "id" in row}


def put(folder: Path, record_id: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """Label a record, in place of what was said of it before; returns the line written, None where it says nothing.

    given: label, note and stage. The file is written whole or not at all; two windows at once lose no label.
    Raises UsageError for what is no label.
    """
    label, note, stage = (given.get(name) or "" for name in ("label", "note", "stage"))
    if label not in LABELS:
        raise UsageError(f"label = {label!r:.60}", hint='use "good", "bad" or ""')
    if not all(isinstance(one, str) for one in (note, stage)) or len(note) > MOST_NOTE or len(stage) > MOST_NOTE:
        raise UsageError(f"note and stage are texts of at most {MOST_NOTE:,} characters")
    if not is_id(record_id):
        raise UsageError(f"{record_id!r:.60} is no record's id", hint=f"an id has {ID_LENGTH} hex digits")
    with exclusive(folder / f"{FILE}.lock"):
        found = read(folder)
        found.pop(record_id, None)
        if label or note:
            found[record_id] = {
                "id": record_id, "label": label, "note": storable(note), "stage": storable(stage), "time": now()
            }  # fmt: skip
        jsonl.write(folder / FILE, found.values())
    return found.get(record_id)
