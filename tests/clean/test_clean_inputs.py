"""What people give to `clean`: links, broken bytes, every kind of file and folder, and disks that fill up."""

import errno
import fcntl
import gzip
import json
import os
import re
from datetime import timedelta
from encodings.aliases import aliases
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.clean.clean import CleanSummary, clean
from pipeline.cli.main import main
from pipeline.core.errors import DiskFull, InputError, UsageError


def long(i: int) -> str:
    """A text that no heuristic minds and that is like no other."""
    names = " ".join(f"w{i}_{k} = x + {100 * i + k};" for k in range(12))
    return f"def task{i}(x):\n    {names}\n    return w{i}_0\n"


def lines(*numbers: int) -> bytes:
    return b"".join(json.dumps({"text": long(i)}).encode() + b"\n" for i in numbers)


def cleaned(tmp_path: Path, *inputs: Path, **more: Any) -> tuple[CleanSummary, list[Any], list[Any], list[str]]:
    """The summary, the kept rows, the dropped rows, and the notes."""
    out = more.pop("out", tmp_path / "out")
    events: list[Any] = []
    summary = clean(inputs, out, on_event=events.append, **more)
    kept, dropped = (pq.read_table(out / part).to_pylist() for part in ("kept", "dropped"))
    assert (len(kept), len(dropped)) == (summary.kept, sum(summary.dropped.values()))
    assert summary.entered == summary.kept + sum(summary.dropped.values())
    return summary, kept, dropped, [event["text"] for event in events if event["event"] == "note"]


def test_links_to_files_are_followed_and_those_to_folders_are_named(tmp_path: Path) -> None:
    code, outside = tmp_path / "code", tmp_path / "outside"
    code.mkdir()
    outside.mkdir()
    (code / "a.py").write_text(long(1))
    (outside / "b.py").write_text(long(2))
    (code / "b.py").symlink_to("../outside/b.py")
    (code / "gone.py").symlink_to("nowhere.py")
    (code / "loop.py").symlink_to("loop.py")
    (code / "up").symlink_to("..")
    (code / "outside").symlink_to("../outside")
    _, kept, dropped, notes = cleaned(tmp_path, code)
    assert [row["origin"] for row in kept] == ["code/a.py", "code/b.py"]
    assert [(row["origin"], row["reason"], row["detail"]) for row in dropped] == [
        ("code/gone.py", "unreadable", "FileNotFoundError: No such file or directory"),
        ("code/loop.py", "unreadable", "OSError: Too many levels of symbolic links"),
    ]
    (note,) = notes
    assert note.startswith(f"{code}: links to folders are not followed: ")
    assert {f"{code}/up", f"{code}/outside"} == set(re.findall(rf"{code}/\w+", note))


def test_a_file_that_may_not_be_read_is_a_dropped_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code").mkdir()
    for name, number in (("mine.py", 1), ("theirs.py", 2)):
        (tmp_path / "code" / name).write_text(long(number))
    read = Path.read_bytes

    def refused(path: Path) -> bytes:
        if path.name == "theirs.py":
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refused)
    _, _, dropped, _ = cleaned(tmp_path, tmp_path / "code")
    assert [(row["origin"], row["detail"]) for row in dropped] == [
        ("code/theirs.py", "PermissionError: Permission denied")
    ]


def test_a_folder_that_may_not_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "code" / "secret").mkdir(parents=True)
    (tmp_path / "code" / "a.py").write_text(long(1))
    scan = os.scandir

    def refused(path: Any) -> Any:
        if Path(path).name == "secret":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(InputError, match=r"code/secret: cannot be listed: Permission denied\n  change who may read it"):
        clean([tmp_path / "code"], tmp_path / "out")


def test_marks_line_ends_and_names_that_are_not_utf8(tmp_path: Path) -> None:
    code = tmp_path / "code"
    code.mkdir()
    (code / "bom.py").write_bytes(b"\xef\xbb\xbf" + long(1).encode())
    (code / "crlf.py").write_bytes(long(2).replace("\n", "\r\n").encode())
    (code / "empty.py").write_bytes(b"")
    (code / "wide.py").write_bytes(long(3).encode("utf-16"))
    with open(os.fsencode(code) + b"/\xff.py", "w") as file:  # noqa: PTH123 - a name that is not UTF-8
        file.write(long(4))
    os.mkfifo(code / "pipe.py")
    _, kept, dropped, _ = cleaned(tmp_path, code)
    assert {row["origin"]: row["text"] for row in kept} == {
        "code/bom.py": long(1),
        "code/crlf.py": long(2).replace("\n", "\r\n"),
        "code/\\xff.py": long(4),
    }
    found = {row["origin"]: (row["reason"], row["detail"]) for row in dropped}
    assert found["code/empty.py"][0] == "too-short"
    assert found["code/pipe.py"] == ("unreadable", "not a regular file")
    assert found["code/wide.py"] == ("unreadable", "SyntaxError: invalid or missing encoding declaration")


