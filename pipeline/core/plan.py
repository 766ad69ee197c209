"""The ordered stages of a recipe, each with its content key. No I/O: what lies on disk comes in as digests.

A key is the hash of all that can change what the stage writes: its name and version, its recipe table, the keys of
its inputs and the digests of the files it reads; of a path only its last part, since what lies there is digested.
Execution settings are not among them. Since a key holds the keys of
its inputs, changing anything gives new keys to that stage and to all that follow, and to no other.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.identity import digest
from pipeline.recipe import Recipe, Table
from pipeline.recipe_paths import without_folders

KEY_LENGTH = 32
"""Hex digits of a key: 128 bits."""

VERSIONS: dict[str, int] = {
    "seeds": 1,
    "prompts": 1,
    "completions": 2,
    "raw-code": 5,
    "documents": 2,
    "validated": 2,
    "distinct": 5,
    "quality": 5,
    "decontaminated": 4,
    "tokens": 3,
    "soft-targets": 3,
    "student": 2,
    "samples-before": 4,
    "samples-after": 4,
    "scores": 3,
}
"""Version of each stage, in the order of the walk. Raised when the same settings come to mean other results."""


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage of one recipe. inputs: key of each stage it reads, by name. settings: what its key is the hash of."""

    name: str
    version: int
    key: str
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """All stages of a recipe, in an order in which each comes after its inputs."""

    stages: tuple[PlannedStage, ...]

    def __getitem__(self, name: str) -> PlannedStage:
        """The stage of that name; KeyError where the recipe has none."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(stage.name == name for stage in self.stages)

    @property
    def key(self) -> str:
        """Hash over all stages: equal for two runs if and only if they make the same things."""
        return digest([stage.key for stage in self.stages])[:KEY_LENGTH]

    def until(self, name: str) -> "Plan":
        """The stages up to and including `name`."""
        names = [stage.name for stage in self.stages]
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            guess = f"did you mean {near[0]!r}? " if near else ""
            raise UsageError(
                f"--until = {name!r}: this recipe has no such stage", hint=f"{guess}its stages are {', '.join(names)}"
            )
        return Plan(self.stages[: names.index(name) + 1])


def plan(recipe: Recipe, digests: Mapping[str, Any], generations: Mapping[str, str] | None = None) -> Plan:
    """The stages that `recipe` needs.

    digests: per stage, whatever identifies the files and models it reads (templates, seed data, teachers' identities,
    benchmark data, pretrained weights); a stage without an entry reads none. generations: of stages that a run was told
    to make again (`run --fresh`), the time of that wish.
    """
    recipe = without_folders(recipe)
    stages: dict[str, PlannedStage] = {}

    def add(name: str, inputs: tuple[str, ...] = (), **settings: Any) -> None:
        present = {source: stages[source].key for source in inputs if source in stages}
        plain = {k: v.model_dump(mode="json") if isinstance(v, Table) else v for k, v in settings.items()}
        if name in digests:
            plain["reads"] = digests[name]
        if generations and name in generations:
            plain["generation"] = generations[name]
        key = digest([name, VERSIONS[name], plain, sorted(present.items())])[:KEY_LENGTH]
        stages[name] = PlannedStage(name, VERSIONS[name], key, present, plain)

    if recipe.seeds.exercises or recipe.seeds.textbooks:
        asked = [[t.name, t.exercise_share, t.textbook_share, t.tests] for t in recipe.teachers]
        add("seeds", seeds=recipe.seeds, teachers=asked, seed=recipe.seed)
        add("prompts", ("seeds",), prompts=recipe.prompts)
        add("completions", ("prompts",), completions=recipe.completions)
    if recipe.sources.kind != "none":
        add("raw-code", sources=recipe.sources)
    if "completions" in stages:
        add("documents", ("completions",))
    add("validated", ("documents", "raw-code"), validated=recipe.validated)
    add("distinct", ("validated",), distinct=recipe.distinct)
    add("quality", ("distinct",), quality=recipe.quality, seed=recipe.seed)
    add("decontaminated", ("quality",), decontaminated=recipe.decontaminated)
    student_data = {"held_out": recipe.student.held_out, "seed": recipe.seed}
    add("tokens", ("decontaminated",), tokens=recipe.tokens, init=recipe.student.init, **student_data)
    distilled: dict[str, Any] = {"soft_targets": recipe.soft_targets} if recipe.soft_targets.teacher else {}
    if distilled and recipe.soft_targets.mode == "cached":
        # What is on disk does not depend on how it is used, so another alpha or divergence does not make it anew.
        written = recipe.soft_targets.model_dump(mode="json", include={"teacher", "top_k", "temperature"})
        add("soft-targets", ("tokens",), soft_targets=written, tokens=recipe.tokens)
    add("student", ("tokens", "soft-targets"), student=recipe.student, seed=recipe.seed, **distilled)
    sampling = recipe.evaluation.model_dump(
        mode="json", exclude={"before", "cpu_seconds", "memory_mb", "packages", "splits"}
    ) | {"seed": recipe.seed}
    if recipe.evaluation.benchmarks:
        if recipe.evaluation.before and recipe.student.init != "scratch" and not recipe.student.layers:
            add("samples-before", (), init=recipe.student.init, precision=recipe.student.precision, evaluation=sampling)
        add("samples-after", ("student",), evaluation=sampling)
        corpus = ("decontaminated",) if recipe.evaluation.splits else ()
        add(
            "scores",
            ("samples-before", "samples-after", *corpus),
            cpu_seconds=recipe.evaluation.cpu_seconds,
            memory_mb=recipe.evaluation.memory_mb,
            packages=list(recipe.evaluation.packages),
        )
    ordered = [stages[name] for name in VERSIONS if name in stages]
    return Plan(tuple(ordered))
