"""Pages of an artifact's records: filtered, searched and cut to what a list shows, without reading all of it.

An artifact never changes once its manifest is there, so what was found of one is remembered by its key. Only the
columns that a question needs are read, in batches, so 100,000 documents take some 100 MB of memory and no more.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.store.arrays import numbers, texts, truths
from pipeline.store.parquet import Parquet
from pipeline.store.store import Store

FACETS = ("type", "reason", "teacher", "topic", "audience", "kind", "form", "model", "benchmark", "group", "verdict",
          "passed", "judged", "finish_reason", "licence", "test_owner", "template")  # fmt: skip
"""Columns that records are filtered by; those that a stage has in its seeds are filtered by too."""
MOST_VALUES = 200
"""Values of a facet that are listed, the most frequent first."""
SEARCHED = ("id", "text", "prompt", "solution", "test", "completion", "raw", "entry_point", "title", "function_name",
            "task_id", "detail", "origin", "messages")  # fmt: skip
"""Columns that a full-text search looks at."""
EXCERPT = 400
"""Characters of a text in a list."""
REMEMBERED = 32
"""Answers that are kept, so that turning a page searches nothing again; one takes 8 bytes a match."""
_BATCH = 2_048


@dataclass(frozen=True, slots=True)
class Source:
    """The PREFIX*.parquet files of a finished artifact: "part" for kept records, "dropped" or "spans"."""

    store: Store
    stage: str
    key: str
    prefix: str

    def files(self) -> Iterator[Parquet]:
        """Each of its files, open while it is looked at."""
        return self.store.files(self.stage, self.key, self.prefix)


@dataclass(frozen=True, slots=True)
class Query:
    """What records are asked for: all of these at once.

    text: in any of the columns `SEARCHED`, whatever the case. wanted: of each facet the one value; of topics also all
    below it. ids: nothing but these, None for any.
    """

    text: str = ""
    wanted: tuple[tuple[str, str], ...] = ()
    ids: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows in the order written, of `matched` that fit the query, of `total`."""

    total: int
    matched: int
    rows: list[dict[str, Any]]


@dataclass(slots=True)
class Found:
    """What was found of artifacts: rows that match a query and the values of facets, the newest `REMEMBERED`."""

    answers: OrderedDict[Any, Any] = field(default_factory=OrderedDict)

    def remembered(self, question: Any, answer: Any) -> Any:
        """The answer to `question`, worked out by `answer()` where it is not known."""
        if question not in self.answers:
            self.answers[question] = answer()
        self.answers.move_to_end(question)
        while len(self.answers) > REMEMBERED:
            self.answers.popitem(last=False)
        return self.answers[question]


def page(source: Source, query: Query, offset: int, limit: int, found: Found) -> Page:
    """`limit` rows from the `offset`-th on of those that fit; texts are cut to `EXCERPT`."""
    counts = found.remembered((source, "counts"), lambda: [file.file.metadata.num_rows for file in source.files()])
    if query == Query():
        matched = sum(counts)
        places: Sequence[int] = range(matched)[offset : offset + limit]
    else:
        every = found.remembered((source, query), lambda: matching(source, query))
        matched = len(every)
        places = every.slice(offset, limit).to_pylist()
    return Page(sum(counts), matched, rows_at(source, places, EXCERPT))


def rows_at(source: Source, places: Sequence[int], most: int = 0) -> list[dict[str, Any]]:
    """The rows with these numbers, which are in order; most: characters that are left of a text, 0 for all of it."""
    rows: list[dict[str, Any]] = []
    start = 0
    for file in source.files():
        stop = start + file.file.metadata.num_rows
        here = [place - start for place in places if start <= place < stop]
        if here:
            rows += _cut(file.take(here), most).to_pylist()
        start = stop
    return rows


def matching(source: Source, query: Query) -> pa.Int64Array:
    """Numbers of the rows that fit, in order."""
    found, start = [], 0
    for file in source.files():
        columns = _paths(file, [*dict(query.wanted), *(["id"] if query.ids is not None else [])])
        if query.text:
            columns |= {name: name for name in SEARCHED if name in file.names}
        for batch in file.batches(_BATCH, sorted(set(columns.values()))):
            table = pa.Table.from_batches([batch])
            masks = [_is(_column(table, columns[name]), name, value) for name, value in query.wanted if name in columns]
            nothing = truths(False, batch.num_rows)
            masks += [nothing for name, _ in query.wanted if name not in columns]
            if query.ids is not None:
                masks.append(pc.is_in(table.column("id"), value_set=texts(sorted(query.ids))))
            if query.text:
                masks.append(_says(table, query.text))
            fits = truths(True, batch.num_rows)
            for mask in masks:
                fits = pc.and_(fits, pc.coalesce(mask, nothing))
            found.append(pc.add(pc.indices_nonzero(fits).cast(pa.int64()), numbers([start])[0]))
            start += batch.num_rows
    return (
        pa.concat_arrays([n.combine_chunks() if isinstance(n, pa.ChunkedArray) else n for n in found])
        if found
        else numbers([])
    )


def facets(source: Source) -> dict[str, list[tuple[str, int]]]:
    """Of each column to filter by, its values with how often each is there, the most frequent first; a column that has
    one value, or none, is left out."""
    counts: dict[str, Counter[str]] = {}
    for file in source.files():
        paths = _paths(file, FACETS)
        table = file.read(sorted(set(paths.values()))) if paths else pa.table({})
        for name, path in paths.items():
            column = _text(_column(table, path))
            for entry in pc.value_counts(column.combine_chunks()).to_pylist():
                if entry["values"]:
                    counts.setdefault(name, Counter())[entry["values"]] += entry["counts"]
    return {name: counts[name].most_common(MOST_VALUES) for name in FACETS if len(counts.get(name, ())) > 1}


def _paths(file: Parquet, names: Sequence[str]) -> dict[str, str]:
    """Where a file has these columns: by their own name, or in its seed."""
    present = set(file.names)
    found = {name: name for name in names if name in present}
    if "seed" in present:
        seed = file.file.schema_arrow.field("seed").type
        inner = {seed.field(place).name for place in range(seed.num_fields)}
        found |= {name: f"seed.{name}" for name in names if name not in present and name in inner}
    return found


def _column(table: pa.Table, path: str) -> pa.ChunkedArray:
    outer, _, inner = path.partition(".")
    return pc.struct_field(table.column(outer), inner) if inner else table.column(outer)


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text; a truth value becomes "true", "false" or "none"."""
    if pa.types.is_boolean(column.type):
        yes, no, neither = texts(["true", "false", "none"])
        return pc.coalesce(pc.if_else(column, yes, no), neither)
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _is(column: pa.ChunkedArray, name: str, value: str) -> pa.ChunkedArray:
    column = _text(column)
    same = pc.equal(column, texts([value])[0])
    return pc.or_(same, pc.starts_with(column, value.rstrip("/") + "/")) if name == "topic" else same


def _says(table: pa.Table, text: str) -> Any:
    """Which rows have `text` in one of the columns that are searched."""
    nothing = truths(False, table.num_rows)
    said: Any = nothing
    for name in SEARCHED:
        if name not in table.column_names:
            continue
        column = table.column(name)
        if pa.types.is_list(column.type):  # messages: a row says what any of them says
            array = column.combine_chunks()
            content = pc.struct_field(pc.list_flatten(array), "content")
            parents = pc.list_parent_indices(array).filter(pc.match_substring(content, text, ignore_case=True))
            hit = pc.is_in(numbers(range(table.num_rows)).cast(parents.type), value_set=parents)
        else:
            hit = pc.match_substring(column, text, ignore_case=True)
        said = pc.or_(said, pc.coalesce(hit, nothing))
    return said


def _cut(table: pa.Table, most: int) -> pa.Table:
    """The table with its texts cut to `most` characters; 0 leaves it."""
    for place, name in enumerate(table.column_names if most else ()):
        if pa.types.is_string(table.schema.field(name).type):
            table = table.set_column(place, name, pc.utf8_slice_codeunits(table.column(name), 0, most))
    return table


def values(store: Store, key: str) -> dict[str, float]:
    """What the classifier of a finished quality artifact valued, by document id."""
    tables = [file.read(["id", "value"]) for file in Source(store, "quality", key, "values").files()]
    return {
        i: value
        for table in tables
        for i, value in zip(table.column("id").to_pylist(), table.column("value").to_pylist(), strict=True)
    }
