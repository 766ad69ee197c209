"""A run of which a file is gone, cut short or overwritten: every verb that looks at it says so in one line."""

import json
import shutil

import pytest
from hostile import check

VERBS = [
    ["status", "LATEST"],
    ["show", "LATEST", "{stage}"],
    ["show", "LATEST", "{stage}", "--dropped", "all"],
    ["trace", "LATEST", "{record}"],
    ["trace", "LATEST", "composed/0"],
    ["diff", "LATEST", "LATEST"],
    ["report", "LATEST"],
    ["runs", "compare", "LATEST", "LATEST"],
    ["store", "gc"],
    ["export", "LATEST", "--to", "{out}"],
]
DAMAGE = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "other bytes": lambda path: path.write_bytes(b"\xff\x00" * 50),
    "list": lambda path: path.write_text("[]"),
    "object": lambda path: path.write_text("{}"),
    "stages that are none": lambda path: path.write_text('{"stages": [1, {}, {"name": "seeds"}], "format": 1}'),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A data folder with a run that ended after its tokens, and the id of a document."""
    data = tmp_path_factory.mktemp("whole") / "data"
    recipe = data.with_name("mine.toml")
    recipe.write_text(
        "name = 'mine'\n[seeds]\nexercises = 3\n[[teachers]]\nname = 't'\nkind = 'composer'\n"
        "[student]\ninit = 'scratch'\n[tokens]\ntokenizer = 'train'\nvocabulary = 300\n"
        "[decontaminated]\nbenchmarks = ['composed']\n[evaluation]\nbenchmarks = ['composed']\n"
    )
    assert check(["run", str(recipe), "--until", "tokens", "--data", str(data), "--json"]).code == 0
    shown = check(["show", "LATEST", "quality", "--data", str(data), "--json"])
    return data, json.loads(shown.out)["records"][0]["id"]


def files_of(data):
    return sorted(
        path.relative_to(data)
        for path in data.rglob("*")
        if path.is_file() and path.suffix in (".json", ".jsonl", ".toml", ".parquet", ".bin") and path.stat().st_size
    )


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_one_line_to_every_verb(damage, whole, tmp_path):
    data, record = whole
    for number, file in enumerate(files_of(data)):
        mine = tmp_path / str(number)
        shutil.copytree(data, mine)
        DAMAGE[damage](mine / file)
        stage = file.parts[1] if file.parts[0] == "store" else "seeds"
        for verb in VERBS:
            words = [word.format(stage=stage, record=record, out=tmp_path / f"out{number}") for word in verb]
            check([*words, "--data", str(mine), "--json"])
        shutil.rmtree(mine)


@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "gone"])
@pytest.mark.parametrize("file", ["run.json", "manifest.json"])
def test_a_broken_run_is_listed_beside_the_others(file, damage, whole, tmp_path):
    data, _ = whole
    mine = tmp_path / "data"
    shutil.copytree(data, mine)
    [run] = (mine / "runs").iterdir()
    other = mine / "runs" / "other"
    shutil.copytree(run, other)
    (other / "run.json").write_text(json.dumps(json.loads((run / "run.json").read_text()) | {"stages": []}))
    DAMAGE[damage](run / "run.json" if file == "run.json" else next((mine / "store" / "seeds").glob("*/manifest.json")))
    listed = {
        one["name"]: one["state"] for one in json.loads(check(["runs", "--data", str(mine), "--json"]).out)["runs"]
    }
    assert listed["other"] == "done"
    assert listed[run.name] in ("unreadable", "unknown")
    assert check(["runs", "rm", run.name, "--yes", "--data", str(mine), "--json"]).code == 0
