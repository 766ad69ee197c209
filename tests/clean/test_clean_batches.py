"""clean with an index of earlier batches, settings, executors, and the split of a benchmark."""

import fcntl
import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from pipeline.clean.clean import CleanSummary, clean, is_setting
from pipeline.cli.main import main
from pipeline.core.errors import RecipeError, StoreBusy, StoreError, UsageError
from pipeline.core.records import Problem
from pipeline.recipe import DecontaminatedTable, DistinctTable
from pipeline.recipe_text import settings
from pipeline.stages.distinct.index import Index
from pipeline.work.local import Processes


def long(i: int) -> str:
    """A text that no heuristic minds and that is like no other."""
    names = " ".join(f"w{i}_{k} = x + {100 * i + k};" for k in range(12))
    return f"def task{i}(x):\n    {names}\n    return w{i}_0\n"


def near(i: int) -> str:
    return long(i).replace(f"return w{i}_0", f"return w{i}_1")


def batch(folder: Path, name: str, texts: list[str]) -> Path:
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return path


def kept(out: Path) -> dict[str, str]:
    return {row["id"]: row["text"] for row in pq.read_table(out / "kept").to_pylist()}


def dropped(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "dropped").to_pylist()  # type: ignore[no-any-return]


def test_a_second_batch_is_compared_with_what_the_first_kept(tmp_path: Path) -> None:
    index = tmp_path / "index"
    first = batch(tmp_path, "a", [long(i) for i in range(6)])
    assert clean([first], tmp_path / "a", index=index).kept == 6
    second = batch(tmp_path, "b", [long(0), near(1), long(7), long(7)])
    summary = clean([second], tmp_path / "b", index=index)
    assert summary.dropped == {"exact-duplicate": 2, "near-duplicate": 1}
    assert list(kept(tmp_path / "b").values()) == [long(7)]
    before = kept(tmp_path / "a")
    named = {row["text"]: row["kept_id"] for row in dropped(tmp_path / "b")}
    assert before[named[long(0)]] == long(0)
    assert before[named[near(1)]] == long(1)
    assert clean([second], tmp_path / "c", index=index).kept == 0
    about = json.loads((tmp_path / "b" / "clean.json").read_text())["index"]
    assert (about["documents_before"], about["documents"]) == (6, 7)


def test_the_order_within_a_batch_does_not_matter(tmp_path: Path) -> None:
    texts = [text for i in range(12) for text in (long(i), near(i))]
    found = []
    for number in range(3):
        random.Random(number).shuffle(texts)
        place = tmp_path / str(number)
        place.mkdir()
        clean([batch(place, "a", texts[:5] and sorted(texts)[:6])], place / "a", index=place / "index")
        clean([batch(place, "b", texts)], place / "b", index=place / "index")
        found.append(kept(place / "b"))
    assert found[0] == found[1] == found[2]


