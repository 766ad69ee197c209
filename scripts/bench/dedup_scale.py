#!/usr/bin/env python3
"""What cleaning costs as the corpus grows: CPU, bytes and memory of each stage, and what follows for 35M files.

    scripts/bench/dedup_scale.py [--sizes 10000 100000 1000000] [--stages ...] [--work FOLDER] [--json]

The corpus is real functions of the installed packages and the standard library; beyond their number, functions of
theirs with a third of the names replaced, each occurrence by itself (new documents, of which most still parse). 15% are
near copies of an earlier one. It is written to `--work` as JSON Lines once. Each stage reads it in a fresh process with
one thread, and what it measures is kept in `--work`, so that an interrupted run goes on.

cpu_seconds: of the stage alone, reading apart. peak_rss_mb: of the process over its start, compiled code warm.
mb_in, mb_out: text that went in, and what a stage hands on to the next machine: outcomes, or features to the index.
The cost model takes each stage's last measured rate per byte to 35M files of 4 kB (35B tokens: phi-1's raw corpus,
Gunasekar et al. 2023, 2.1), memory per document by the index's own formula.
"""

import argparse
import json
import keyword
import multiprocessing as mp
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]
from dedup_corpus import RATES, WORD, edited, functions, resident_mb  # noqa: E402

STAGES = ("sources", "quality", "near", "clones", "decontaminated")
COPIES = 0.15
FILES = 35_000_000
FILE_BYTES = 4_000
"""35B tokens in 35M files are 1,000 tokens a file; code is about 4 bytes a token."""


def varied(text: str, draw: random.Random) -> str:
    """`text` with a third of its names replaced, each occurrence by itself."""

    def other(match: Any) -> str:
        word: str = match.group()
        if keyword.iskeyword(word) or word[0].isdigit() or draw.random() > 0.35:
            return word
        return f"{word[:3]}{draw.randrange(10_000)}"

    return WORD.sub(other, text)


def texts(count: int) -> Iterator[str]:
    """`count` distinct texts, the same for the same packages."""
    draw = random.Random(0)
    base: list[str] = []
    seen: set[int] = set()
    real = functions()
    made = 0
    while made < count:
        if base and draw.random() < COPIES:
            text = edited(draw.choice(base), draw.choice(RATES), draw)
        else:
            text = next(real, "") or varied(draw.choice(base), draw)
        if hash(text) not in seen:
            seen.add(hash(text))
            made += 1
            if len(base) < 200_000:
                base.append(text)
            yield text


def written(folder: Path, count: int) -> Path:
    """The corpus in `folder`, whose first texts are a smaller corpus; written where there is none as large."""
    path = folder / "corpus.jsonl"
    done = folder / f"corpus-{count}"
    if not any(int(found.name.removeprefix("corpus-")) >= count for found in folder.glob("corpus-*")):
        with path.open("w", encoding="utf-8") as file:
            for text in texts(count):
                file.write(json.dumps(text) + "\n")
        done.touch()
    return path


def lines(path: Path, count: int) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        for _, line in zip(range(count), file, strict=False):
            yield json.loads(line)


