"""`hornbook clean`: the cleaning stages alone, on anybody's data.

The inputs are read twice: once to decide, once to write. Between the stages the texts wait in memory, and on disk where
they are many; what grows with the corpus is the index of `distinct` and about 300 bytes a distinct text. Order of the
stages: quality, decontaminated, distinct. `distinct` comes last here, unlike in a run, so that `kept_id` of a duplicate
names a document that is there.

::

    OUT/kept/part-00000.parquet       id, text (unchanged), origin, the input's other columns
    OUT/dropped/part-00000.parquet    the same, and reason, detail, kept_id, similarity
    OUT/splits.json                   which problems have a similar document among those kept; only with benchmarks
    OUT/README.md                     tells `datasets.load_dataset` which are which
    OUT/clean.json                    the summary and the settings, written last

With an index (`index`, a folder) the documents that earlier calls kept are compared with too, and what this call keeps
is added to them, after the results are in place. A crash between the two leaves results that the next call replaces,
and the index as it was; results whose documents are in the index are never replaced.
"""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.clean import output
from pipeline.core.errors import InputError, StoreBusy, UsageError
from pipeline.core.events import OnEvent, silent
from pipeline.core.records import Document, Passage, Problem
from pipeline.core.stage import Kept, Tally, checked
from pipeline.recipe import DecontaminatedTable, DistinctTable, QualityTable
from pipeline.stages.quality.exclusion import excluded, unmet
from pipeline.store import configs
from pipeline.store.locks import exclusive
from pipeline.store.spool import Spool
from pipeline.work.protocol import SERIAL, Executor, spread

if TYPE_CHECKING:
    from pipeline.files.rows import Row, Rows
    from pipeline.stages.decontaminated.split import Near
    from pipeline.stages.decontaminated.stage import Embed
    from pipeline.stages.distinct.index import Index

TABLES = ("quality", "decontaminated", "distinct")
"""Recipe tables whose settings count here."""


def is_setting(argument: str) -> bool:
    """Whether an argument of the command line is `table.key=value`, and not the name of a file that is there."""
    table, dot, rest = argument.partition(".")
    return table in (*TABLES, "execution") and bool(dot) and "=" in rest and not Path(argument).exists()


@dataclass(frozen=True, slots=True)
class CleanSummary:
    """What came of it. entered = kept + sum of dropped, in rows; out: the folder, "" where nothing was written."""

    entered: int
    kept: int
    dropped: dict[str, int]
    out: str

    def to_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        return {"in": self.entered, "kept": self.kept, "dropped": self.dropped, "out": self.out}

    def to_text(self) -> str:
        """The same for a person."""
        lines = [f"{self.entered:>9,} rows", f"{self.kept:>9,} kept"]
        lines += [f"{count:>9,} dropped: {reason}" for reason, count in self.dropped.items()]
        return "\n".join([*lines, f"written to {self.out}" if self.out else "nothing written"])


@dataclass(frozen=True, slots=True)
class _Verdict:
    reason: str = ""
    detail: str = ""
    kept_id: str = ""
    similarity: float | None = None


_KEPT = _Verdict()


Verdicts = Mapping[str, _Verdict]
"""The verdict on each distinct text, by record id."""