def test_a_crash_before_the_index_is_saved_leaves_both_to_do_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, out = tmp_path / "index", tmp_path / "b"
    clean([batch(tmp_path, "a", [long(0)])], tmp_path / "a", index=index)
    path = batch(tmp_path, "b", [long(1), long(2)])

    def crash(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.stages.distinct.index.np.save", crash)
        with pytest.raises(KeyboardInterrupt):
            clean([path], out, index=index)
    assert len(Index.load(index, DistinctTable())) == 1
    assert clean([path], out, index=index).kept == 2
    assert len(Index.load(index, DistinctTable())) == 3
    assert sorted(p.name for p in index.iterdir() if p.is_dir()) == [
        f"{json.loads((index / 'index.json').read_text())['generation']:06}"
    ]


def test_results_whose_documents_are_in_the_index_are_not_replaced(tmp_path: Path) -> None:
    path = batch(tmp_path, "a", [long(0)])
    clean([path], tmp_path / "out", index=tmp_path / "index")
    with pytest.raises(UsageError, match="holds the results of an earlier batch"):
        clean([path], tmp_path / "out", index=tmp_path / "index")
    assert kept(tmp_path / "out")


def test_two_batches_at_once_are_refused(tmp_path: Path) -> None:
    index = tmp_path / "index"
    clean([batch(tmp_path, "a", [long(0)])], tmp_path / "a", index=index)
    with (index / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(StoreBusy, match="another batch"):
            clean([batch(tmp_path, "b", [long(1)])], tmp_path / "b", index=index)
    assert clean([batch(tmp_path, "b", [long(1)])], tmp_path / "b", index=index).kept == 1


def test_report_only_leaves_the_index_alone(tmp_path: Path) -> None:
    index = tmp_path / "index"
    clean([batch(tmp_path, "a", [long(0)])], tmp_path / "a", index=index)
    stamp = (index / "index.json").read_bytes()
    summary = clean([batch(tmp_path, "b", [long(0), long(1)])], tmp_path / "b", index=index, report_only=True)
    assert summary.dropped == {"exact-duplicate": 1}
    assert (index / "index.json").read_bytes() == stamp


def test_what_is_no_index_is_refused(tmp_path: Path) -> None:
    path = batch(tmp_path, "a", [long(0)])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="holds no index"):
        clean([path], tmp_path / "out", index=tmp_path / "mine")
    with pytest.raises(UsageError, match="is a file"):
        clean([path], tmp_path / "out", index=path)
    clean([path], tmp_path / "out", index=tmp_path / "index")
    with pytest.raises(StoreError, match=r"distinct\.similarity = 0\.7, not 0\.8"):
        clean([path], tmp_path / "o2", index=tmp_path / "index", distinct=DistinctTable(similarity=0.8))
    next((tmp_path / "index").glob("*/hashes.npy")).write_bytes(b"cut")
    with pytest.raises(StoreError, match="is not whole"):
        clean([path], tmp_path / "o2", index=tmp_path / "index")
    assert not (tmp_path / "o2").exists()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("said", ["not json", "[1]", '{"index": 5}', '{"index": {"folder": 1}}', "[" * 100_000])
def test_results_that_cannot_be_read_are_of_no_batch(tmp_path: Path, said: str) -> None:
    path = batch(tmp_path, "a", [long(0)])
    clean([path], tmp_path / "out", index=tmp_path / "index")
    (tmp_path / "out" / "clean.json").write_text(said)
    assert clean([path], tmp_path / "out", index=tmp_path / "index").dropped == {"exact-duplicate": 1}


def test_processes_and_any_memory_give_the_same_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [text for i in range(40) for text in (long(i), near(i % 9), "x = 1")]
    path = batch(tmp_path, "in", texts)

    def files(name: str, **more: Any) -> tuple[CleanSummary, list[Any]]:
        out = tmp_path / name
        summary = clean([path], out, problems=[worded(long(3))], **more)
        return summary, [pq.read_table(out / part).to_pylist() for part in ("kept", "dropped")]

    (one, rows), processes = files("one"), Processes(2, patience=0.0)
    many, others = files("many", executor=processes)
    processes.close()
    monkeypatch.setattr("pipeline.store.spool.MEMORY_CHARACTERS", 1_000)
    small, again = files("small")
    assert rows == others == again
    assert one.dropped == many.dropped == small.dropped
    assert {row["reason"] for row in rows[1]} >= {"too-short", "near-duplicate", "exact-duplicate", "ngram-overlap"}


def problem(solution: str, task_id: str = "b/1", benchmark: str = "b") -> Problem:
    name = solution.split("(")[0].removeprefix("def ")
    return Problem(
        benchmark=benchmark, task_id=task_id, prompt="", entry_point=name, test="", canonical_solution=solution
    )


def worded(text: str) -> Problem:
    """A problem without a solution: it has words, and no tree."""
    return Problem(benchmark="b", task_id="b/1", prompt=text, entry_point="f", test="", canonical_solution="")


def test_the_record_a_duplicate_names_is_kept_with_benchmarks_too(tmp_path: Path) -> None:
    texts = [text for i in range(10) for text in (long(i), near(i), near(i).replace("_1\n", "_2\n"))]
    summary = clean([batch(tmp_path, "in", texts)], tmp_path / "out", problems=[worded(long(i)) for i in range(4)])
    assert summary.dropped["ngram-overlap"] == 12
    ids = kept(tmp_path / "out")
    duplicates = [row for row in dropped(tmp_path / "out") if row["reason"] == "near-duplicate"]
    assert duplicates
    assert {row["kept_id"] for row in duplicates} <= ids.keys()


def test_copies_of_a_problem_make_no_stock_phrase(tmp_path: Path) -> None:
    words = " ".join(f"word{k}" for k in range(40))
    leaked = " ".join(f"leak{k}" for k in range(14))
    wanted = " ".join(f"other{k}" for k in range(60))
    texts = [f"{words} {leaked} copy {i}" for i in range(30)] + [long(i) for i in range(30)]
    summary = clean([batch(tmp_path, "in", texts)], tmp_path / "out", problems=[worded(f"{leaked} {wanted}")])
    assert summary.dropped == {"ngram-overlap": 30}


def test_the_split_of_a_benchmark_is_written(tmp_path: Path) -> None:
    theirs = "def g(n):\n    while n > 1:\n        n -= 2\n    return n == 0\n"
    problems = [problem(long(3).replace("return w3_0", "return w3_1 or x")), problem(theirs, "b/2")]
    table = DecontaminatedTable(ngram=400, tree=1.0)
    path = batch(tmp_path, "in", [long(i) for i in range(5)])
    clean([path], tmp_path / "out", problems=problems, decontaminated=table)
    (found,) = json.loads((tmp_path / "out" / "splits.json").read_text()).values()
    assert [s["tau"] for s in found["by_tau"]] == [0.95, 0.9, 0.85, 0.8]
    assert found["by_tau"][0] == {"tau": 0.95, "similar": ["b/1"], "non_similar": ["b/2"]}
    assert found["closest"][0]["document_id"] in kept(tmp_path / "out")
    clean([path], tmp_path / "out")
    assert not (tmp_path / "out" / "splits.json").exists()


def test_embedding_overlap_is_asked_of_the_model_given(tmp_path: Path) -> None:
    def embed(texts: Any) -> np.ndarray:
        return np.array([[1.0, 0.0] if "task3(" in t else [0.0, 1.0] for t in texts], dtype=np.float32)

    path = batch(tmp_path, "in", [long(i) for i in range(5)])
    table = DecontaminatedTable(embedding=0.9, ngram=500)
    theirs = "def task3(n):\n    while n > 1:\n        n -= 2\n    return n == 0\n"
    summary = clean([path], tmp_path / "out", problems=[problem(theirs)], decontaminated=table, embed=embed)
    assert summary.dropped == {"embedding-overlap": 1}
    assert dropped(tmp_path / "out")[0]["detail"] == "b/1: cosine 1.000 >= 0.9"


def test_settings_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = batch(tmp_path, "in", [long(1), near(1)])
    arguments = ["clean", str(path), "distinct.similarity=0.99", "--to", str(tmp_path / "out"), "--json"]
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--workers", "1"])
    assert end.value.code == 0
    assert json.loads(capsys.readouterr().out)["kept"] == 2
    with pytest.raises(SystemExit) as end:
        main([*arguments, "distinct.similarty=0.9"])
    assert end.value.code == 2
    assert "did you mean 'similarity'?" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--engine", "spark"])
    assert end.value.code == 2
    with pytest.raises(SystemExit) as end:
        main(["clean", "distinct.similarity=0.9", "--to", str(tmp_path / "out")])
    assert end.value.code == 2
    assert "no input is named" in capsys.readouterr().err


def test_a_file_named_like_a_setting_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_setting("distinct.x=1.jsonl")
    Path("distinct.x=1.jsonl").write_text("")
    assert not is_setting("distinct.x=1.jsonl")
    assert not is_setting("data.jsonl")


def test_settings_of_other_tables_are_refused() -> None:
    with pytest.raises(RecipeError, match="student: not a table that counts here; use distinct, execution"):
        settings(["student.dropout=0.1"], ["distinct", "execution"])
