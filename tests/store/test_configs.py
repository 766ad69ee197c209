"""What the library datasets makes of our folders, by the library itself."""

import json

import datasets
import pytest

from pipeline.clean.clean import clean
from pipeline.core.records import Passage
from pipeline.core.stage import Dropped, Kept, Tally
from pipeline.store.configs import front_matter
from pipeline.store.store import Store, Writer


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()


def artifact(tmp_path, kept, dropped):
    store, tally = Store(str(tmp_path / "store")), Tally(kept + dropped, kept)
    writer = Writer(store, "quality", "k", [Passage], [Passage])
    for number in range(kept):
        writer.write(Kept(Passage(text=f"text {number}")))
    for number in range(dropped):
        tally.dropped["too-short"] += 1
        writer.write(Dropped(Passage(text=str(number)), "too-short", "1 < 40"))
    writer.finish(tally, version=1, inputs={}, settings={}, facts={}, made_by="test", seconds=1, cpu_seconds=1)
    return store.folder("quality", "k")


def loaded(folder, *name):
    found = datasets.load_dataset(str(folder), *name)
    return {split: rows.num_rows for split, rows in found.items()}, found["train"].column_names


def test_an_artifacts_folder_loads_as_what_was_kept(tmp_path):
    folder = artifact(tmp_path, 30, 20)
    counts, columns = loaded(folder)
    assert counts == {"train": 30}
    assert "text" in columns
    assert "reason" not in columns
    assert loaded(folder, "kept") == (counts, columns)
    counts, columns = loaded(folder, "dropped")
    assert counts == {"train": 20}
    assert {"reason", "detail"} <= set(columns)


def test_an_artifact_that_dropped_nothing_has_no_such_configuration(tmp_path):
    folder = artifact(tmp_path, 3, 0)
    assert datasets.get_dataset_config_names(folder) == ["kept"]
    assert loaded(folder)[0] == {"train": 3}


def test_an_artifact_that_kept_nothing_never_loads_as_what_was_dropped(tmp_path):
    folder = artifact(tmp_path, 0, 3)
    with pytest.raises(datasets.exceptions.DatasetGenerationError):
        loaded(folder)
    assert loaded(folder, "dropped")[0] == {"train": 3}


@pytest.mark.parametrize("bad", [0, 2])
def test_what_clean_wrote_loads_as_what_was_kept(tmp_path, bad):
    rows = [{"text": f"def f{n}(x):\n    '''Adds {n} to x, a number.'''\n    return x + {n}\n"} for n in range(6)]
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in [*rows, *[{"text": None}] * bad]))
    found = clean([source], tmp_path / "out")
    counts, columns = loaded(tmp_path / "out")
    assert counts == {"train": found.kept}
    assert "reason" not in columns
    assert sum(found.dropped.values()) == bad
    if bad:
        assert loaded(tmp_path / "out", "dropped")[0] == {"train": bad}
    else:
        assert datasets.get_dataset_config_names(str(tmp_path / "out")) == ["kept"]


def test_several_splits_are_listed_under_their_configuration():
    assert front_matter({"corpus": {"train": "a", "test": "b"}, "other": {"train": "c"}}) == (
        "configs:\n"
        "- config_name: corpus\n  default: true\n  data_files:\n"
        "  - split: train\n    path: a\n  - split: test\n    path: b\n"
        "- config_name: other\n  data_files:\n  - split: train\n    path: c\n"
    )
