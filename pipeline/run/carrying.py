"""What a round of `[want]` takes over from the one before it: the journals of its answers, and what they cost.

The answers are the run's own, so the journal of the last round holds them all: it is what a replay teacher answers from
and what the report counts, and a budget counts each answer once.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.money import Ledger
from pipeline.core.plan import Plan
from pipeline.run.journalled import ASKING
from pipeline.run.record import RunRecord
from pipeline.stages.making import Making
from pipeline.teacher.lines import shards


def charge(rounds: Sequence[Plan], record: RunRecord, ledger: Ledger) -> None:
    """Count what this run paid for the round before, in an earlier call."""
    for stage in rounds[-1].stages if rounds else ():
        ledger.charge(*record.paid.get(stage.key, (0, 0, 0.0)))


def carry(making: Making, rounds: Sequence[Plan], record: RunRecord) -> None:
    """Before a stage of a round is made or found: put the answers that this run paid for in the round before into its
    work in progress, where they count as paid by this stage."""
    name, store = making.stage.name, making.places.store
    if not rounds or name not in ASKING or name not in rounds[-1]:
        return
    before = rounds[-1][name]
    manifest = store.manifest(name, before.key)
    if before.key == making.stage.key or manifest is None or manifest.run != making.run:
        return
    found = store.manifest(name, making.stage.key)
    if found is not None and found.run != making.run:
        return
    prompt, completion, usd = record.paid.get(before.key, (0, 0, 0.0))
    making.ledger.charge(-prompt, -completion, -usd)
    if found is None:
        _link(shards(store.local(name, before.key, making.places.models)), making.conversation())


def _link(journals: Sequence[Path], folder: Path) -> None:
    """The journals in `folder`, under numbers, and beside them the one that is written to, which comes last in the
    order of names; where it is there, all was done before."""
    if (folder / "journal.jsonl").exists():
        return
    for number, path in enumerate(journals):
        target = folder / f"journal-{number:05}.jsonl"
        target.unlink(missing_ok=True)
        try:
            os.link(path, target)
        except OSError:
            shutil.copyfile(path, target)
    (folder / "journal.jsonl").touch()
