"""What must not change when the code is moved about: every stage's key, and what a small run keeps.

A key that changes makes everybody's stored work again, so it changes only where a stage's version was raised or its
settings grew. Both files in tests/golden/ are written anew by `python tests/test_golden.py`; the diff is the change.
"""

import hashlib
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import walk, walks
from pipeline.execution import Execution
from pipeline.recipe_text import load, shipped_recipes
from pipeline.run.run import run
from pipeline.stages.making import TextStep
from pipeline.store.places import places as places_at

GOLDEN = Path(__file__).parent / "golden"
READS = {name: f"what {name} reads" for name in walks.names()}
"""In place of the digests of files and weights, which are other things' golden values."""
VARIANTS = {
    "tiny with every stage": (
        "tiny",
        [
            "sources.kind=stdlib",
            "student.init=smollm2",
            "tokens.tokenizer=student",
            "soft_targets.teacher=smollm2",
            'evaluation.benchmarks=["held-out", "composed"]',
            "evaluation.likelihood=true",
        ],
    ),
    "tiny reworded": ("tiny", ["teachers.0.kind=local", "rewordings.per_exercise=2"]),
    "tiny online": ("tiny", ["soft_targets.teacher=smollm2", "soft_targets.mode=online"]),
    "tiny of real code alone": ("tiny", ["sources.kind=stdlib", "seeds.exercises=0", "seeds.textbooks=0"]),
}

_MEAN = '''def mean(values):
    """The arithmetic mean of numbers, 0.0 of none: what is added up is divided by how many there are."""
    if not values:
        return 0.0
    total = 0
    for value in values:
        total += value
    return total / len(values)
'''
CODE = {
    "mean": _MEAN,
    "mean_again": _MEAN,
    "renamed": _MEAN.replace("total", "amount").replace("value", "number"),
    "repeated": _MEAN * 4,
    "short": "x = 1\n",
    "broken": "def broken(:\n",
}


def keys() -> dict[str, dict[str, str]]:
    """Key by stage, of every shipped recipe and of variants that need the stages no recipe has."""
    wanted = {name: (name, []) for name in shipped_recipes()} | VARIANTS
    return {
        title: {stage.name: stage.key for stage in walks.of(recipe).plan(recipe, READS).stages}
        for title, recipe in ((title, load(name, overrides).recipe) for title, (name, overrides) in wanted.items())
    }


def kept(data: Path) -> dict[str, dict[str, object]]:
    """Of `tiny`'s corpus, with files beside it for which stages have reasons: counts, and the digest of kept ids."""
    source = data / "code"
    source.mkdir(parents=True)
    for name, text in CODE.items():
        (source / f"{name}.py").write_text(text)
    wanted = load("tiny", ["sources.kind=folder", f"sources.path={source}"])
    places = places_at(str(data / "data"))
    run(replace(wanted, execution=Execution(workers=1)), places, name="golden", until="decontaminated")
    found = {}
    for entry in json.loads((places.runs / "golden" / "run.json").read_text())["stages"]:
        ids = sorted(record.id for record in places.store.kept(entry["name"], entry["key"]))
        manifest = places.store.manifest(entry["name"], entry["key"])
        assert manifest is not None
        found[entry["name"]] = {
            "in": manifest.entered,
            "kept": len(ids),
            "dropped": dict(sorted(manifest.dropped.items())),
            "ids": hashlib.sha256("\n".join(ids).encode()).hexdigest()[:16],
        }
    return found


def test_the_keys_of_all_shipped_recipes_are_those_written_down() -> None:
    assert keys() == json.loads((GOLDEN / "keys.json").read_text())


@pytest.mark.parametrize("changed", walk.WALK, ids=lambda step: step.name)
def test_a_step_whose_version_is_lowered_has_other_keys_than_those_written_down(
    changed: TextStep, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tuple(replace(step, version=step.version - 1) if step is changed else step for step in walk.WALK)
    monkeypatch.setattr(walk, "WALK", older)
    title = {"solutions": "record", "rewordings": "tiny reworded"}.get(changed.name, "tiny with every stage")
    name, overrides = VARIANTS.get(title, (title, []))
    stages = walk.plan(load(name, overrides).recipe, READS).stages
    written = json.loads((GOLDEN / "keys.json").read_text())[title]
    moved = {changed.name}
    for stage in stages:
        moved |= {stage.name} if moved & set(stage.inputs) else set()
    assert {stage.name for stage in stages if stage.key != written[stage.name]} == moved


def test_a_small_run_keeps_and_drops_the_records_written_down(tmp_path: Path) -> None:
    assert kept(tmp_path) == json.loads((GOLDEN / "kept.json").read_text())


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for name, found in (("keys", keys()), ("kept", kept(Path(folder)))):
            (GOLDEN / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
            sys.stdout.write(f"{GOLDEN / name}.json\n")
