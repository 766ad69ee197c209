"""What taking in real code costs: download, files, CPU hours of cleaning. No network: sizes are known or not."""

from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.contents import size_text
from pipeline.recipe_sources import SourcesTable
from pipeline.run.space import PACKED

HOURS_PER_GB = 20.5 / 140
"""CPU hours in which 1e9 bytes of code are examined, compared, measured and held against a benchmark: the sum of the
table on the page of `hornbook clean` for 140 GB (clones too), without a classifier of educational value."""


class _Set(NamedTuple):
    """A dataset on the hub. bytes: of its texts. source: of both figures."""

    files: int
    bytes: int
    source: str


KNOWN = {
    ("bigcode/the-stack-dedup", "data/python"): _Set(
        12_962_249, 64_300_000_000, "Li et al. 2023 (StarCoder), table 1; second-hand"
    )
}
"""By name and `data_dir`. A download is taken to be packed as well as ours (`PACKED`)."""


def raw_code(table: SourcesTable) -> dict[str, Any] | None:
    """What the source takes, at most; None where the recipe has none.

    bytes: of texts, those of local files as they lie there, cut to `limit` files; null where it is not known, and then
    so are cpu_hours. download_bytes: 0 for what is here.
    """
    if table.kind in ("none", "stdlib"):
        return None
    files, size, source, download = _size(table)
    if files and size and table.limit < files and table.limit:
        files, size = table.limit, size * table.limit // files
    return {
        "files": files,
        "bytes": size,
        "download_bytes": None if size is None else round(size * PACKED) if download else 0,
        "cpu_hours": None if size is None else round(size / 1e9 * HOURS_PER_GB, 4),
        "source": source,
    }


def _size(table: SourcesTable) -> tuple[int | None, int | None, str, bool]:
    """Files and bytes, where both are known from, and whether they are elsewhere."""
    if Path(table.path).expanduser().exists():
        place = table.place
        found = [place] if place.is_file() else [path for path in place.rglob("*") if path.is_file()]
        return len(found), sum(path.stat().st_size for path in found), str(place), False
    known = KNOWN.get((table.path, table.data_dir.strip("/")))
    return (known.files, known.bytes, known.source, True) if known else (None, None, "", True)


def line(found: dict[str, Any]) -> str:
    """`raw_code` for a person."""
    if found["bytes"] is None:
        return "  raw code: how large the dataset is is not known; its page on the hub says so, and limit caps it"
    return (
        f"  raw code: {found['files']:,} files, {size_text(found['bytes'])}, {size_text(found['download_bytes'])} to "
        f"download, streamed, {found['cpu_hours']:,.3g} CPU hours of cleaning ({found['source']})"
    )
