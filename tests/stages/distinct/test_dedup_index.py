import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import HornbookError, StoreError
from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe import DistinctTable
from pipeline.stages.distinct.index import Index
from pipeline.stages.distinct.stage import Distinct


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


SAID = ["Add one and double it.", "Twice the next number.", "What follows x, times two.", "Double the y of x."]


def worded(said: str, name: str = "y", number: int = 1) -> Exercise:
    prompt, solution = f'def f(x):\n    """{said}"""\n', f"    {name} = x + {number}\n    return {name} * 2\n"
    return Exercise(prompt=prompt, solution=solution, entry_point="f", test="", test_owner="teacher")


def test_of_a_solution_in_the_index_no_other_wording_is_kept(tmp_path: Path) -> None:
    table = DistinctTable(max_wordings=2, max_constant_variants=1)
    index = Index(table)
    assert len(kept(list(Distinct(table, index=index)([worded(SAID[0])])))) == 1
    index.save(tmp_path)
    (drop,) = Distinct(table, index=Index.load(tmp_path, table))([worded(SAID[1])])
    assert isinstance(drop, Dropped)
    assert (drop.reason, drop.kept_id) == ("clone", worded(SAID[0]).id)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.builds(worded, st.sampled_from(SAID), st.sampled_from(["y", "number", "z"]), st.integers(1, 3))),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 2),
)
def test_the_same_documents_again_keep_nothing(
    exercises: list[Exercise], as_passages: int, wordings: int, variants: int
) -> None:
    records: list[Document] = [*exercises, *(Passage(text=e.text, origin="o") for e in exercises[:as_passages])]
    table = DistinctTable(max_wordings=wordings, max_constant_variants=variants)
    index = Index(table)
    first = kept(list(Distinct(table, index=index)(records)))
    assert len(index) == len(first)
    assert not kept(list(Distinct(table, index=index)(records)))
    with tempfile.TemporaryDirectory() as folder:
        index.save(Path(folder))
        loaded = Index.load(Path(folder), table)
    assert not kept(list(Distinct(table, index=loaded)(records)))
    assert len(loaded) == len(first)


def test_a_table_that_is_full_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    table = DistinctTable()
    index = Index(table)
    assert len(kept(list(Distinct(table, index=index)(documents(0, 20))))) == 20
    monkeypatch.setattr("pipeline.stages.distinct.index.MOST_ENTRIES", 700)
    with pytest.raises(
        HornbookError, match=r"holds 20 documents with 680 entries; 340 more would pass .* 700 \(34 a"
    ) as e:
        list(Distinct(table, index=index)(documents(20, 30)))
    assert e.value.hint == "split the corpus, or set distinct.bands below 32"


def test_stamps_begin_again_before_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    table = DistinctTable(clones=False)
    index = Index(table)
    assert len(kept(list(Distinct(table, index=index)(documents(0, 20))))) == 20
    near: list[Document] = [Passage(text=d.text + " end") for d in documents(0, 20)]
    before = [(o.record.id, o.kept_id) for o in Distinct(table, index=index)(near) if isinstance(o, Dropped)]
    monkeypatch.setattr("pipeline.stages.distinct.index.MOST_ENTRIES", 20 * 34 + 34 * 20)
    index._stamp = 1_359
    after = [(o.record.id, o.kept_id) for o in Distinct(table, index=index)(near) if isinstance(o, Dropped)]
    assert before == after
    assert index._stamp < 100


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
    rooms = ("distinct", "quality", "decontaminated", "raw_code")
    code = f"import sys, pipeline.clean.clean, {', '.join(f'pipeline.stages.{room}' for room in rooms)}\n"
    code += "print(*{'numba', 'sklearn', 'torch', 'datasets', 'pyarrow'} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []
