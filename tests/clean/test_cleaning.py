import gzip
import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.clean.clean import CleanSummary, clean
from pipeline.core.errors import InputError, UsageError
from pipeline.core.records import Problem
from pipeline.recipe import QualityTable


def long(i: int) -> str:
    """A text that no heuristic minds and that is like no other."""
    return (
        f"def task{i}(x):\n    "
        + " ".join(f"w{i}_{k} = x + {100 * i + k};" for k in range(12))
        + f"\n    return w{i}_0\n"
    )


def jsonl(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def kept(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "kept").to_pylist()  # type: ignore[no-any-return]


def dropped(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "dropped").to_pylist()  # type: ignore[no-any-return]


def balanced(summary: CleanSummary, out: Path) -> bool:
    on_disk = len(kept(out)) == summary.kept and len(dropped(out)) == sum(summary.dropped.values())
    return on_disk and summary.entered == summary.kept + sum(summary.dropped.values())


def test_texts_come_out_byte_for_byte_with_their_other_columns(tmp_path: Path) -> None:
    texts = [long(0) + "\r\n\ttrailing  ", long(1) + "ünï 漢字 \u2028 😀\n\n", "\n\n" + long(2) + "\x00\x1f"]
    rows = [{"content": text, "n": i, "tags": ["a"] * i, "score": i / 3} for i, text in enumerate(texts)]
    out = tmp_path / "out"
    summary = clean([jsonl(tmp_path / "in.jsonl", rows)], out)
    assert [row["text"] for row in kept(out)] == texts
    assert [(row["n"], row["tags"], row["score"]) for row in kept(out)] == [
        (r["n"], r["tags"], r["score"]) for r in rows
    ]
    assert "content" not in kept(out)[0]
    assert summary.to_json() == {"in": 3, "kept": 3, "dropped": {}, "out": str(out)}
    assert json.loads((out / "clean.json").read_text())["in"] == 3


def test_duplicates_across_files_name_a_survivor_that_is_there(tmp_path: Path) -> None:
    base = long(1)
    near = base.replace("return w1_0", "return w1_1")
    a = jsonl(tmp_path / "a.jsonl", [{"text": base}, {"text": long(2)}, {"text": "x = 1"}])
    b = jsonl(tmp_path / "b.jsonl", [{"text": base}, {"text": near}, {"text": near}, {"text": "x = 1"}])
    out = tmp_path / "out"
    summary = clean([a, b], out)
    assert balanced(summary, out)
    ids = {row["id"]: row["text"] for row in kept(out)}
    for row in dropped(out):
        assert row["reason"] in ("exact-duplicate", "near-duplicate", "too-short")
        if row["reason"] != "too-short":
            assert row["kept_id"] in ids
            assert row["similarity"] >= 0.7
            words, others = (re.findall(r"\w+", t) for t in (row["text"], ids[row["kept_id"]]))
            x, y = ({tuple(w[i : i + 5]) for i in range(len(w) - 4)} for w in (words, others))
            assert row["similarity"] == pytest.approx(len(x & y) / len(x | y))
    assert summary.dropped == {"exact-duplicate": 1, "near-duplicate": 2, "too-short": 2}
    assert len(ids) == 2


def test_rows_without_a_usable_text_are_dropped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps({"text": long(1)}).encode() + b"\r\n\n"
        b'{"text": "cut off\n{"text": null}\n{"text": 5}\n{"other": 1}\n[1, 2]\n"text"\n'
        b'{"text": "\xff\xfe"}\n{"text": "\\ud800"}\n' + json.dumps({"text": long(2)}).encode()
    )
    out = tmp_path / "out"
    summary = clean([path], out)
    assert summary.dropped == {"unreadable": 8}
    assert summary.kept == 2
    assert balanced(summary, out)
    details = [row["detail"] for row in dropped(out)]
    assert details[0].startswith("not JSON")
    assert details[1:6] == [
        "text is null, not a string",
        "text is int, not a string",
        "no field text or content",
        "the row is list, not an object",
        "the row is str, not an object",
    ]
    assert details[6].startswith("not UTF-8")
    assert "surrogate" in details[7]
    assert dropped(out)[0]["origin"] == f"{path}:3"


def test_parquet_json_arrays_and_packed_files(tmp_path: Path) -> None:
    table = pa.table({"text": [long(1), None], "id": ["mine", "yours"], "when": pa.array([1, 2], pa.timestamp("us"))})
    pq.write_table(table, tmp_path / "a.parquet")
    (tmp_path / "b.json").write_text(json.dumps([{"text": long(2)}, {"text": long(3)}]), encoding="utf-8")
    with gzip.open(tmp_path / "c.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({"text": long(4)}) + "\n")
    out = tmp_path / "out"
    summary = clean([tmp_path / "a.parquet", tmp_path / "b.json", tmp_path / "c.jsonl.gz"], out)
    assert (summary.entered, summary.kept, summary.dropped) == (5, 4, {"unreadable": 1})
    first = kept(out)[0]
    assert first["input_id"] == "mine"
    assert first["when"] == table["when"][0].as_py()


def test_a_dictionary_column_and_bytes_are_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": pa.array([long(1), long(2)]).dictionary_encode()}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"text": pa.array([long(3).encode(), b"\xff"], pa.binary())}), tmp_path / "b.parquet")
    summary = clean([tmp_path / "a.parquet", tmp_path / "b.parquet"], tmp_path / "out")
    assert (summary.kept, summary.dropped) == (3, {"unreadable": 1})
    assert {row["text"] for row in kept(tmp_path / "out")} == {long(1), long(2), long(3)}


def test_a_folder_of_code_and_a_folder_of_data(tmp_path: Path) -> None:
    code = tmp_path / "package"
    (code / "sub").mkdir(parents=True)
    (code / ".git").mkdir()
    (code / "__pycache__").mkdir()
    for place in ("a.py", "sub/b.py", ".git/c.py", "__pycache__/d.py"):
        (code / place).write_bytes(long(len(place)).replace("\n", "\r\n").encode())
    (code / "latin.py").write_bytes(
        b"# -*- coding: latin-1 -*-\n# " + "é".encode("latin-1") + b"\n" + long(50).encode()
    )
    (code / "broken.py").write_bytes(b"x = '\xff'\n" + long(51).encode())
    out = tmp_path / "out"
    summary = clean([code], out)
    assert (summary.kept, summary.dropped) == (3, {"unreadable": 1})
    assert {row["origin"] for row in kept(out)} == {"package/a.py", "package/sub/b.py", "package/latin.py"}
    assert long(4).replace("\n", "\r\n") in {row["text"] for row in kept(out)}
    data = tmp_path / "data"
    data.mkdir()
    jsonl(data / "part-0.jsonl", [{"text": long(1)}])
    jsonl(data / "part-1.jsonl", [{"text": long(2)}])
    assert clean([data], tmp_path / "out2").kept == 2


def test_a_saved_dataset(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"text": [long(1), long(2)], "label": [0, 1]})
    rows.save_to_disk(tmp_path / "one")
    datasets.DatasetDict({"train": rows, "test": rows}).save_to_disk(tmp_path / "both")
    assert clean([tmp_path / "one"], tmp_path / "out").kept == 2
    summary = clean([tmp_path / "both"], tmp_path / "out2")
    assert (summary.kept, summary.dropped) == (2, {"exact-duplicate": 2})


def test_columns_without_one_type_are_written_as_json(tmp_path: Path) -> None:
    rows = [{"text": long(1), "x": 1, "meta": {"a": 1}}, {"text": long(2), "x": "one", "meta": {"b": [2]}}]
    out = tmp_path / "out"
    clean([jsonl(tmp_path / "in.jsonl", [*rows, {"text": long(3), "big": 2**70}])], out)
    assert [row["x"] for row in kept(out)] == ["1", '"one"', None]
    assert [row["meta"] and json.loads(row["meta"]) for row in kept(out)] == [{"a": 1}, {"b": [2]}, None]
    assert kept(out)[2]["big"] == str(2**70)


def test_decontamination_names_the_problem(tmp_path: Path) -> None:
    solution = (
        "    best = {}\n    for k, v in pairs:\n        if k not in best or best[k] < v:\n"
        "            best[k] = v\n    return sorted(best.items())\n"
    )
    problem = Problem(
        benchmark="b",
        task_id="b/7",
        prompt='def top(pairs):\n    """Largest value of every key, sorted by key."""\n',
        entry_point="top",
        test="assert top([]) == []",
        canonical_solution=solution,
    )
    path = jsonl(tmp_path / "in.jsonl", [{"text": problem.prompt + solution}, {"text": long(1)}])
    summary = clean([path], tmp_path / "out", problems=[problem])
    assert summary.dropped == {"ngram-overlap": 1}
    assert dropped(tmp_path / "out")[0]["detail"].startswith("b/7: 13 words")


def test_report_only_writes_nothing_and_counts_the_same(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "in.jsonl", [{"text": long(1)}, {"text": long(1)}, {"text": "short"}])
    events: list[Any] = []
    report = clean([path], tmp_path / "none", report_only=True, on_event=events.append)
    assert not (tmp_path / "none").exists()
    assert clean([path], None, report_only=True) == report
    with pytest.raises(UsageError, match=r"no output folder is named\n  name one with --to, or count alone with --rep"):
        clean([path], None)
    summary = clean([path], tmp_path / "out")
    assert report.to_json() | {"out": ""} == summary.to_json() | {"out": ""}
    assert [e["stage"] for e in events if e["event"] == "stage-finished"] == ["quality", "distinct"]
    assert "1 dropped: exact-duplicate" in summary.to_text()


def test_running_again_replaces_earlier_results_and_nothing_else(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "in.jsonl", [{"text": long(1)}])
    out = tmp_path / "out"
    assert clean([path], out) == clean([path], out)
    jsonl(path, [{"text": long(2)}, {"text": long(3)}])
    events: list[Any] = []
    assert clean([path], out, on_event=events.append).kept == 2
    assert any("replacing" in event.get("text", "") for event in events)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.jsonl", "out"]
    other = tmp_path / "mine"
    other.mkdir()
    (other / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not empty"):
        clean([path], other)
    with pytest.raises(UsageError, match="lies in the output folder"):
        clean([out / "kept"], out)


def test_empty_inputs_are_no_error(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"")
    summary = clean([tmp_path / "empty.jsonl"], tmp_path / "out")
    assert summary.to_json() == {"in": 0, "kept": 0, "dropped": {}, "out": str(tmp_path / "out")}
    assert kept(tmp_path / "out") == dropped(tmp_path / "out") == []


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("absent.jsonl", None, "no such file"),
        ("table.csv", b"text\nhello\n", "cannot tell what kind of file"),
        ("bad.parquet", b"PAR1 not really", "not a Parquet file"),
        ("bad.jsonl.gz", b"not gzip at all", "cannot be read"),
        ("names.jsonl", b'{"body": "x"}\n{"body": "y"}\n', "no field 'text' or 'content'; its fields are body"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_named_and_nothing_is_written(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        clean([tmp_path / name], tmp_path / "out")
    assert name in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_the_field_can_be_named(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "in.jsonl", [{"body": long(1), "text": "a title"}])
    clean([path], tmp_path / "out", field="body")
    (row,) = kept(tmp_path / "out")
    assert (row["text"], row["input_text"]) == (long(1), "a title")
    with pytest.raises(InputError, match="'boddy'"):
        clean([path], tmp_path / "out2", field="boddy")


def test_settings_that_would_change_texts_are_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "in.jsonl", [{"text": long(1)}])
    with pytest.raises(UsageError, match="mask"):
        clean([path], tmp_path / "out", quality=QualityTable(secrets="mask"))
    with pytest.raises(UsageError, match="judge"):
        clean([path], tmp_path / "out", quality=QualityTable(classifier=True))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.text(max_size=60), st.integers(0, 6).map(long), st.none()), max_size=10))
def test_every_row_comes_out_once(tmp_path_factory: pytest.TempPathFactory, values: list[str | None]) -> None:
    folder = tmp_path_factory.mktemp("rows")
    path = jsonl(folder / "in.jsonl", [{"text": value, "n": i} for i, value in enumerate(values)])
    if values and all(v is None for v in values):
        values = []
    summary = clean([path], folder / "out")
    assert balanced(summary, folder / "out")
    rows = kept(folder / "out") + dropped(folder / "out")
    assert sorted(row["n"] for row in rows if row["n"] is not None) == list(range(summary.entered))
    originals = dict(enumerate(values))
    assert all(row["text"] == originals[row["n"]] for row in kept(folder / "out"))


def test_documents_labelled_bad_are_left_out_and_other_ids_told(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "in.jsonl", [{"text": long(0)}, {"text": long(1)}])
    clean([source], tmp_path / "first")
    (bad,) = [row for row in kept(tmp_path / "first") if row["text"] == long(1)]
    labels = jsonl(tmp_path / "labels.jsonl", [{"id": bad["id"], "label": "bad", "note": "dull"}])
    table, told = QualityTable(exclude=str(labels)), list[Any]()
    summary = clean([source], tmp_path / "second", quality=table, on_event=told.append)
    assert (summary.kept, summary.dropped) == (1, {"excluded": 1})
    assert [row["detail"] for row in dropped(tmp_path / "second")] == ["labelled bad in labels.jsonl: dull"]
    jsonl(labels, [{"id": "f" * 24, "label": "bad"}])
    clean([source], tmp_path / "third", quality=table, on_event=told.append)
    (note,) = [event["text"] for event in told if "quality.exclude" in str(event.get("text"))]
    assert "1 of 1 ids labelled bad in labels.jsonl are of no document" in note