class Timed:
    """Iterates over something and counts its CPU time, so that a stage's own can be told from its reading."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = items
        self.cpu_seconds = 0.0
        self.characters = 0

    def __iter__(self) -> Iterator[Any]:
        source = iter(self.items)
        while True:
            started = time.process_time()
            item = next(source, None)
            self.cpu_seconds += time.process_time() - started
            if item is None:
                return
            self.characters += len(getattr(item, "text", item))
            yield item


def stage_of(name: str) -> Callable[[Iterable[Any]], Iterable[Any]]:
    from pipeline.recipe import DecontaminatedTable, DistinctTable, QualityTable
    from pipeline.recipe_sources import SourcesTable

    if name == "sources":
        from pipeline.stages.raw_code.stage import examined

        table = SourcesTable(kind="stdlib")
        return lambda records: (examined(record.text, table) for record in records)
    if name == "quality":
        from pipeline.stages.quality.stage import Quality

        return Quality(QualityTable())
    if name == "decontaminated":
        from pipeline.benchmarks.problems import load
        from pipeline.stages.decontaminated.stage import Decontaminate

        return Decontaminate(DecontaminatedTable(), load("humaneval").problems)
    from pipeline.stages.distinct.stage import Distinct

    return Distinct(DistinctTable(clones=name == "clones"))


def _child(name: str, path: Path, count: int, sender: Any) -> None:
    from pipeline.core.records import Passage
    from pipeline.core.stage import Kept
    from pipeline.stages.distinct import index as indexes

    list(stage_of(name)([Passage(text=text) for text in lines(path, 300)]))
    start_rss = resident_mb(reset=True)
    sizes: list[int] = []
    make = indexes.Index.__init__

    def noted(self: Any, table: Any) -> None:
        make(self, table)
        made.append(self)

    made: list[Any] = []
    indexes.Index.__init__ = noted  # type: ignore[method-assign]
    source = Timed(Passage(text=text) for text in lines(path, count))
    kept = 0
    started, wall = time.process_time(), time.monotonic()
    for outcome in stage_of(name)(source):
        kept += isinstance(outcome, Kept)
    cpu = time.process_time() - started - source.cpu_seconds
    sizes = [index.nbytes for index in made[-1:]]
    sender.send(
        {
            "stage": name,
            "documents": count,
            "kept": kept,
            "cpu_seconds": round(cpu, 2),
            "wall_seconds": round(time.monotonic() - wall, 1),
            "mb_in": round(source.characters / 1e6, 1),
            "peak_rss_mb": round(resident_mb() - start_rss),
            "index_mb": round(sizes[0] / 1e6, 1) if sizes and name in ("near", "clones") else None,
        }
    )


def measured(name: str, path: Path, count: int, folder: Path) -> dict[str, Any]:
    """One stage at one size in a fresh process; what an earlier run measured is taken from its file."""
    kept = folder / f"{name}-{count}.json"
    if kept.exists():
        found: dict[str, Any] = json.loads(kept.read_text())
        return found
    context = mp.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(name, path, count, sender))
    process.start()
    sender.close()
    found = receiver.recv()
    process.join()
    kept.write_text(json.dumps(found))
    return found


def model(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """CPU hours per stage for `FILES` files, by the largest size measured, and memory of the node with the index."""
    stages: dict[str, Any] = {}
    total_mb = FILES * FILE_BYTES / 1e6
    for name in STAGES:
        rows = [row for row in figures if row["stage"] == name]
        if rows:
            row = max(rows, key=lambda row: row["documents"])
            stages[name] = {
                "cpu_hours": round(row["cpu_seconds"] / row["mb_in"] * total_mb / 3600, 1),
                "from_documents": row["documents"],
            }
    rows = [row for row in figures if row["index_mb"]]
    memory = None
    if rows:
        row = max(rows, key=lambda row: row["documents"])
        kept_mb = row["mb_in"] * row["kept"] / row["documents"]
        fixed = 700e-6 * row["kept"]  # MB that do not grow with a document's length: bands, digests, ids, forms
        memory = {
            "index_mb_per_million_documents": round(row["index_mb"] / row["kept"] * 1e6),
            "index_gb": round((700e-6 * FILES + max(0.0, row["index_mb"] - fixed) / kept_mb * total_mb) / 1e3),
        }
    return {"files": FILES, "text_gb": round(total_mb / 1e3), "stages": stages, "memory": memory}


def main() -> None:
    parser = argparse.ArgumentParser(description="What cleaning costs as the corpus grows.")
    parser.add_argument("--sizes", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--stages", nargs="*", default=list(STAGES), choices=STAGES)
    parser.add_argument("--work", type=Path, help="folder for the corpus and what was measured; by default a new one")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        path = written(folder, max(arguments.sizes))
        figures = []
        for size in sorted(arguments.sizes):
            for name in arguments.stages:
                figures.append(measured(name, path, size, folder))
                if not arguments.json:
                    print(json.dumps(figures[-1]), flush=True)
    report = {"figures": figures, "model": model(figures)}
    print(json.dumps(report, indent=1) if arguments.json else json.dumps(report["model"], indent=1))


if __name__ == "__main__":
    main()
