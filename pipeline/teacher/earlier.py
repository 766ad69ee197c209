"""Which journals of other artifacts may serve a conversation: all, or those of its generation and later ones.

A stage that a run was told to make again (`run --fresh`) has a generation, the time of that wish.
"""

import json
from pathlib import Path

from pipeline.teacher.lines import shards

GENERATION = "generation"
"""File in a folder of work in progress with the generation of its answers (`run --fresh`)."""


def earlier_journals(partial: Path, generation: str) -> tuple[Path, ...]:
    """Folders beside `partial` whose answers may serve, oldest first, so that the newest answer to a question wins.

    generation: of the answers that are wanted, "" for any. With one, only folders in which every answer was asked for
    later serve: those of the same generation or a later one.
    """
    found = []
    for folder in partial.parent.iterdir():
        if not folder.is_dir() or folder == partial or generation_of(folder) < generation:
            continue
        times = [path.stat().st_mtime for path in shards(folder)]
        if times:
            found.append((max(times), folder))
    return tuple(folder for _, folder in sorted(found))


def generation_of(folder: Path) -> str:
    """The generation of an artifact or of work in progress; "" for that of a stage that was never made again."""
    try:
        return (folder / GENERATION).read_text(encoding="utf-8").strip()
    except OSError:
        pass
    try:
        return str(json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["settings"][GENERATION])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
