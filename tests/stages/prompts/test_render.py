"""The stage `prompts`, on the shipped templates and on a copied domain."""

import json
import shutil
from itertools import islice
from pathlib import Path

import pytest

from pipeline.core.errors import RecipeError
from pipeline.core.identity import digest
from pipeline.core.records import Prompt, Seed, Task
from pipeline.core.stage import Kept, Tally, checked
from pipeline.core.template import template_digest
from pipeline.domains.domain import Domain
from pipeline.domains.loading import load
from pipeline.recipe_seeds import SeedsTable
from pipeline.recipe_teachers import ReplayTable
from pipeline.recipe_text import load as load_recipe
from pipeline.stages.prompts import stage as prompting
from pipeline.stages.prompts.stage import Render
from pipeline.stages.prompts.step import STEP
from pipeline.stages.seeds.sampling import draw

PYTHON = load("python")
TASK = Task(entry_point="g", prompt='def g(x):\n    """Double x."""\n', test="assert g(1) == 2\n")


def seeds(textbooks: int = 0, exercises: int = 0, words: int = 2) -> list[Seed]:
    teacher = ReplayTable(name="t")
    return list(draw(PYTHON, SeedsTable(textbooks=textbooks, exercises=exercises, words=words), [teacher], 3))


def rendered(records: list[Seed], domain: Domain | None = None) -> list[Prompt]:
    tally = Tally()
    stage = Render(domain or PYTHON)
    prompts = [outcome.record for outcome in checked(stage, records, tally) if isinstance(outcome, Kept)]
    assert tally.kept == tally.entered == len(records)
    return prompts


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PYTHON.folder, tmp_path / "python"))


def test_prompts_of_shipped_recipes_are_what_they_were() -> None:
    """Answers that were recorded are found by these digests."""
    for name, recorded in json.loads((Path(__file__).parent / "digests.json").read_text()).items():
        recipe = load_recipe(name, ["seeds.exercises=200", "seeds.textbooks=200"] if name == "phi-1" else []).recipe
        prompts = list(islice(prompting.rendered(recipe), 200))
        said = [digest([[m.role, m.content] for m in prompt.messages])[:12] for prompt in prompts]
        assert said == recorded["messages"], name
        assert digest([prompt.id for prompt in prompts]) == recorded["ids"], name


@pytest.mark.parametrize("words", [0, 1, 3])
def test_a_prompt_says_all_that_the_seed_asks_for(words: int) -> None:
    for prompt in rendered(seeds(textbooks=20, exercises=20, words=words)):
        seed = prompt.seed
        text = prompt.messages[-1].content
        wanted = [
            seed.title,
            seed.audience,
            seed.audience_note,
            seed.form,
            seed.form_note,
            seed.function_name,
            *seed.words,
        ]
        assert all(part in text for part in wanted)
        assert ("Words:" in text or "Use these words" in text) == bool(words)
        assert "\n\n\n" not in text
        assert "{{" not in text
        assert [message.role for message in prompt.messages] == ["system", "user"]


def test_the_template_and_its_digest_are_recorded() -> None:
    textbook, exercise = rendered(seeds(textbooks=1, exercises=1))
    assert (textbook.template, exercise.template) == ("textbook/passage.md", "exercise/write.md")
    for prompt in (textbook, exercise):
        assert prompt.template_digest == template_digest(PYTHON.folder / prompt.template)


def test_a_task_is_given_as_it_is() -> None:
    seed = Seed(kind="exercise", number=0, topic="", title="", audience="", form="complete", task=TASK)
    [prompt] = rendered([seed])
    assert prompt.template == "exercise/complete.md"
    assert f"```python\n{TASK.prompt}```" in prompt.messages[-1].content


def test_different_seeds_make_different_prompts() -> None:
    prompts = rendered(seeds(textbooks=200, exercises=200))
    assert len({prompt.messages for prompt in prompts}) == 400


def test_a_copied_domain_is_used(domain: Path) -> None:
    assert prompting.digest(load(str(domain))) == prompting.digest(PYTHON)
    path = domain / "textbook" / "passage.md"
    path.write_text(path.read_text().replace("Write one section of a textbook.", "Write one page of chemistry."))
    changed = load(str(domain))
    assert prompting.digest(changed) != prompting.digest(PYTHON)
    assert "Write one page of chemistry." in rendered(seeds(textbooks=1), changed)[0].messages[1].content


def test_a_template_is_missed_where_a_seed_needs_it(domain: Path) -> None:
    (domain / "exercise" / "write.md").unlink()
    path = domain / "domain.toml"
    path.write_text(path.read_text().replace('exercise = "exercise/write.md"\n', ""))
    without = load(str(domain))
    assert len(rendered(seeds(textbooks=2), without)) == 2
    with pytest.raises(RecipeError, match=r"has no template 'exercise'; exercise\.md is missing from"):
        rendered(seeds(exercises=1), without)


def test_exercises_whose_tests_are_agreed_on_show_calls_and_bring_none() -> None:
    """Those of its teachers alone, and where the domain has such a template."""
    teachers = [ReplayTable(name="a", tests="agreement"), ReplayTable(name="b")]
    records = list(draw(PYTHON, SeedsTable(textbooks=2, exercises=4, words=1), teachers, 3))
    calling = prompting.calling(PYTHON, teachers)
    prompts = [o.record for o in Render(PYTHON, calling)(records) if isinstance(o, Kept)]
    assert {(p.seed.kind, p.seed.teacher, p.template) for p in prompts} == {
        ("exercise", "a", "exercise/calls.md"),
        ("exercise", "b", "exercise/write.md"),
        ("textbook", "a", "textbook/passage.md"),
        ("textbook", "b", "textbook/passage.md"),
    }
    for prompt in prompts:
        seed, text = prompt.seed, prompt.messages[-1].content
        if prompt.template == "exercise/calls.md":
            wanted = [seed.title, seed.audience, seed.form, seed.form_note, f"`{seed.function_name}`", *seed.words]
            assert [part for part in wanted if part not in text] == []
    task = Seed(kind="exercise", number=0, topic="", title="", audience="", form="complete", teacher="a", task=TASK)
    assert prompting.template_of(task, calling) == "complete"
    sql = load("sql")
    assert "calls" not in sql.templates
    assert prompting.calling(sql, teachers) == frozenset()


def test_the_stage_reads_which_teachers_are_asked_for_calls() -> None:
    """Seeds are the same, so their key does not tell."""
    first, second = (
        load_recipe("first-run", [f"teachers.0.tests={tests}"]).recipe for tests in ("agreement", "teacher")
    )
    assert STEP.reads is not None
    assert STEP.reads(first) != STEP.reads(second)


def test_axes_and_their_columns_are_variables(domain: Path) -> None:
    axes = domain / "axes.toml"
    axes.write_text(axes.read_text() + '\n[level.easy]\nname = "without a trap"\nhint = "one idea alone"\n')
    path = domain / "exercise" / "write.md"
    text = path.read_text().replace('"words"]', '"words", "level", "level_hint", "name"]')
    path.write_text(text + "Level: {{ level }}, {{ level_hint }}, {{ name }}\n")
    mine = load(str(domain))
    [prompt] = rendered(list(draw(mine, SeedsTable(exercises=1), [ReplayTable(name="t")], 0)), mine)
    assert f"Level: without a trap, one idea alone, {prompt.seed.function_name}" in prompt.messages[-1].content


def test_a_task_is_asked_with_the_first_example() -> None:
    prompt = prompting.with_task(PYTHON)
    assert PYTHON.examples[0].item.prompt in prompt.messages[-1].content
