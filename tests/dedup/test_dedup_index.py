import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.dedup import Distinct, Index
from pipeline.errors import StoreError
from pipeline.recipe import DistinctTable
from pipeline.records import Document, Exercise, Passage
from pipeline.stage import Dropped, Kept


def function(i: int, name: str = "f") -> str:
    return f"def {name}(a{i}):\n    b = a{i} + {i}\n    return [b] * {i + 3}\n"


def documents(start: int, stop: int) -> list[Document]:
    return [Passage(text=function(i) + f"# {'very ' * (i % 7)}long note number {i}\n") for i in range(start, stop)]


def kept(outcomes: list[Kept[Document] | Dropped]) -> set[str]:
    return {o.record.id for o in outcomes if isinstance(o, Kept)}


def test_a_new_batch_is_compared_with_the_index_on_disk(tmp_path: Path) -> None:
    table = DistinctTable()
    index = Index(table)
    first = list(Distinct(table, index=index)(documents(0, 40)))
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index", table)
    assert len(loaded) == len(kept(first)) == 40
    batch = [*documents(30, 50), Passage(text=function(5, "renamed").replace("b", "result"))]
    second = list(Distinct(table, index=loaded)(batch))
    drops = [o for o in second if isinstance(o, Dropped)]
    assert sorted(d.reason for d in drops) == ["clone", *["exact-duplicate"] * 10]
    assert {d.kept_id for d in drops} <= kept(first)
    assert len(loaded) == 50
    loaded.save(tmp_path / "index")
    third = list(Distinct(table, index=Index.load(tmp_path / "index", table))(batch))
    assert not kept(third)


def test_an_index_grows_past_its_first_room_and_past_what_was_loaded(tmp_path: Path) -> None:
    table = DistinctTable(clones=False)
    texts = [f"alpha{i} beta{i} gamma{i} delta{i} epsilon{i} zeta{i}" for i in range(6_000)]
    records: list[Document] = [Passage(text=text) for text in texts]
    index = Index(table)
    assert len(kept(list(Distinct(table, index=index)(records[:4_000])))) == 4_000
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index", table)
    assert len(kept(list(Distinct(table, index=loaded)(records)))) == 2_000
    assert len(loaded) == 6_000
    assert {loaded.id(number) for number in range(6_000)} == {record.id for record in records}


def test_one_pass_and_two_passes_keep_the_same_when_nothing_is_alike(tmp_path: Path) -> None:
    table = DistinctTable()
    once = kept(list(Distinct(table)(documents(0, 60))))
    index = Index(table)
    first = kept(list(Distinct(table, index=index)(documents(0, 30))))
    second = kept(list(Distinct(table, index=index)(documents(30, 60))))
    assert once == first | second


def test_constant_variants_are_counted_across_batches(tmp_path: Path) -> None:
    def exercise(n: int) -> Exercise:
        docstring = " ".join(f"word{i}" for i in range(50))
        prompt = f'def f(x):\n    """{docstring}"""\n'
        return Exercise(
            prompt=prompt, solution=f"    return x * {n}\n", entry_point="f", test="assert f", test_owner="seed"
        )

    table = DistinctTable(max_constant_variants=3)
    index = Index(table)
    assert len(kept(list(Distinct(table, index=index)([exercise(1), exercise(2)])))) == 2
    index.save(tmp_path)
    again = Index.load(tmp_path, table)
    assert len(kept(list(Distinct(table, index=again)([exercise(n) for n in (3, 4, 5)])))) == 1


def test_an_index_with_other_settings_is_refused(tmp_path: Path) -> None:
    Index(DistinctTable()).save(tmp_path)
    with pytest.raises(StoreError, match=r"distinct\.shingle = 5, not 3"):
        Index.load(tmp_path, DistinctTable(shingle=3))
    with pytest.raises(StoreError, match=r"index\.json is missing"):
        Index.load(tmp_path / "nowhere", DistinctTable())


def test_an_index_from_before_a_setting_has_its_default(tmp_path: Path) -> None:
    Index(DistinctTable()).save(tmp_path)
    about = json.loads((tmp_path / "index.json").read_text())
    del about["table"]["max_wordings"]
    (tmp_path / "index.json").write_text(json.dumps(about))
    assert len(Index.load(tmp_path, DistinctTable())) == 0
    with pytest.raises(StoreError, match=r"distinct\.max_wordings = 1, not 2"):
        Index.load(tmp_path, DistinctTable(max_wordings=2))


def test_wordings_kept_before_are_counted(tmp_path: Path) -> None:
    def exercise(said: str) -> Exercise:
        prompt, solution = f'def f(x):\n    """{said}"""\n', "    y = x + 1\n    return y * 2\n"
        return Exercise(prompt=prompt, solution=solution, entry_point="f", test="", test_owner="teacher")

    table = DistinctTable(max_wordings=2, max_constant_variants=1)
    said = ["Add one and double it.", "Twice the next number.", "What follows x, times two."]
    index = Index(table)
    assert len(kept(list(Distinct(table, index=index)([exercise(said[0])])))) == 1
    for count, text in ((1, said[1]), (0, said[2])):
        index.save(tmp_path)
        index = Index.load(tmp_path, table)
        assert len(kept(list(Distinct(table, index=index)([exercise(text)])))) == count


def test_an_index_of_an_older_format_is_refused(tmp_path: Path) -> None:
    Index(DistinctTable()).save(tmp_path)
    about = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "index.json").write_text(json.dumps(about | {"format": 2}))
    with pytest.raises(StoreError, match="has index format 2, this version reads 3"):
        Index.load(tmp_path, DistinctTable())


def test_an_unfinished_save_is_no_index(tmp_path: Path) -> None:
    Index(DistinctTable()).save(tmp_path)
    (tmp_path / "index.json").unlink()
    with pytest.raises(StoreError):
        Index.load(tmp_path, DistinctTable())


def test_importing_the_package_does_not_import_numba() -> None:
    code = (
        "import sys, pipeline.dedup, pipeline.quality, pipeline.decontamination, pipeline.sources, pipeline.cleaning\n"
    )
    code += "print(*{'numba', 'sklearn', 'torch', 'datasets', 'pyarrow'} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