def test_a_file_in_any_coding_of_python_is_a_row(tmp_path: Path) -> None:
    bodies = [b"x = '\\ud800 \\N{nope} +2AA- \xff\x81\xed\xa0\x80'\n", long(1).encode(), b""]
    codings = sorted({*aliases.values(), "undefined", "unicode_escape", "raw_unicode_escape", "idna", "punycode", "x"})
    code = tmp_path / "code"
    code.mkdir()
    for coding in codings:
        for number, body in enumerate(bodies):
            (code / f"{coding}_{number}.py").write_bytes(f"# coding: {coding}\n".encode() + body)
    summary, kept, dropped, _ = cleaned(tmp_path, code)
    assert summary.entered == len(codings) * len(bodies) == len(kept) + len(dropped)
    assert {row["reason"] for row in dropped} <= {
        "unreadable",
        "too-short",
        "exact-duplicate",
        "near-duplicate",
        "clone",
    }
    why = {row["origin"]: row["detail"] for row in dropped if row["reason"] == "unreadable"}
    assert why["code/undefined_0.py"].startswith("UnicodeError: ")
    assert why["code/utf_7_0.py"].startswith("UnicodeDecodeError: 'utf7' codec can't decode byte 0xff")
    assert why["code/raw_unicode_escape_0.py"].startswith(
        "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800'"
    )


def test_what_a_folder_holds_beside_is_counted(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "a.jsonl").write_bytes(lines(1))
    for name in ("b.csv", "c.csv", "d.json", "README"):
        (data / name).write_text("text\n")
    summary, _, _, notes = cleaned(tmp_path, data)
    assert summary.entered == 1
    assert notes == [f"{data}: files of other kinds are not read: 2 .csv, 1 without suffix, 1 .json"]
    (data / "a.jsonl").unlink()
    with pytest.raises(InputError, match=r"no saved dataset in it, only .*\.csv"):
        clean([data], tmp_path / "out")
    (tmp_path / "nothing").mkdir()
    wanted = r"nothing: no \.py, \.jsonl, \.parquet or \.arrow file and no saved dataset in it\n  name a folder"
    with pytest.raises(InputError, match=wanted):
        clean([tmp_path / "nothing"], tmp_path / "out")


def test_packed_files_in_parts_are_read_whole_and_cut_ones_are_an_error(tmp_path: Path) -> None:
    both = gzip.compress(lines(1)) + gzip.compress(lines(2))
    (tmp_path / "a.jsonl.gz").write_bytes(both)
    with pa.output_stream(str(tmp_path / "b.jsonl.zst"), compression="zstd") as file:
        file.write(lines(3))
    summary, kept, _, _ = cleaned(tmp_path, tmp_path / "a.jsonl.gz", tmp_path / "b.jsonl.zst")
    assert summary.kept == 3
    assert kept[2]["origin"] == f"{tmp_path}/b.jsonl.zst:1"
    (tmp_path / "a.jsonl.gz").write_bytes(both[:-30])
    with pytest.raises(InputError, match=r"a\.jsonl\.gz: cannot be read: .*\n  check that the file is whole"):
        clean([tmp_path / "a.jsonl.gz"], tmp_path / "out")


