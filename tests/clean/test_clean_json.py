"""JSON as people write it: blank lines, marks, other encodings, arrays, objects one after the other, deep nesting."""

import codecs
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clean.clean import CleanSummary, clean
from pipeline.core.errors import InputError


def long(i: int) -> str:
    """A text that no heuristic minds and that is like no other."""
    names = " ".join(f"w{i}_{k} = x + {100 * i + k};" for k in range(12))
    return f"def task{i}(x):\n    {names}\n    return w{i}_0\n"


def cleaned(path: Path) -> tuple[CleanSummary, list[Any], list[Any]]:
    out = path.parent / "out"
    summary = clean([path], out)
    kept, dropped = (pq.read_table(out / part).to_pylist() for part in ("kept", "dropped"))
    assert summary.entered == len(kept) + len(dropped)
    return summary, kept, dropped


OBJECTS = [{"text": long(1), "n": 1}, {"text": long(2), "n": 2}]
BOTH = {
    "lines": "\n".join(map(json.dumps, OBJECTS)),
    "array": json.dumps(OBJECTS),
    "array over lines": json.dumps(OBJECTS, indent=2),
    "array with a row a line": "[\n" + ",\n".join(map(json.dumps, OBJECTS)) + "\n]",
    "objects over lines": "\n".join(json.dumps(one, indent=2) for one in OBJECTS),
    "objects on one line": "".join(map(json.dumps, OBJECTS)),
    "objects that touch": "".join(json.dumps(one, indent=1) for one in OBJECTS),
}
BEFORE = {"nothing": "", "a blank line": "\n", "blanks": " \t\n\r\n  ", "many lines": "\n" * 30}


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("form", BOTH)
def test_rows_are_found_whatever_form_they_have(tmp_path: Path, form: str, before: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_text(BEFORE[before] + BOTH[form] + "\n\n")
    summary, kept, _ = cleaned(path)
    assert (summary.kept, summary.dropped) == (2, {})
    assert [(row["text"], row["n"]) for row in kept] == [(one["text"], one["n"]) for one in OBJECTS]


@pytest.mark.parametrize("suffix", ["json", "jsonl", "jsonl.gz", "jsonl.bz2", "jsonl.zst", "json.lz4"])
@pytest.mark.parametrize("packing", [None, "gzip", "bz2", "zstd", "lz4"])
def test_a_file_is_unpacked_by_what_it_is_and_not_by_its_name(tmp_path: Path, packing: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    with pa.output_stream(str(path), compression=packing) as file:
        file.write(b"\n" + BOTH["lines"].encode())
    summary, kept, _ = cleaned(path)
    assert (summary.kept, summary.dropped) == (2, {})
    assert [row["text"] for row in kept] == [one["text"] for one in OBJECTS]


@pytest.mark.parametrize("form", BOTH)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_rows_are_found_in_any_encoding_of_json(tmp_path: Path, form: str, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(BOTH[form].encode(encoding))
    assert cleaned(path)[0].kept == 2


def test_joined_files_have_marks_between_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(codecs.BOM_UTF8 + json.dumps(one).encode() + b"\n" for one in OBJECTS))
    assert cleaned(path)[0].kept == 2


def test_places_are_the_lines_on_which_objects_begin(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("\n\n" + "\n".join(json.dumps(one, indent=0) for one in OBJECTS))
    assert [row["origin"] for row in cleaned(path)[1]] == [f"{path}:3", f"{path}:7"]


def test_one_object_over_several_lines_is_refused_wherever_it_begins(tmp_path: Path) -> None:
    for name in ("a.json", "a.jsonl"):
        path = tmp_path / name
        path.write_text("\n" + json.dumps(OBJECTS[0], indent=1))
        with pytest.raises(InputError, match=rf"{name}:2: one JSON object over several lines"):
            clean([path], tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n[1, 2", "not a JSON array"),
        ('\n\n[{"text": "a"},\n{"text": "b"}\n', "not a JSON array"),
        ('\n{\n"text": "a"\n', "not a JSON value"),
        ("[" * 100_000, "not a JSON array"),
    ],
)
def test_a_broken_file_is_an_error_not_so_many_unreadable_lines(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        clean([path], tmp_path / "out")


def test_a_torn_first_line_costs_one_row(tmp_path: Path) -> None:
    for name in ("a.json", "a.jsonl"):
        path = tmp_path / name
        path.write_text('{"text": "abc\n' + BOTH["lines"])
        summary, _, dropped = cleaned(path)
        assert (summary.kept, summary.dropped) == (2, {"unreadable": 1})
        assert dropped[0]["origin"] == f"{path}:1"


@pytest.mark.parametrize("levels", [1, 15, 17, 50, 63, 64, 65, 98, 150, 900, 5000])
@pytest.mark.parametrize("ends", ["[]", "{}"])
def test_nested_values_come_back_or_are_named(tmp_path: Path, levels: int, ends: str) -> None:
    start, stop = ("[" * levels, "]" * levels) if ends == "[]" else ('{"a":' * levels, "}" * levels)
    deep = f'{{"text": {json.dumps(long(3))}, "deep": {start}1{stop}}}'
    path = tmp_path / "a.jsonl"
    path.write_text(deep + "\n" + BOTH["lines"])
    summary, kept, dropped = cleaned(path)
    if levels < 100:
        assert summary.kept == 3
        found = kept[0]["deep"]
        assert (json.loads(found) if isinstance(found, str) else found) == json.loads(start + "1" + stop)
    else:
        assert (summary.kept, summary.dropped) == (2, {"unreadable": 1})
        assert "nested in more than 100 levels" in dropped[0]["detail"] or "not JSON" in dropped[0]["detail"]
    table = pq.read_table(tmp_path / "out" / "kept")
    with pa.BufferOutputStream() as sink:
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        assert pa.ipc.open_file(sink.getvalue()).read_all().equals(table)


def test_a_text_that_is_a_list_with_half_a_pair_is_a_dropped_row(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": ["\\ud800"]}\n' + BOTH["lines"])
    _, _, dropped = cleaned(path)
    assert json.loads(dropped[0]["text"]) == ["\ufffd"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["text", "a", "\ud800"]), inner),
    max_leaves=6,
)
lines = st.binary(max_size=12) | json_values.map(lambda value: json.dumps(value).encode())


@given(found=st.lists(lines, max_size=5), suffix=st.sampled_from(["json", "jsonl"]), ends=st.sampled_from([b"\n", b""]))
def test_any_file_is_read_to_its_end_or_refused(
    tmp_path_factory: pytest.TempPathFactory, found: list[bytes], suffix: str, ends: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / f"a.{suffix}"
    path.write_bytes(ends.join(found) + b"\n" + json.dumps(OBJECTS[0]).encode())
    try:
        summary, _, _ = cleaned(path)
    except InputError:
        return
    assert summary.entered >= 1
