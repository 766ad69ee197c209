"""Seeds that are given beside those drawn."""

import json
from pathlib import Path

import pytest

from pipeline import walk
from pipeline.core.errors import InputError
from pipeline.core.records import Seed, Task
from pipeline.recipe_text import load
from pipeline.stages.seeds.files import read, seeds_in, write


def seed(number: int, teacher: str = "composer", task: Task | None = None) -> Seed:
    return Seed(
        kind="exercise", number=number, topic="a/b", title="b", audience="x", form="y", teacher=teacher, task=task
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    given = [seed(1), seed(2, task=Task(entry_point="f", prompt='def f():\n    """f"""\n', test="assert f() == 1\n"))]
    write(tmp_path / "seeds.jsonl", given)
    assert [one for one, _ in read(tmp_path / "seeds.jsonl")] == given


def test_keys_change_with_the_seeds_and_not_with_their_place(tmp_path: Path) -> None:
    def key(folder: str, numbers: list[int]) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        file = tmp_path / folder / "seeds.jsonl"
        write(file, map(seed, numbers))
        recipe = load("tiny", (f'seeds.more=["{file}"]',)).recipe
        return walk.plan(recipe, walk.reads(recipe))["seeds"].key

    plain = load("tiny").recipe
    assert key("one", [1, 2]) == key("other", [1, 2]) != key("one", [1, 3])
    assert walk.plan(plain, walk.reads(plain))["seeds"].key != key("one", [1])


def test_a_seed_of_a_teacher_that_is_not_there_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "seeds.jsonl", [seed(1), seed(2, "nobody")])
    recipe = load("tiny", (f'seeds.more=["{tmp_path}/seeds.jsonl"]',)).recipe
    with pytest.raises(InputError, match=r"line 2: asks for the teacher 'nobody'; the recipe has composer"):
        list(seeds_in(recipe))


@pytest.mark.parametrize("row", [{"type": "seed"}, {"type": "odd", "id": "1"}, {}])
def test_what_is_no_seed_is_refused_with_its_line(tmp_path: Path, row: dict[str, str]) -> None:
    (tmp_path / "seeds.jsonl").write_text(json.dumps(row))
    with pytest.raises(InputError, match="line 1: is no seed"):
        list(read(tmp_path / "seeds.jsonl"))
