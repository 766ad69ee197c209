"""A stage's records as tables for others: every row has its text, and where it came from stands beside it.

A record names its parents by id alone, and a reader of a data set has no store to look them up in. So a document gets
the columns `model`, `teacher_kind`, `prompt_id`, `seed_id`, `template`, `template_digest` and `asked` (the messages
that the teacher was sent); they are null for what no teacher wrote.
"""

import functools
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline import walk
from pipeline.core.errors import InputError, UsageError
from pipeline.core.identity import rng_seed
from pipeline.core.stage import Dropped
from pipeline.report.corpus import text_of
from pipeline.run.reading import RunView, StageView
from pipeline.store.parquet import BATCH

STUDENT, NONE, PROBLEMS = "student", "none", "held-out"
TRAIN, HELD_OUT, TEST = "train", "validation", "test"

_OF_COMPLETION = {"prompt_id": "prompt_id", "model": "model", "teacher_kind": "teacher_kind", "seed_id": "seed.id"}
_OF_PROMPT = {"template": "template", "template_digest": "template_digest", "asked": "messages"}
_WHY = tuple(name for name in Dropped.__dataclass_fields__ if name != "record")


def made_stage(run: RunView, name: str = "") -> StageView:
    """The stage called `name`, "" for the last one with documents. Raises InputError that lists those with records, or
    names one that is in the store no more."""
    made = [one for one in run.stages if one.manifest is not None and walk.named(one.name).kept]
    for one in run.stages:
        if one.name == name or (not name and one.name in walk.documents()):
            run.made(one.name)
    wanted = [one for one in made if one.name == name or (not name and one.name in walk.documents())]
    if not wanted:
        there = ", ".join(one.name for one in made) or "none yet"
        what = f"records of a stage {name!r}" if name else "documents yet"
        raise InputError(f"the run {run.name} has no {what}", hint=f"stages with records: {there}")
    return wanted[-1]


def has_documents(run: RunView) -> bool:
    """Whether a stage with documents is made, or was."""
    return any((one.manifest or one.state == "removed") and one.name in walk.documents() for one in run.stages)


def tables(run: RunView, stage: StageView, prefix: str) -> Iterator[pa.Table]:
    """The rows of the stage's PREFIX-*.parquet files, a table a file, all of one schema: id, type, text, the rest."""
    files = [file.schema for file in run.files(stage.name, f"{prefix}-")]
    if not files:
        return
    names = pa.unify_schemas(files)
    origins = _Origins(run) if "completion_id" in names.names else None
    for file in run.files(stage.name, f"{prefix}-"):
        yield _table(file.read(), names, origins)


def _table(table: pa.Table, names: pa.Schema, origins: "_Origins | None") -> pa.Table:
    for field in names:
        if field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    read = table.select([name for name in table.column_names if name in _READ_BY_TEXT])
    rows = (row for batch in read.to_batches(BATCH) for row in batch.to_pylist())
    texts = pa.array((row.get("text") or text_of(row) for row in rows), pa.string())
    columns = {"id": table["id"], "type": table["type"], "text": texts}
    columns |= {name: table[name] for name in names.names if name not in columns and name not in _WHY}
    columns |= origins.of(table["completion_id"]) if origins else {}
    columns |= {name: table[name] for name in _WHY if name in table.column_names}
    return pa.table(columns)


_READ_BY_TEXT = frozenset({"type", "text", "prompt", "solution", "messages", "completion", "title", "function_name",
                           "words", "task", "detail", "canonical_solution"})  # fmt: skip


class _Origins:
    """Columns of the completions and prompts that documents came from, looked up by id."""

    def __init__(self, run: RunView) -> None:
        self._completions = _Parents(run, "completions", _OF_COMPLETION)
        self._prompts = _Parents(run, "prompts", _OF_PROMPT)

    def of(self, completion_ids: pa.ChunkedArray) -> Mapping[str, pa.ChunkedArray]:
        found = self._completions.of(completion_ids)
        asked = found.get("prompt_id")
        return found | (self._prompts.of(asked) if asked is not None else {})


class _Parents:
    """The records of a stage, of which only the ids stay in memory. columns: by the names that they get."""

    def __init__(self, run: RunView, stage: str, columns: Mapping[str, str]) -> None:
        self._files = functools.partial(run.files, stage)
        self._columns = columns
        ids = [file.read(["id"])["id"] for file in self._files()]
        self._sizes = [len(one) for one in ids]
        self._ids = pa.chunked_array([chunk for one in ids for chunk in one.chunks], pa.string()).combine_chunks()

    def of(self, ids: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
        """A row for each of `ids`, null where there is no such record; no columns that the records do not have."""
        places = pc.index_in(ids, value_set=self._ids)
        read = pc.unique(places.drop_null()).sort()
        rows, start = [], 0
        for file, size in zip(self._files(), self._sizes, strict=True):
            here = read.filter(pc.and_(pc.greater_equal(read, start), pc.less(read, start + size))).to_pylist()
            rows.append(file.take([place - start for place in here], file.having([*self._columns.values()])))
            start += size
        if not rows:
            return {}
        table, found = pa.concat_tables(rows, promote_options="default"), {}
        places = pc.index_in(places, value_set=read)
        for name, source in self._columns.items():
            outer, _, inner = source.partition(".")
            if outer in table.column_names:
                column = table[outer]
                found[name] = (pc.struct_field(column, inner) if inner else column).take(places)
        return found


def problems(run: RunView) -> Iterator[pa.Table]:
    """The exercises that the run held out as problems, which no stage after that has: as `tables`, without reasons.

    Raises UsageError where the run holds none back.
    """
    stage = run.made(PROBLEMS)
    if stage is None:
        raise UsageError(
            f"--split {PROBLEMS}: the run {run.name} has held no problems back",
            hint='"held-out" among evaluation.benchmarks does; or use another split',
        )
    for table in tables(run, stage, "dropped"):
        own = [name for name in table.column_names if name not in _WHY]
        yield table.filter(pc.equal(table["reason"], PROBLEMS)).select(own)


class Splits:
    """Which split a record belongs to; decided by its id, so that neither order nor files matter.

    how: "student" for what the run's student learnt from and what was held out of it, "none" for one split, "held-out"
    for one beside the run's own problems, or a share in (0, 1) that is drawn. Raises UsageError for anything else.
    """

    def __init__(self, run: RunView, how: str) -> None:
        self._share, self._held = 0.0, frozenset[str]()
        if how == STUDENT:
            spans = run.rows("tokens", "spans", ["document_id", "held_out"])
            self._held = frozenset(row["document_id"] for row in spans if row["held_out"])
        elif how not in (NONE, PROBLEMS):
            self._share = _share(how)
        self._seed = run.loaded.recipe.seed if run.loaded else 0

    def parts(self, table: pa.Table) -> Iterator[tuple[str, pa.Table]]:
        """The rows of each split, empty ones too."""
        held = pa.array([self._is_held(identifier) for identifier in table["id"].to_pylist()], pa.bool_())
        yield TRAIN, table.filter(pc.invert(held))
        yield HELD_OUT, table.filter(held)

    def _is_held(self, identifier: str) -> bool:
        if self._share:
            return rng_seed(self._seed, "export", identifier) < self._share * 2**63
        return identifier in self._held


def _share(how: str) -> float:
    try:
        share = float(how)
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        raise UsageError(
            f"--split {how!r:.60}",
            hint=f"use {STUDENT}, {PROBLEMS}, {NONE}, or a share between 0 and 1 to hold out, e.g. 0.05",
        )
    return share
