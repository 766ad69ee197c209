"""Datasets on the hub, with a stand-in for its loader, and the part of a dataset that is asked for."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import InputError, RecipeError
from pipeline.core.stage import Kept
from pipeline.recipe_sources import SourcesTable
from pipeline.recipe_text import load
from pipeline.stages.raw_code.stage import passages
from pipeline.stages.raw_code.step import STEP

CODE = "def double(x):\n    return 2 * x\n"
STACK = {"kind": "dataset", "path": "bigcode/the-stack-dedup", "data_dir": "data/python"}


def kept(table: SourcesTable) -> list[str]:
    return [outcome.record.text for outcome in passages(table) if isinstance(outcome, Kept)]  # type: ignore[attr-defined]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the hub's loader is asked, and its rows or the error that it raises, under "rows"."""
    import datasets

    asked: dict[str, Any] = {"rows": []}

    def load_dataset(path: str, **settings: Any) -> Iterator[dict[str, Any]]:
        asked.update(settings, path=path)
        for row in asked["rows"]:
            if isinstance(row, Exception):
                raise row
            asked["read"] = asked.get("read", 0) + 1
            yield row

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return asked


def test_the_part_that_a_recipe_names_is_asked_for_and_streamed(hub: dict[str, Any]) -> None:
    hub["rows"] = [{"content": f"{CODE}# {n}\n", "lang": "Python"} for n in range(9)]
    table = SourcesTable(**STACK, split="test", revision="v1.2", limit=2)
    assert kept(table) == [f"{CODE}# 0\n", f"{CODE}# 1\n"]
    rest = {"data_dir": "data/python", "split": "test", "revision": "v1.2", "streaming": True}
    assert {name: hub[name] for name in rest} == rest
    assert hub["path"] == "bigcode/the-stack-dedup"
    assert hub["read"] == 2, "what comes after the limit is not read"


def test_what_a_recipe_does_not_say_is_left_to_the_hub(hub: dict[str, Any]) -> None:
    hub["rows"] = [{"content": CODE}]
    assert kept(SourcesTable(kind="dataset", path="some/code")) == [CODE]
    assert (hub["data_dir"], hub["split"], hub["revision"]) == (None, "train", None)


def test_languages_are_told_by_the_columns_that_sets_have_for_them(hub: dict[str, Any]) -> None:
    hub["rows"] = [
        {"content": CODE + "# a\n", "lang": "Python"},
        {"content": CODE + "# b\n", "language": "python"},
        {"content": CODE + "# c\n", "programming_language": "Cython"},
        {"content": CODE + "# d\n"},
    ]
    assert len(kept(SourcesTable(kind="dataset", path="some/code"))) == 4
    wanted = SourcesTable(kind="dataset", path="some/code", languages=("PYTHON",))
    assert kept(wanted) == [CODE + "# a\n", CODE + "# b\n"]


@pytest.mark.parametrize(
    "said",
    [
        "Dataset 'bigcode/the-stack-dedup' is a gated dataset on the Hub. You must be authenticated to access it.",
        "403 Client Error. Cannot access gated repo for url https://huggingface.co/api/datasets/x",
        "401 Client Error: Unauthorized for url",
    ],
)
def test_a_gated_set_says_in_a_line_what_it_needs(hub: dict[str, Any], said: str) -> None:
    hub["rows"] = [OSError(said)]
    with pytest.raises(InputError) as caught:
        kept(SourcesTable(**STACK))
    assert "needs the token of an account that has accepted its terms" in caught.value.message
    assert "https://huggingface.co/datasets/bigcode/the-stack-dedup" in caught.value.hint
    assert "HF_TOKEN" in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


def test_a_set_that_breaks_off_or_is_not_there_names_what_was_asked(hub: dict[str, Any]) -> None:
    hub["rows"] = [{"content": CODE}, OSError("Couldn't find data/python at\nrevision 14010")]
    with pytest.raises(InputError) as caught:
        kept(SourcesTable(**STACK))
    assert caught.value.message == (
        "dataset 'bigcode/the-stack-dedup' (data_dir = 'data/python', split = 'train') cannot be read: "
        "Couldn't find data/python at revision 14010"
    )


def test_a_local_copy_is_read_below_the_same_folder(tmp_path: Path) -> None:
    for language, text in (("python", CODE), ("cython", "cdef int x\n")):
        folder = tmp_path / "data" / language
        folder.mkdir(parents=True)
        pq.write_table(pa.table({"content": [text]}), folder / "train-00000-of-00001.parquet")
    assert kept(SourcesTable(kind="dataset", path=str(tmp_path), data_dir="data/python")) == [CODE]
    with pytest.raises(InputError, match=r"sources.data_dir = 'data/rust': there is no such folder"):
        kept(SourcesTable(kind="dataset", path=str(tmp_path), data_dir="data/rust"))


def test_what_is_asked_for_enters_the_key_and_what_is_not_does_not() -> None:
    def settings(*overrides: str) -> Any:
        recipe = load("tiny", ["sources.kind=dataset", "sources.path=some/code", *overrides]).recipe
        return STEP.settings(recipe)["sources"]

    assert not {"data_dir", "languages", "split", "revision"} & settings().keys()
    assert settings("sources.revision=v1.2")["revision"] == "v1.2"
    assert settings('sources.languages=["python"]')["languages"] == ["python"]


def test_a_part_of_what_is_no_dataset_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"sources.data_dir counts for kind = 'dataset' alone, got kind = 'stdlib'"):
        load("tiny", ["sources.kind=stdlib", "sources.data_dir=data/python"])
