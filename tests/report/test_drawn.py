"""Records that are drawn from a stage: those with the smallest ids, whatever the files that they lie in."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.drawn import smallest_ids
from pipeline.store.parquet import Parquet


class InMemory:
    """Files of one stage with some rows each."""

    def __init__(self, files: list[list[dict[str, Any]]]) -> None:
        self._files = []
        for rows in files:
            sink = io.BytesIO()
            schema = pa.schema({"id": pa.string(), "reason": pa.string(), "text": pa.string()})
            pq.write_table(pa.Table.from_pylist(rows, schema), sink, row_group_size=3)
            self._files.append(sink.getvalue())

    def files(self, stage: str, prefix: str) -> Iterator[Parquet]:
        for data in self._files:
            yield Parquet(pq.ParquetFile(io.BytesIO(data)), threads=False)


ids = st.lists(st.text("0123456789abcdef", min_size=4, max_size=4), unique=True, max_size=30)


@given(ids, st.integers(1, 9), st.integers(0, 12), st.booleans(), st.randoms(use_true_random=False))
def test_the_smallest_ids_are_drawn_of_each_group_and_of_those_alone_that_may_be(
    ids: list[str], size: int, count: int, grouped: bool, draw: Any
) -> None:
    rows = [{"id": id, "reason": draw.choice("xy"), "text": f"text {id}"} for id in ids]
    run: Any = InMemory([rows[start : start + size] for start in range(0, len(rows), size)])
    for among in (None, frozenset(draw.sample(ids, len(ids) // 2))):
        may = sorted((row for row in rows if among is None or row["id"] in among), key=lambda row: row["id"])
        groups = [[row for row in may if row["reason"] == one] for one in "xy"] if grouped else [may]
        wanted = sorted((row for group in groups for row in group[:count]), key=lambda row: row["id"])
        assert smallest_ids(run, "s", count, by="reason" if grouped else "", among=among) == wanted
        texts = [{"text": row["text"], "id": row["id"]} for row in wanted]
        found = smallest_ids(
            run, "s", count, columns=["id", "text", "absent"], by="reason" if grouped else "", among=among
        )
        assert found == texts
