"""JSON Lines: our own files survive a cut line, and what is wrong with somebody's is said with its line."""

import codecs
import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.files.rows import Rows
from pipeline.store import jsonl

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(), lambda inner: st.lists(inner)
)
ROWS = st.lists(st.dictionaries(st.text(), VALUES), max_size=5)


@given(ROWS, st.booleans())
def test_what_is_written_is_read(tmp_path_factory, rows, appended: bool) -> None:
    path = tmp_path_factory.mktemp("rows") / "file.jsonl"
    if appended:
        for row in rows:
            jsonl.append(path, row)
    else:
        jsonl.write(path, rows)
    assert list(jsonl.rows(path)) == rows
    assert [row for _, row in jsonl.objects(path)] == rows if path.exists() else rows == []


def _as_clean_reads(path: Path) -> list[dict[str, str | None]]:
    return [{"text": row.text} for row in Rows([path])]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_somebodys_file_is_unpacked_by_what_it_is_and_not_by_its_name(tmp_path: Path, name: str, pack) -> None:
    path = tmp_path / name
    path.write_bytes(pack(b'{"n": 1}\n'))
    assert list(jsonl.objects(path)) == [(1, {"n": 1})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("read", [lambda path: [row for _, row, _ in jsonl.lines(path)], _as_clean_reads])
def test_somebodys_file_is_read_alike_by_all_and_in_any_encoding_of_json(
    tmp_path: Path, encoding: str, pack, read
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(pack('{"text": "ä"}\n\n{"text": "b"}\n'.encode(encoding)))
    assert read(path) == [{"text": "ä"}, {"text": "b"}]


def test_files_with_marks_may_be_joined_and_broken_ones_are_told(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(codecs.BOM_UTF8 + line for line in (b'{"a": 1}\n', b'{"a": 2}\n')))
    assert [row for _, row, _ in jsonl.lines(path)] == [{"a": 1}, {"a": 2}]
    path.write_bytes('{"a": 1}\n'.encode("utf-16")[:-1])
    with pytest.raises(InputError, match=r"a.jsonl cannot be read: 'utf-?16.*truncated data"):
        list(jsonl.lines(path))


def test_a_line_that_was_cut_short_is_lost_alone(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    jsonl.append(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "text": "\xc3')
    assert list(jsonl.rows(path)) == [{"n": 1}]
    jsonl.append(path, {"n": 3}, synced=True)
    jsonl.append(path, {"n": path}, default=lambda value: value.name)
    assert list(jsonl.rows(path)) == [{"n": 1}, {"n": 3}, {"n": "file.jsonl"}]


def test_of_our_own_files_only_objects_count(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    assert list(jsonl.rows(path)) == []
    path.write_text('\n[1]\nnull\n{"event": "note"}\nno\n{"event": "train"}')
    assert list(jsonl.rows(path)) == [{"event": "note"}, {"event": "train"}]
    assert list(jsonl.rows(path, lambda line: b"train" in line)) == [{"event": "train"}]


def test_a_failed_write_leaves_the_file_before(tmp_path: Path) -> None:
    path = tmp_path / "file.jsonl"
    jsonl.write(path, [{"n": 1}])
    with pytest.raises(TypeError):
        jsonl.write(path, [{"n": 2}, {"n": object()}])
    assert path.read_bytes() == b'{"n": 1}\n'
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("packed", [False, True])
def test_each_line_of_somebodys_file_is_an_object_or_says_why_not(tmp_path: Path, packed: bool) -> None:
    deep = b"[" * 200_000
    data = b'\xef\xbb\xbf{"n": 1}\r\n \n{"n": \n[1]\nnull\n{"n": "\xff"}\n' + deep + b'\n{"n": "\xe2\x80\xa8"}'
    path = tmp_path / ("file.jsonl.gz" if packed else "file.jsonl")
    path.write_bytes(gzip.compress(data) if packed else data)
    found = list(jsonl.lines(path))
    assert [(line.number, line.row) for line in found if not line.problem] == [(1, {"n": 1}), (8, {"n": "\u2028"})]
    said = {line.number: line.problem for line in found if line.problem}
    assert said[3].startswith("is not JSON (Expecting value")
    assert said[3].endswith("""): '{"n":'""")
    assert said[4] == "holds [1], wanted a JSON object"
    assert said[5] == "holds None, wanted a JSON object"
    assert said[6].startswith("is not UTF-8 text")
    assert said[7].startswith("is not JSON (nested too deeply)")
    with pytest.raises(InputError, match=r"file.jsonl(.gz)? line 3: is not JSON(.|\n)*one JSON object a line"):
        list(jsonl.objects(path))


def test_a_file_that_breaks_off_is_said_with_the_last_line_that_was_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(b'{"n": %d}\n' % (n * n) for n in range(20_000)))
    path = tmp_path / "file.jsonl.gz"
    path.write_bytes(packed[:-4000])
    with pytest.raises(InputError, match=r"cannot be read after line \d+: Compressed file ended"):
        list(jsonl.lines(path))
    path.write_bytes(packed[: len(packed) // 2] + b"\xff" * 100 + packed[len(packed) // 2 :])
    with pytest.raises(InputError, match=r"cannot be read after line \d+"):
        list(jsonl.lines(path))
    with pytest.raises(InputError, match="cannot be read: .*No such file"):
        list(jsonl.lines(tmp_path / "nothing.jsonl"))