def test_parquet_columns_of_every_type_come_along(tmp_path: Path) -> None:
    columns = {
        "text": [long(1), long(2)],
        "ns": pa.array([1_234_567_891, 2], pa.timestamp("ns")),
        "us": pa.array([3_000, None], pa.duration("ns")),
        "far": pa.array([10**18, 0], pa.timestamp("us")),
        "pairs": pa.array([[("a", 1)], None], pa.map_(pa.string(), pa.int64())),
        "nested": [{"a": [1, 2]}, {"a": []}],
        "raw": [b"\xff", b"ok"],
        "none": pa.nulls(2),
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    _, kept, _, _ = cleaned(tmp_path, tmp_path / "a.parquet")
    assert [row["far"] for row in kept] == [10**18, 0]
    assert [json.loads(row["nested"]) for row in kept] == [{"a": [1, 2]}, {"a": []}]
    assert [row["ns"] for row in kept] == [1_234_567_891, 2]
    assert [row["us"] for row in kept] == [timedelta(microseconds=3), None]
    assert json.loads(kept[0]["pairs"]) == [["a", 1]]
    assert (kept[0]["raw"], kept[0]["none"]) == (b"\xff", None)


def test_a_text_that_is_a_list_or_null_is_a_dropped_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": [[long(1)], None]}), tmp_path / "a.parquet")
    _, _, dropped, _ = cleaned(tmp_path, tmp_path / "a.parquet")
    assert [row["detail"] for row in dropped] == ["text is list, not a string", "text is null, not a string"]
    assert json.loads(dropped[0]["text"]) == [long(1)]


def test_two_columns_of_one_name_are_an_error(tmp_path: Path) -> None:
    columns = [pa.array([long(1)]), pa.array([1]), pa.array([2])]
    pq.write_table(pa.Table.from_arrays(columns, names=["text", "n", "n"]), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet: two columns are named 'n'\n  rename one of them"):
        clean([tmp_path / "a.parquet"], tmp_path / "out")


def test_columns_with_our_names_stay_apart(tmp_path: Path) -> None:
    row = {"text": long(1), "id": 1, "input_id": 2, "input_input_id": 3, "reason": "theirs", "a\ud800": 4, "": 5}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    _, kept, _, _ = cleaned(tmp_path, tmp_path / "a.jsonl")
    assert {name: value for name, value in kept[0].items() if name not in ("id", "text", "origin")} == {
        "input_id": 1,
        "input_input_id": 2,
        "input_input_input_id": 3,
        "input_reason": "theirs",
        "a\\ud800": 4,
        "": 5,
    }


def test_columns_with_halves_of_surrogate_pairs_stay_apart_from_what_is_written_like_them(tmp_path: Path) -> None:
    row = {"text": long(1), "\ud800": 1, "\\ud800": 2, "\\\ud800": 3, "\\\\ud800": 4, "c:\\users": 5}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n")
    _, kept, _, _ = cleaned(tmp_path, tmp_path / "a.jsonl")
    assert {name: value for name, value in kept[0].items() if name not in ("id", "text", "origin")} == {
        "\\ud800": 1,
        "\\\\ud800": 2,
        "\\\\\\ud800": 3,
        "\\\\\\\\ud800": 4,
        "c:\\users": 5,
    }


def test_one_object_over_several_lines_is_no_list_of_rows(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"text": long(1)}, indent=1))
    wanted = r"a\.json:1: one JSON object over several lines, which is no list of rows\n  give an array of objects"
    with pytest.raises(InputError, match=wanted):
        clean([tmp_path / "a.json"], tmp_path / "out")


def test_a_bad_line_is_dropped_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(1) + b"{oops\n" + lines(2))
    summary, _, dropped, _ = cleaned(tmp_path, path, path)
    assert summary.dropped == {"exact-duplicate": 2, "unreadable": 2}
    assert {row["origin"] for row in dropped if row["reason"] == "unreadable"} == {f"{path}:2"}
    assert dropped[0]["text"] == "{oops"
    assert dropped[0]["detail"].startswith("not JSON: Expecting property name")


def test_saved_datasets_below_a_folder_and_a_folder_with_a_state_of_its_own(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    for number, name in enumerate(("one", "two")):
        datasets.Dataset.from_dict({"text": [long(number)]}).save_to_disk(tmp_path / "many" / name)
    assert cleaned(tmp_path, tmp_path / "many")[0].kept == 2
    next((tmp_path / "many" / "two").glob("*.arrow")).unlink()
    with pytest.raises(InputError, match=r"two/data-00000-of-00001\.arrow: not an Arrow file: .*No such file"):
        clean([tmp_path / "many"], tmp_path / "out")
    (tmp_path / "game").mkdir()
    (tmp_path / "game" / "state.json").write_text("{}")
    (tmp_path / "game" / "a.py").write_text(long(3))
    assert cleaned(tmp_path, tmp_path / "game")[0].kept == 1


def test_arrow_files_as_datasets_caches_them(tmp_path: Path) -> None:
    cache = tmp_path / "org___name" / "default"
    cache.mkdir(parents=True)
    table = pa.table({"text": [long(1), long(2)]})
    for name, make in (("train.arrow", pa.ipc.new_stream), ("other.arrow", pa.ipc.new_file)):
        with pa.OSFile(str(cache / name), "wb") as sink, make(sink, table.schema) as writer:
            writer.write_table(table)
    (cache / "cache-0123.arrow").write_bytes(b"indices of a map")
    summary, _, _, notes = cleaned(tmp_path, tmp_path / "org___name")
    assert (summary.entered, summary.kept) == (4, 2)
    assert notes == [f"{tmp_path}/org___name: files of other kinds are not read: 1 .arrow"]


def test_of_the_hubs_cache_one_snapshot_is_read(tmp_path: Path) -> None:
    hub = tmp_path / "hub" / "datasets--org--name"
    (hub / "blobs").mkdir(parents=True)
    (hub / "refs").mkdir()
    for revision, numbers in (("r1", (1, 2)), ("r2", (1, 3))):
        pq.write_table(pa.table({"text": [long(i) for i in numbers]}), hub / "blobs" / f"of-{revision}")
        (hub / "snapshots" / revision).mkdir(parents=True)
        (hub / "snapshots" / revision / "train.parquet").symlink_to(f"../../blobs/of-{revision}")
    (hub / "refs" / "main").write_text("r1")
    for given in (hub, tmp_path / "hub"):
        _, kept, _, _ = cleaned(tmp_path, given)
        assert [row["text"] for row in kept] == [long(1), long(2)]
    (hub / "refs" / "main").write_text("never fetched")
    os.utime(hub / "snapshots" / "r1", (1, 1))
    assert [row["text"] for row in cleaned(tmp_path, hub)[1]] == [long(1), long(3)]


def test_an_output_inside_the_input_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(1, 2))
    for _ in range(2):
        summary, _, _, _ = cleaned(tmp_path, tmp_path, out=tmp_path / "out")
        assert (summary.entered, summary.kept) == (2, 2)


