"""The stage `prompts`: each seed rendered with its domain's template for its kind. Nothing is dropped here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

from pipeline.core import identity
from pipeline.core.errors import RecipeError
from pipeline.core.records import Prompt, Seed, Task
from pipeline.core.stage import Dropped, Kept
from pipeline.core.template import Template, load, template_digest
from pipeline.domains.domain import TEMPLATES, Domain
from pipeline.domains.items import task_of
from pipeline.domains.loading import load as load_domain
from pipeline.recipe import Recipe
from pipeline.recipe_seeds import SeedsTable
from pipeline.recipe_teachers import TeacherTable
from pipeline.stages.prompts.step import STEP
from pipeline.stages.seeds.files import seeds_in
from pipeline.stages.seeds.sampling import TASK_FORM, draw
from pipeline.teacher.composer import tasks as composed

_ASKING = ("passage", "exercise", "calls", "complete")
"""The templates that seeds are rendered with."""


def variables(seed: Seed) -> dict[str, Any]:
    """The values that a template is given for a seed: `SEED_VARIABLES`, and those of its axes."""
    given: dict[str, Any] = {
        "title": seed.title,
        "topic": seed.topic,
        "path": [part.replace("-", " ") for part in seed.topic.split("/")],
        "audience": seed.audience,
        "audience_note": seed.audience_note,
        "form": seed.form,
        "form_note": seed.form_note,
        "name": seed.function_name,
        "function_name": seed.function_name,
        "words": list(seed.words),
        "task": seed.task,
    }
    for choice in seed.axes:
        given[choice.axis] = choice.name
        given |= {f"{choice.axis}_{column.name}": column.text for column in choice.columns}
    return given


def template_of(seed: Seed, calling: frozenset[str] = frozenset()) -> str:
    """Which of `TEMPLATES` a seed is rendered with. calling: teachers whose exercises show calls and bring no test."""
    if seed.task:
        return "complete"
    if seed.kind == "textbook":
        return "passage"
    return "calls" if seed.teacher in calling else "exercise"


def calling(domain: Domain, teachers: Sequence[TeacherTable]) -> frozenset[str]:
    """The teachers whose exercises need no test of their own, because solutions agree on one: they are asked by the
    template `calls`, where the domain has it."""
    return frozenset(one.name for one in teachers if one.tests == "agreement" and "calls" in domain.templates)


def digest(domain: Domain) -> str:
    """Digest of the templates that seeds of the domain are rendered with, for the stage's key."""
    return identity.digest({key: template_digest(domain.template(key)) for key in _ASKING if key in domain.templates})


@dataclass(frozen=True, slots=True)
class Render:
    """Seed -> Prompt. A seed with a task uses `complete`, any other the template of its kind and teacher (`calling`).

    A recipe without textbooks needs no template of passages: raises RecipeError when the first seed needs one that the
    domain has not.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    domain: Domain
    calling: frozenset[str] = frozenset()

    def __call__(self, records: Iterable[Seed]) -> Iterator[Kept[Prompt] | Dropped]:
        templates: dict[str, Template] = {}
        for seed in records:
            key = template_of(seed, self.calling)
            if key not in templates:
                templates[key] = self._load(key)
            template = templates[key]
            yield Kept(
                Prompt(
                    seed=seed,
                    messages=template.messages(**variables(seed)),
                    template=self.domain.templates[key],
                    template_digest=template.digest,
                )
            )

    def _load(self, key: str) -> Template:
        if key not in self.domain.templates:
            raise RecipeError(
                f"domain '{self.domain.name}' has no template '{key}'; {TEMPLATES[key]} is missing from "
                f"{self.domain.folder}",
                hint="write it, or ask for no document of this kind",
            )
        return load(self.domain.template(key), self.domain.variables)


def rendered(
    recipe: Recipe, table: SeedsTable | None = None, teachers: Sequence[TeacherTable] | None = None
) -> Iterator[Prompt]:
    """The prompts of a recipe, drawn and rendered as its stages do. table, teachers: in place of the recipe's."""
    domain = load_domain(recipe.domain)
    teachers = teachers or recipe.teachers
    drawn = draw(domain, table or recipe.seeds, teachers, recipe.seed, composed)
    drawn = drawn if table else chain(drawn, seeds_in(recipe))
    return (outcome.record for outcome in Render(domain, calling(domain, teachers))(drawn) if isinstance(outcome, Kept))


def with_task(domain: Domain) -> Prompt:
    """What asks for the solution of the domain's first example; raises RecipeError without such a template."""
    task: Task = task_of(domain.examples[0].item, domain)
    seed = Seed(kind="exercise", number=0, topic="", title="", audience="", form=TASK_FORM, task=task)
    (outcome,) = Render(domain)([seed])
    assert isinstance(outcome, Kept)
    return outcome.record
