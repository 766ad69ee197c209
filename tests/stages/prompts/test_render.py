"""The stage `prompts`, on the shipped templates and on a copied domain."""

import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import InputError, RecipeError
from pipeline.core.records import Prompt, Seed, Task
from pipeline.core.resources import shipped
from pipeline.core.stage import Kept, Tally, checked
from pipeline.core.template import template_digest
from pipeline.recipe import PromptsTable, SeedsTable
from pipeline.recipe_teachers import ReplayTable
from pipeline.stages.prompts import stage as prompting
from pipeline.stages.prompts.stage import Render, check, preview
from pipeline.stages.seeds.sampling import draw

TASK = Task(entry_point="g", prompt='def g(x):\n    """Double x."""\n', test="assert g(1) == 2\n")


def seeds(textbooks: int = 0, exercises: int = 0, words: int = 2) -> list[Seed]:
    teacher = ReplayTable(name="t")
    return list(draw(SeedsTable(textbooks=textbooks, exercises=exercises, words=words), [teacher], 3))


def rendered(records: list[Seed], table: PromptsTable | None = None) -> list[Prompt]:
    tally = Tally()
    stage = Render(table or PromptsTable())
    prompts = [outcome.record for outcome in checked(stage, records, tally) if isinstance(outcome, Kept)]
    assert tally.kept == tally.entered == len(records)
    return prompts


@pytest.fixture
def domain(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("prompts"), tmp_path / "prompts"))


def test_every_shipped_template_renders() -> None:
    assert check(shipped("prompts")) == []


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
        assert prompt.template_digest == template_digest(shipped("prompts") / prompt.template)


def test_a_task_is_given_as_it_is() -> None:
    seed = Seed(kind="exercise", number=0, topic="", title="", audience="", form="complete", task=TASK)
    [prompt] = rendered([seed])
    assert prompt.template == "exercise/complete.md"
    assert f"```python\n{TASK.prompt}```" in prompt.messages[-1].content


def test_different_seeds_make_different_prompts() -> None:
    prompts = rendered(seeds(textbooks=200, exercises=200))
    assert len({prompt.messages for prompt in prompts}) == 400


def test_a_copied_domain_is_used(domain: Path) -> None:
    table = PromptsTable(folder=str(domain))
    assert prompting.digest(table) == prompting.digest(PromptsTable())
    path = domain / "textbook" / "passage.md"
    path.write_text(path.read_text().replace("Write one section of a textbook.", "Write one page of chemistry."))
    assert prompting.digest(table) != prompting.digest(PromptsTable())
    assert "Write one page of chemistry." in rendered(seeds(textbooks=1), table)[0].messages[1].content


def test_templates_that_no_seed_needs_are_not_read(domain: Path) -> None:
    (domain / "exercise" / "write.md").unlink()
    table = PromptsTable(folder=str(domain))
    assert len(rendered(seeds(textbooks=2), table)) == 2
    with pytest.raises(InputError, match=r"template .*write\.md is missing"):
        rendered(seeds(exercises=1), table)


def test_a_template_of_another_kind_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"'prompts.textbook' is exercise/write\.md, a template of kind exercise"):
        rendered(seeds(textbooks=1), PromptsTable(textbook="exercise/write.md"))
    with pytest.raises(RecipeError, match="needs a task"):
        rendered(seeds(exercises=1), PromptsTable(exercise="exercise/complete.md"))


def test_check_reports_each_broken_template(domain: Path) -> None:
    write, passage = domain / "exercise" / "write.md", domain / "textbook" / "passage.md"
    write.write_text(write.read_text().replace("{{ function_name }}", "{{ functon_name }}"))
    passage.write_text(passage.read_text().replace("{{ title }}", "{{ title.nothing }}"))
    (domain / "judge" / "broken.md").parent.mkdir(exist_ok=True)
    (domain / "judge" / "broken.md").write_text("no front matter")
    problems = check(domain)
    assert [problem.path for problem in problems] == [write, domain / "judge" / "broken.md", passage]
    assert "did you mean 'function_name'" in problems[0].message
    assert "has no attribute 'nothing'" in problems[2].message


def test_check_of_an_empty_folder_says_so(tmp_path: Path) -> None:
    assert "no template" in check(tmp_path)[0].message


@pytest.mark.parametrize("kind", ["textbook", "exercise", "exercise_with_task"])
def test_preview_renders_samples(kind: str) -> None:
    prompts = preview(PromptsTable(), kind, 3)
    assert len(prompts) == 3
    assert all(prompt.messages for prompt in prompts)


def test_preview_of_an_unknown_kind_lists_the_kinds() -> None:
    with pytest.raises(RecipeError, match="no prompts of kind 'poem'"):
        preview(PromptsTable(), "poem")