def test_an_input_that_changes_meanwhile_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(1))

    def change(event: Any) -> None:
        if event["event"] == "stage-finished" and event["stage"] == "distinct":
            path.write_bytes(lines(2))

    with pytest.raises(InputError, match=r"a\.jsonl:1 changed while it was read\n  run again when nothing writes"):
        clean([path], tmp_path / "out", on_event=change)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_leaves_the_earlier_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = tmp_path / "a.jsonl", tmp_path / "out"
    path.write_bytes(lines(1))
    clean([path], out)
    path.write_bytes(lines(2))

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.clean.writing.pq.ParquetWriter.write_table", full)
        with pytest.raises(DiskFull, match="no space left where .*/out or temporary files are written") as caught:
            clean([path], out)
    assert caught.value.hint.startswith("free some, or point TMPDIR at a larger disk")
    assert pq.read_table(out / "kept")["text"].to_pylist() == [long(1)]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "out"]


def test_an_output_that_cannot_be_made_is_named_before_the_work(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    (tmp_path / "file").write_text("")
    events: list[Any] = []
    with pytest.raises(UsageError, match=r"file/out: cannot be written: .*\n  name another output folder with --to"):
        clean([tmp_path / "a.jsonl"], tmp_path / "file" / "out", on_event=events.append)
    assert not [event for event in events if event["event"] == "stage-started"]


def test_what_a_killed_call_left_is_removed_and_what_a_running_one_writes_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    dead, alive = (tmp_path / f".out.{name}.partial" for name in ("dead", "alive"))
    for folder in (dead, alive):
        folder.mkdir()
        (folder / ".lock").touch()
    with (alive / ".lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        clean([tmp_path / "a.jsonl"], tmp_path / "out")
    assert (dead.exists(), alive.exists()) == (False, True)


def test_an_interrupted_call_leaves_nothing_and_is_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(1))
    ended: list[int] = []
    arguments = ["clean", str(tmp_path / "a.jsonl"), "--to", str(tmp_path / "out"), "--workers", "1"]

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.clean.writing.Writer.write", interrupted)
        patch.setattr("os._exit", ended.append)
        with pytest.raises(SystemExit):
            main(arguments)
    assert ended == [130]
    assert "run the same command again" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert pq.read_table(tmp_path / "out" / "kept").num_rows == 1


def test_of_results_of_an_earlier_clean_those_kept_are_read(tmp_path: Path) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text(
        '{"text": "def double(x):\\n    # twice the number that is given\\n    return x + x\\n"}\n{"text": null}\n'
    )
    assert clean([source], tmp_path / "one").dropped == {"unreadable": 1}
    notes = []
    again = clean([tmp_path / "one"], tmp_path / "two", on_event=lambda event: notes.append(event.get("text")))
    assert again.to_json() == {"in": 1, "kept": 1, "dropped": {}, "out": str(tmp_path / "two")}
    assert f"{tmp_path}/one: 1 files of what Hornbook dropped are not read; name them to read them" in notes
    assert clean([tmp_path / "one" / "dropped"], tmp_path / "three").entered == 1
