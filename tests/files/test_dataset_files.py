"""What `sources.kind = "dataset"` reads: the files that `clean` reads; what it cannot read is a record dropped."""

import errno
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import InputError
from pipeline.core.records import Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe import Recipe
from pipeline.recipe_sources import SourcesTable
from pipeline.stages.raw_code.licences import PERMISSIVE
from pipeline.stages.raw_code.stage import passages
from pipeline.stages.raw_code.step import STEP
from pipeline.stages.raw_code.step import STEP as RAW_CODE
from pipeline.work.local import Processes


def code(i: int) -> str:
    return f"def times_{i}(x):\n    return {i} * x\n"


def lines(*numbers: int) -> bytes:
    return b"".join(json.dumps({"content": code(i)}).encode() + b"\n" for i in numbers)


def read(path: Path, **fields: Any) -> tuple[list[str], dict[str, str], list[str]]:
    """The texts kept, detail by origin of what was dropped as unreadable, and the notes."""
    notes: list[str] = []
    table = SourcesTable(kind="dataset", path=str(path), **fields)
    outcomes = list(passages(table, tell=notes.append))
    assert {outcome.reason for outcome in outcomes if isinstance(outcome, Dropped)} <= STEP.reasons.keys()
    assert [outcome.record for outcome in passages(table)] == [outcome.record for outcome in outcomes]
    for outcome in outcomes:
        assert isinstance(outcome.record, Passage)
        outcome.record.text.encode()
    dropped = [outcome for outcome in outcomes if isinstance(outcome, Dropped) and outcome.reason == "unreadable"]
    kept = [outcome.record for outcome in outcomes if isinstance(outcome, Kept)]
    return [r.text for r in kept], {d.record.origin: d.detail for d in dropped if isinstance(d.record, Passage)}, notes


def test_packed_lines_arrays_tables_and_saved_sets_of_one_folder_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + lines(1))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(lines(2)) + gzip.compress(lines(3)))
    for name, codec in (("c.jsonl.zst", "zstd"), ("d.ndjson.bz2", "bz2"), ("e.jsonl.lz4", "lz4")):
        with pa.output_stream(str(tmp_path / name), compression=codec) as file:
            file.write(lines(4 + "cde".index(name[0])))
    pq.write_table(pa.table({"content": [code(7).encode()]}), tmp_path / "f.parquet")
    for number, (name, make) in enumerate((("g.arrow", pa.ipc.new_stream), ("h.arrow", pa.ipc.new_file)), 8):
        table = pa.table({"content": [code(number)]})
        with pa.OSFile(str(tmp_path / name), "wb") as sink, make(sink, table.schema) as writer:
            writer.write_table(table)
    datasets.Dataset.from_dict({"content": [code(10)]}).save_to_disk(tmp_path / "saved")
    (tmp_path / "cache-0123.arrow").write_bytes(b"indices of a map")
    (tmp_path / "load.py").write_text(code(99))
    (tmp_path / "README.md").write_text("words")
    kept, dropped, notes = read(tmp_path)
    assert kept == [code(i) for i in range(1, 11)]
    assert not dropped
    assert notes == [f"{tmp_path}: files of other kinds are not read: 1 .md, 1 .arrow, 1 .py"]
    (tmp_path / "rows.json").write_text(json.dumps([{"content": code(1)}, {"content": code(2)}]))
    assert read(tmp_path / "rows.json")[0] == [code(1), code(2)]


def test_a_bad_line_is_dropped_with_its_place_and_nothing_stops(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        lines(1) + b'{oops\n\n{"content": null}\n{"content": 5}\n{"other": 1}\n[1, 2]\n"text"\n'
        b'{"content": "\xff\xfe"}\n{"content": "\\ud800"}\n{"content": ["\\udc00"]}\n'
        + json.dumps({"content": code(2), "path": "a\ud800b"}).encode()
    )
    kept, dropped, _ = read(path)
    assert kept == [code(1), code(2)]
    assert {origin: detail.split(":")[0] for origin, detail in dropped.items()} == {
        "a.jsonl:2": "not JSON",
        "a.jsonl:4": "content is null, not a string",
        "a.jsonl:5": "content is int, not a string",
        "a.jsonl:6": "no field content",
        "a.jsonl:7": "the row is list, not an object",
        "a.jsonl:8": "the row is str, not an object",
        "a.jsonl:9": "not UTF-8",
        "a.jsonl:10": "content holds half of a surrogate pair, which no file can store",
        "a.jsonl:11": "content is list, not a string",
    }
    *_, last = passages(SourcesTable(kind="dataset", path=str(path)))
    assert isinstance(last.record, Passage)
    assert last.record.origin == "a?b"


