"""The stage `prompts`: each seed rendered with the recipe's template for its kind. Nothing is dropped here."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from pathlib import Path
from typing import Any, ClassVar

from pipeline.core import identity
from pipeline.core.errors import InputError, RecipeError
from pipeline.core.records import Prompt, Seed, Task
from pipeline.core.resources import shipped
from pipeline.core.stage import Dropped, Kept
from pipeline.core.template import Template, load, template_digest
from pipeline.recipe import PromptsTable, SeedsTable
from pipeline.recipe_teachers import TeacherTable
from pipeline.stages.prompts.step import STEP
from pipeline.stages.seeds.sampling import draw

SAMPLE_TASK = Task(
    entry_point="longest_run",
    prompt=(
        "def longest_run(values: list[int]) -> int:\n"
        '    """Length of the longest stretch of equal neighbours in values; 0 for an empty list.\n'
        "\n"
        "    >>> longest_run([1, 1, 2, 2, 2, 1])\n"
        "    3\n"
        '    """\n'
    ),
    test="assert longest_run([]) == 0\nassert longest_run([4]) == 1\nassert longest_run([1, 1, 2, 2, 2, 1]) == 3\n",
)
"""What `check` and `preview` show for seeds that carry a task."""


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """One template that cannot be used. message names the file and, where there is one, the line."""

    path: Path
    message: str


def variables(seed: Seed) -> dict[str, Any]:
    """The values that a textbook or exercise template is given; `SEED_VARIABLES` are their names."""
    return {
        "title": seed.title,
        "topic": seed.topic,
        "path": [part.replace("-", " ") for part in seed.topic.split("/")],
        "audience": seed.audience,
        "audience_note": seed.audience_note,
        "form": seed.form,
        "form_note": seed.form_note,
        "function_name": seed.function_name,
        "words": list(seed.words),
        "task": seed.task,
    }


def folder(table: PromptsTable) -> Path:
    """The folder of templates that a recipe's `prompts` table means."""
    return Path(table.folder) if table.folder else shipped("prompts")


def _names(table: PromptsTable) -> dict[str, str]:
    return {"textbook": table.textbook, "exercise": table.exercise, "exercise_with_task": table.exercise_with_task}


def _load_for(table: PromptsTable, key: str) -> Template:
    """The template of one key of `[prompts]`. Raises InputError, or RecipeError where it is of another kind."""
    template = load(folder(table) / _names(table)[key])
    kind = "textbook" if key == "textbook" else "exercise"
    if template.kind != kind:
        raise RecipeError(
            f"'prompts.{key}' is {_names(table)[key]}, a template of kind {template.kind}; kind {kind} is wanted",
            hint=f'name another template, or set kind = "{kind}" in its front matter',
        )
    if "task" in template.variables and key != "exercise_with_task":
        raise RecipeError(
            f"'prompts.{key}' is {_names(table)[key]}, which needs a task; only 'prompts.exercise_with_task' has one",
            hint="name another template",
        )
    return template


def digest(table: PromptsTable) -> str:
    """Digest of the three templates that the recipe may render, for the stage's key. Raises InputError."""
    place = folder(table)
    return identity.digest({key: template_digest(place / name) for key, name in _names(table).items()})


@dataclass(frozen=True, slots=True)
class Render:
    """Seed -> Prompt. A seed with a task uses `exercise_with_task`, any other the template of its kind.

    A template is read when the first seed needs it, so a recipe without textbooks needs no textbook template.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    table: PromptsTable = field(default_factory=PromptsTable)

    def __call__(self, records: Iterable[Seed]) -> Iterator[Kept[Prompt] | Dropped]:
        templates: dict[str, Template] = {}
        for seed in records:
            key = "exercise_with_task" if seed.task else seed.kind
            if key not in templates:
                templates[key] = _load_for(self.table, key)
            template = templates[key]
            yield Kept(
                Prompt(
                    seed=seed,
                    messages=template.messages(**variables(seed)),
                    template=_names(self.table)[key],
                    template_digest=template.digest,
                )
            )


def check(place: Path) -> list[TemplateProblem]:
    """Load and render every template below a folder; one problem for each template that cannot be used.

    Textbook and exercise templates are rendered with seeds of the shipped data folder, with and without required
    words; judge templates with their own `[sample]`.
    """
    paths = [path for path in sorted(place.rglob("*.md")) if path.name != "README.md"]
    if not paths:
        return [TemplateProblem(place, f"{place}: no template (*.md) in this folder")]
    samples = _sample_seeds(4, words=2), _sample_seeds(4, words=0)
    problems = []
    for path in paths:
        try:
            template = load(path)
            if template.kind == "judge":
                template.messages(**template.sample)
                continue
            key = "exercise_with_task" if "task" in template.variables else template.kind
            for seed in (seed for sample in samples for seed in sample[key]):
                template.messages(**variables(seed))
        except InputError as error:
            problems.append(TemplateProblem(path, str(error)))
    return problems


def preview(table: PromptsTable, kind: str, n: int = 3, seed: int = 0) -> list[Prompt]:
    """`n` prompts of one kind, "textbook", "exercise" or "exercise_with_task", rendered for shipped seeds."""
    if kind not in _names(table):
        raise RecipeError(f"there are no prompts of kind '{kind}'", hint=f"the kinds are {', '.join(_names(table))}")
    outcomes = Render(table)(_sample_seeds(n, words=2, seed=seed)[kind])
    return [outcome.record for outcome in outcomes if isinstance(outcome, Kept)]


def _sample_seeds(n: int, words: int, seed: int = 0) -> dict[str, list[Seed]]:
    """`n` seeds of the shipped data folder for each key of `[prompts]`."""
    writer = TeacherTable(kind="sample", name="sample")
    weak = TeacherTable(kind="sample", name="sample", tests="seed")
    textbooks = draw(SeedsTable(textbooks=n, words=words), [writer], seed)
    exercises = draw(SeedsTable(exercises=n, words=words), [writer], seed)
    with_task = draw(SeedsTable(exercises=n), [weak], seed, lambda _seed, count: repeat(SAMPLE_TASK, count))
    return {"textbook": list(textbooks), "exercise": list(exercises), "exercise_with_task": list(with_task)}