def clean(
    inputs: Sequence[Path],
    out: Path | None,
    *,
    field: str = "",
    benchmarks: Sequence[str] = (),
    problems: Sequence[Problem] = (),
    report_only: bool = False,
    on_event: OnEvent = silent,
    distinct: DistinctTable | None = None,
    quality: QualityTable | None = None,
    decontaminated: DecontaminatedTable | None = None,
    index: Path | None = None,
    embed: "Embed | None" = None,
    executor: Executor = SERIAL,
) -> CleanSummary:
    """Clean the rows of `inputs` into the folder `out`, None where nothing is written.

    inputs: JSON Lines, JSON, Parquet (also compressed), .py files, saved HF datasets, folders of these. field: name of
    the text field, "" for `text`, else `content`. benchmarks: names or files to decontaminate against; problems: the
    same, loaded already. report_only: decide and count, write nothing. Tables: settings of the stages; None for
    their defaults. index: folder of documents kept by earlier calls, made by the first. embed: as `Decontaminate` takes
    it. executor: where the work is done, which changes nothing in the result.

    Rows without a usable text are dropped as "unreadable". `out` and `index` may lie in an input folder: they are not
    read. Results of an earlier clean in `out` are replaced, once the new ones are complete; a folder that holds
    anything else is refused. Raises UsageError (InputError where an input is not there, is not what its name says, or
    changes while it is read), and DiskFull, before anything in `out` is touched.
    """
    from pipeline.files.rows import Rows
    from pipeline.stages.decontaminated.stage import Decontaminate
    from pipeline.stages.distinct.stage import Distinct
    from pipeline.stages.quality.stage import Quality

    _check_places(inputs, out, report_only)
    distinct, quality = distinct or DistinctTable(), quality or QualityTable()
    decontaminated = decontaminated or DecontaminatedTable()
    _check_quality(quality)
    rows = Rows(inputs, field, [folder for folder in (out, index) if folder is not None])
    for note in rows.notes:
        on_event({"event": "note", "text": note})
    problems = [*problems, *_problems(benchmarks)]
    opened = _Kept.open(index, distinct, out) if index is not None else contextlib.nullcontext()
    with output.disk(out), contextlib.ExitStack() as open_ones:
        folder = None if out is None or report_only else open_ones.enter_context(output.partial(out))
        kept_before = open_ones.enter_context(opened)
        stages: list[Any] = [Quality(quality, excluded=excluded(quality.exclude))]
        near: Spool[Near] = Spool()
        if problems:
            stages.append(Decontaminate(decontaminated, problems, embed, executor, near.append))
        stages.append(Distinct(distinct, executor, kept_before.index if kept_before is not None else None))
        verdicts = _decided(rows, stages, executor, on_event)
        if out is None or folder is None:
            counts = Counter(_verdicts(rows, verdicts, lambda row, verdict: verdict.reason))
            return _summary(counts, "")
        started = time.monotonic()
        summary = _written(rows, verdicts, folder, out, on_event)
        settings = {"distinct": distinct, "quality": quality, "decontaminated": decontaminated}
        about = summary.to_json() | {
            "inputs": [str(path) for path in inputs],
            "benchmarks": list(benchmarks),
            "settings": {name: table.model_dump(mode="json") for name, table in settings.items()},
            "index": kept_before.about() if kept_before is not None else None,
        }
        if problems:
            survivors = (one for one in near if verdicts[one.document_id] is _KEPT)
            _write_splits(folder / "splits.json", problems, survivors)
        (folder / "clean.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        output.replace(folder, out)
        if kept_before is not None:
            kept_before.save()
        on_event(_finished("written", summary.kept, summary.dropped, started))
        return summary


def _check_places(inputs: Sequence[Path], out: Path | None, report_only: bool) -> None:
    if not inputs:
        raise UsageError("no input is named", hint="name files or folders of documents")
    if out is None and not report_only:
        raise UsageError("no output folder is named", hint="name one with --to, or count alone with --report-only")
    if out is not None and not report_only:
        output.check(out, inputs)


def _written(rows: "Rows", verdicts: "Verdicts", folder: Path, out: Path, on_event: OnEvent) -> CleanSummary:
    """Write the rows into `folder`, which is to become `out`."""
    from pipeline.clean.writing import Writer

    if out.is_dir() and any(out.iterdir()):
        on_event({"event": "note", "text": f"replacing the results of an earlier clean in {out}"})
    on_event({"event": "stage-started", "stage": "written"})
    with Writer(folder) as writer:
        counts = Counter(_verdicts(rows, verdicts, writer.write))
    summary = _summary(counts, str(out))
    dropped = "dropped/*.parquet" if summary.dropped else None
    said = configs.readme("kept/*.parquet", dropped, "Rows that `hornbook clean` kept and dropped.")
    (folder / configs.README).write_text(said, encoding="utf-8")
    return summary


def _check_quality(quality: QualityTable) -> None:
    if quality.classifier:
        raise UsageError(
            "quality.classifier needs a judge, which `clean` does not have", hint="use a recipe and `hornbook run`"
        )
    masking = [name for name in ("secrets", "personal_data") if getattr(quality, name) == "mask"]
    if masking:
        raise UsageError(
            f"quality.{masking[0]} = 'mask' changes texts, and `clean` leaves them as they are",
            hint=f"set quality.{masking[0]} to 'drop' or 'off', or use a recipe and `hornbook run`",
        )


def _problems(names: Sequence[str]) -> list[Problem]:
    if not names:
        return []
    from pipeline.benchmarks.problems import load

    return [problem for name in names for problem in load(name).problems]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The documents that earlier calls kept. generation: of the index on disk, 0 for none; before: their number."""

    folder: Path
    index: "Index"
    generation: int
    before: int

    @classmethod
    @contextlib.contextmanager
    def open(cls, folder: Path, table: DistinctTable, out: Path | None) -> "Iterator[_Kept]":
        """The index in `folder`, or a new one, locked. Raises UsageError where `out` holds results that are in it."""
        output.check_folder(folder, "name a folder", "the index ")
        cls._check_new(folder)
        folder.mkdir(parents=True, exist_ok=True)
        busy = StoreBusy(f"another batch is being compared with the index {folder}", hint="wait until it is done")
        with exclusive(folder / ".lock", busy=busy):
            yield cls._read(folder, table, out)

    @staticmethod
    def _check_new(folder: Path) -> None:
        """Raises UsageError where `folder` holds no index and something else."""
        if not folder.is_dir() or (folder / "index.json").is_file():
            return
        if any(not path.name.isdigit() and path.name[0] != "." for path in folder.iterdir()):
            raise UsageError(f"{folder} is not empty and holds no index", hint="name another folder for --index")

    @classmethod
    def _read(cls, folder: Path, table: DistinctTable, out: Path | None) -> "_Kept":
        from pipeline.stages.distinct.index import Index, described

        if not (folder / "index.json").is_file():
            cls._check_new(folder)
            return cls(folder, Index(table), 0, 0)
        generation = described(folder)["generation"]
        then = output.earlier(out).get("index") if out is not None else None
        then = then if isinstance(then, dict) else {}
        if then.get("folder") == str(folder.resolve()) and then.get("generation") != generation:
            raise UsageError(
                f"{out} holds the results of an earlier batch, whose documents are in the index {folder}",
                hint="name another output folder for this batch",
            )
        index = Index.load(folder, table)
        return cls(folder, index, generation, len(index))

    def about(self) -> dict[str, Any]:
        """What clean.json says of it: generation and documents before this call, and documents after it."""
        return {
            "folder": str(self.folder.resolve()),
            "generation": self.generation,
            "documents_before": self.before,
            "documents": len(self.index),
        }

    def save(self) -> None:
        if len(self.index) > self.before or not self.generation:
            self.index.save(self.folder)


def _write_splits(path: Path, problems: Sequence[Problem], near: "Iterable[Near]") -> None:
    """For each benchmark and tau the problems that have a similar document among those kept, and the others."""
    from pipeline.stages.decontaminated.split import gathered

    benchmarks: dict[str, list[Problem]] = {}
    for problem in problems:
        benchmarks.setdefault(problem.benchmark, []).append(problem)
    found = gathered(benchmarks, near)
    path.write_text(
        json.dumps({name: split.to_json() for name, split in found.items()}, indent=1) + "\n", encoding="utf-8"
    )


def _decided(rows: "Rows", stages: Sequence[Any], executor: Executor, tell: OnEvent) -> Verdicts:
    """Run the stages one after the other over the distinct texts of `rows`."""
    verdicts: dict[str, _Verdict] = {}
    records: Iterable[Document] = _distinct_texts(rows)
    for stage in stages:
        started = time.monotonic()
        tell({"event": "stage-started", "stage": stage.name})
        tally = Tally()
        kept: Spool[Document] = Spool()
        run = partial(_spread, executor) if stage.name == "quality" else None
        for outcome in checked(stage, records, tally, run):
            if isinstance(outcome, Kept):
                kept.append(outcome.record)
            else:
                verdict = _Verdict(outcome.reason, outcome.detail, outcome.kept_id, outcome.similarity)
                verdicts[outcome.record.id] = verdict
            if (tally.kept + tally.dropped.total()) % 10_000 == 0:
                tell({"event": "progress", "stage": stage.name, "documents": tally.entered})
        tell(_finished(stage.name, tally.kept, dict(tally.dropped), started))
        if stage.name == "quality" and (
            told := unmet(stage.table.exclude, len(stage.excluded), tally.dropped["excluded"])
        ):
            tell({"event": "note", "text": told})
        records = kept
    verdicts.update((document.id, _KEPT) for document in records)
    return verdicts


def _spread(executor: Executor, stage: Any, records: Iterable[Any]) -> Iterator[Any]:
    return spread(stage, records, executor)


def _distinct_texts(rows: "Rows") -> Iterator[Document]:
    seen: set[str] = set()
    for row in rows:
        if not row.problem and row.text is not None:
            passage = Passage(text=row.text)
            if passage.id not in seen:
                seen.add(passage.id)
                yield passage


Ruled = TypeVar("Ruled")


def _verdicts(rows: "Rows", verdicts: Verdicts, use: "Callable[[Row, _Verdict], Ruled]") -> Iterator[Ruled]:
    """`use` of each row and its verdict, in the order of the input.

    Of the rows with one text the first has the text's verdict. The others are exact duplicates of it where it is
    kept, and share its verdict where it is not.
    """
    seen: set[str] = set()
    for row in rows:
        if row.problem or row.text is None:
            yield use(row, _Verdict("unreadable", row.problem))
            continue
        record_id = Passage(text=row.text).id
        verdict = verdicts.get(record_id)
        if verdict is None:
            raise InputError(
                f"{row.origin} changed while it was read", hint="run again when nothing writes to the inputs"
            )
        if record_id in seen and not verdict.reason:
            verdict = _Verdict("exact-duplicate", "equal text: 1.00 = 1.00", record_id, 1.0)
        seen.add(record_id)
        yield use(row, verdict)


def _summary(counts: Mapping[str, int], out: str) -> CleanSummary:
    dropped = {reason: n for reason, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if reason}
    return CleanSummary(sum(counts.values()), counts.get("", 0), dropped, out)


def _finished(stage: str, kept: int, dropped: Mapping[str, int], started: float) -> dict[str, Any]:
    seconds = round(time.monotonic() - started, 3)
    return {"event": "stage-finished", "stage": stage, "kept": kept, "dropped": dict(dropped), "seconds": seconds}