def test_files_that_break_off_or_are_none_are_dropped_and_the_others_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    whole = gzip.compress(lines(1)) + gzip.compress(lines(*range(100, 300)))
    (tmp_path / "a.jsonl.gz").write_bytes(whole[:-30])
    (tmp_path / "b.jsonl.gz").write_bytes(b"not gzip at all")
    (tmp_path / "c.parquet").write_bytes(b"PAR1 not really")
    (tmp_path / "d.arrow").write_bytes(b"ARROW1 not really")
    (tmp_path / "e.parquet").touch()
    (tmp_path / "f.parquet").symlink_to("nowhere.parquet")
    columns = [pa.array([code(3)]), pa.array([1]), pa.array([2])]
    pq.write_table(pa.Table.from_arrays(columns, names=["content", "n", "n"]), tmp_path / "g.parquet")
    rows = datasets.Dataset.from_dict({"content": [code(4), code(5), code(6)]})
    rows.save_to_disk(tmp_path / "h", num_shards=3)
    (tmp_path / "h" / "data-00001-of-00003.arrow").unlink()
    (tmp_path / "z.jsonl").write_bytes(lines(7))
    kept, dropped, _ = read(tmp_path)
    assert kept[-3:] == [code(4), code(6), code(7)]
    assert {Path(origin).name: detail.split(":")[0] for origin, detail in dropped.items()} == {
        "a.jsonl.gz": dropped[f"{tmp_path.name}/a.jsonl.gz"].split(":")[0],
        "b.jsonl.gz": "cannot be read",
        "c.parquet": "not a Parquet file",
        "d.arrow": "not an Arrow file",
        "e.parquet": "not a Parquet file",
        "f.parquet": "not a Parquet file",
        "g.parquet": "two columns are named 'n'",
        "data-00001-of-00003.arrow": "not an Arrow file",
    }
    assert dropped[f"{tmp_path.name}/a.jsonl.gz"].startswith("cannot be read")


def test_a_file_that_may_not_be_read_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    (tmp_path / "b.jsonl").write_bytes(lines(2))
    opened = pa.input_stream

    def refused(path: str, **more: Any) -> Any:
        if path.endswith("a.jsonl"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, **more)

    monkeypatch.setattr(pa, "input_stream", refused)
    kept, dropped, _ = read(tmp_path)
    assert kept == [code(2)]
    (detail,) = dropped.values()
    assert "Permission denied" in detail


def test_what_is_no_dataset_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(code(1))
    with pytest.raises(
        InputError, match=r"no \.jsonl, \.parquet or \.arrow file and no saved dataset in it, only \.py"
    ):
        read(tmp_path)
    with pytest.raises(
        InputError, match=r"a\.py: code, where data is wanted\n  give \.jsonl .*\.parquet or \.arrow, or"
    ):
        read(tmp_path / "a.py")
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "x"}\n')
    with pytest.raises(
        InputError, match=r"has no column 'content'; it has text\n  name its text column in sources\.col"
    ):
        read(tmp_path / "b.jsonl")
    assert read(tmp_path / "b.jsonl", column="text")[0] == ["x"]


STACK = {
    "hexsha": pa.string(),
    "size": pa.int64(),
    "ext": pa.string(),
    "lang": pa.string(),
    "max_stars_repo_path": pa.string(),
    "max_stars_repo_name": pa.string(),
    "max_stars_repo_head_hexsha": pa.string(),
    "max_stars_repo_licenses": pa.list_(pa.string()),
    "max_stars_count": pa.int64(),
    "max_stars_repo_stars_event_min_datetime": pa.string(),
    "content": pa.string(),
    "avg_line_length": pa.float64(),
    "max_line_length": pa.int64(),
    "alphanum_fraction": pa.float64(),
}
"""The columns of bigcode/the-stack-dedup that say something here, with their types."""


