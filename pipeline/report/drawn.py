"""Which records of a stage are shown or measured where not all can be: those with the smallest ids."""

import heapq
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from pipeline.run.reading import RunView


def smallest_ids(
    run: RunView,
    stage: str,
    count: int,
    prefix: str = "part",
    columns: Sequence[str] | None = None,
    *,
    by: str = "",
    among: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """The rows of a finished stage with the `count` smallest ids (of each value of column `by`), in the order of ids.

    Ids are hashes, so this is a random draw that neither the order of the rows nor the machine can change. columns: as
    of `RunView.table`; among: the ids that may be drawn, None for all. Of rows that are not drawn only ids are read.
    """
    drawn: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
    for number, file in enumerate(run.files(stage, prefix)):
        found: dict[str, list[tuple[str, int, int]]] = defaultdict(list)
        for place, row in enumerate(file.read(["id", *([by] if by else [])]).to_pylist()):
            if among is None or row["id"] in among:
                found[row[by] if by else ""].append((row["id"], number, place))
        for group, places in found.items():
            drawn[group] = heapq.nsmallest(count, drawn[group] + places)
    chosen = sorted((number, place) for group in drawn.values() for _, number, place in group)
    rows: list[dict[str, Any]] = []
    for number, file in enumerate(run.files(stage, prefix)):
        here = [place for of, place in chosen if of == number]
        if here:
            rows += file.take(here, file.having(columns)).to_pylist()
    return sorted(rows, key=lambda row: str(row["id"]))
