"""Which records a person wants out of the corpus: those that a file of labels calls bad.

The file is what `hornbook view` writes and hands out, JSON Lines of id, label ("good", "bad" or "") and note; other
keys are not looked at. Where an id comes twice its last line counts.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.core.identity import ID_LENGTH, is_id
from pipeline.store import jsonl

LABELS = ("good", "bad", "")
MOST_SHOWN = 200
"""Characters of a note in a drop's detail."""


def excluded(file: str) -> dict[str, str]:
    """The ids that a file of labels calls bad, each with the detail of its drop; empty for "".

    Raises InputError that names the line of what is no label.
    """
    found: dict[str, str] = {}
    for number, row in jsonl.objects(Path(file)) if file else ():
        place = f"{file} line {number}"
        label = _text(row, "label", place)
        if label not in LABELS:
            raise InputError(f"{place}: label = {label!r:.60}", hint='use "good", "bad" or ""')
        record_id = _text(row, "id", place)
        if not is_id(record_id):
            raise InputError(f"{place}: {record_id!r:.60} is no record's id", hint=f"an id has {ID_LENGTH} hex digits")
        note = " ".join(_text(row, "note", place).split())[:MOST_SHOWN]
        found.pop(record_id, None)
        if label == "bad":
            found[record_id] = f"labelled bad in {Path(file).name}" + (f": {note}" if note else "")
    return found


def _text(row: Mapping[str, Any], key: str, place: str) -> str:
    value = row.get(key, "")
    if not isinstance(value, str):
        raise InputError(
            f"{place}: {key!r} should be text, got {value!r:.60}", hint="labels are as `hornbook view` writes them"
        )
    return value


def unmet(file: str, wanted: int, dropped: int) -> str:
    """What to tell of ids labelled bad that no record here has, "" where there is none."""
    if wanted <= dropped:
        return ""
    return (
        f"quality.exclude: {wanted - dropped:,} of {wanted:,} ids labelled bad in {Path(file).name} are of no document "
        "that comes to this stage: they are another run's, dropped before it, or of a record that is no document"
    )