def stack_row(i: int, content: str | None, licences: list[str] | None) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(STACK)
    return row | {
        "hexsha": f"{i:040x}",
        "ext": "py",
        "lang": "Python",
        "max_stars_repo_path": f"src/m{i}.py",
        "max_stars_repo_name": f"user/repo{i}",
        "max_stars_repo_licenses": licences,
        "content": content,
    }


def test_the_stack_as_its_parquet_files_lie_on_disk(tmp_path: Path) -> None:
    shards = [
        [stack_row(0, code(0), ["MIT"]), stack_row(1, code(1), ["GPL-3.0-only"]), stack_row(2, code(2), [])],
        [stack_row(3, code(3), ["Apache-2.0", "MIT"]), stack_row(4, None, ["MIT"]), stack_row(5, "print 5\n", ["MIT"])],
        [stack_row(6, "x = [" + "1," * 900 + "]\n", ["MIT"]), stack_row(7, code(7), None)],
    ]
    folder = tmp_path / "data" / "python"
    folder.mkdir(parents=True)
    for number, rows in enumerate(shards):
        table = pa.Table.from_pylist(rows, schema=pa.schema(list(STACK.items())))
        pq.write_table(table, folder / f"data-{number:05}-of-00003.parquet", compression="snappy")
    with (folder / "data-00001-of-00003.parquet").open("rb+") as file:
        file.truncate(os.path.getsize(file.name) - 20)  # noqa: PTH202
    table = SourcesTable(kind="dataset", path=str(tmp_path), licences=tuple(sorted(PERMISSIVE)))
    outcomes = list(passages(table))
    found = {}
    for outcome in outcomes:
        assert isinstance(outcome.record, Passage)
        found[outcome.record.origin] = outcome.reason if isinstance(outcome, Dropped) else ""
    shas = [f"{i:040x}" for i in range(8)]
    assert found == {
        f"user/repo0 src/m0.py {shas[0]}": "",
        f"user/repo1 src/m1.py {shas[1]}": "licence",
        f"user/repo2 src/m2.py {shas[2]}": "licence",
        f"{tmp_path.name}/data/python/data-00001-of-00003.parquet": "unreadable",
        f"user/repo6 src/m6.py {shas[6]}": "generated",
        f"user/repo7 src/m7.py {shas[7]}": "licence",
    }
    table_of_all = pa.Table.from_pylist([row for rows in shards for row in rows], schema=pa.schema(list(STACK.items())))
    pq.write_table(table_of_all, tmp_path / "all.parquet")
    one_file = table.model_copy(update={"path": str(tmp_path / "all.parquet")})
    outcomes = list(passages(one_file))
    assert len(outcomes) == 8
    assert [o.record.licence for o in outcomes if isinstance(o, Kept)] == ["MIT", "Apache-2.0 AND MIT"]
    processes = Processes(2, patience=0.0)
    assert list(passages(one_file, processes)) == outcomes
    processes.close()


def test_a_dataset_on_the_hub_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [stack_row(0, code(0), ["MIT"]), stack_row(1, None, ["MIT"])]
    monkeypatch.setattr(datasets, "load_dataset", lambda name, *, split, streaming, data_dir, revision: iter(rows))
    kept, dropped, _ = read(Path("bigcode/the-stack-dedup"))
    assert kept == [code(0)]
    assert list(dropped.values()) == ["content is null, not a string"]
    with pytest.raises(InputError, match=r"dataset bigcode/the-stack-dedup has no column 'code'; it has .*content"):
        read(Path("bigcode/the-stack-dedup"), column="code")


def test_a_changed_file_is_another_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    def seen(path: str) -> Any:
        recipe = Recipe(sources=SourcesTable(kind="dataset", path=path))
        return RAW_CODE.reads(recipe)

    (tmp_path / "a.jsonl").write_bytes(lines(1))
    before = seen(str(tmp_path / "a.jsonl")), seen("~/a.jsonl")
    (tmp_path / "a.jsonl").write_bytes(lines(1, 2))
    after = seen(str(tmp_path / "a.jsonl")), seen("~/a.jsonl")
    assert before[0] != after[0]
    assert before[1] != after[1]
