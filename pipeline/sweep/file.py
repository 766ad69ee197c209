"""The file of a sweep: a base recipe, arms that change it, seeds, and which arms are compared; all errors at once.

An arm's recipe is the base with three layers over it: what the file, or its scale, sets for all arms, what the arm
sets, and the seed. What is given on the command line comes last, in all arms.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.core.errors import RecipeError, UsageError
from pipeline.core.names import LONGEST, Name
from pipeline.recipe_base import Json, Seed, Table
from pipeline.recipe_checks import refused
from pipeline.recipe_images import ImageRecipe
from pipeline.recipe_problems import validated
from pipeline.recipe_text import Layer, Loaded, Text, load, parsed, read, shipped_recipes
from pipeline.report.arms import BEFORE

FOLDER = "recipes/experiments"
INSTEAD = "; `hornbook sweep` lists experiments that work"

Settings = Annotated[dict[str, Json], Field(default_factory=dict)]


class ArmTable(Table):
    """One arm."""

    name: Name
    """The arm's name in tables and in its runs' names."""
    caption: str = ""
    """What is different in it, in a few words."""
    series: str = ""
    """Where `fit` is true, the line that the arm is a point of."""
    set: Settings
    """Settings of the recipe that differ from the base."""


class ScaleTable(Table):
    """The same experiment at another size: another base recipe, seeds and settings."""

    recipe: str = ""
    """Base recipe; "" for the sweep's."""
    seeds: tuple[Seed, ...] = ()
    """Seeds; empty for the sweep's."""
    set: Settings
    """Settings of all arms, in place of the sweep's."""


class SweepTable(Table):
    """A whole sweep."""

    name: Name
    """With what its runs' names begin, and the name of its folder."""
    description: str = ""
    """A line about what it shows."""
    recipe: str
    """Base recipe: a shipped name, or a path from the file."""
    seeds: tuple[Seed, ...] = (1,)
    """Seeds of each arm."""
    seed_key: Literal["student.seed", "seed"] = "student.seed"
    """What a seed sets: training alone, so that arms share their corpus, or the whole recipe. Of a recipe over images
    it is always the whole recipe."""
    set: Settings
    """Settings of all arms."""
    arms: tuple[ArmTable, ...]
    """The arms, in the order in which they are made and shown."""
    pairs: tuple[tuple[str, ...], ...] = ()
    """Arms to compare, the second with the first; empty for each arm with the one before it."""
    split_by: str = ""
    """The arm by whose corpus problems are told apart that have something similar in it, and others; "" for none."""
    fit: bool = False
    """Whether the rate is fitted against the logarithm of the tokens trained on, a line for each series."""
    scales: Annotated[dict[str, ScaleTable], Field(default_factory=dict)]
    """The same at other sizes, by name."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of a sweep. run: its name."""

    arm: str
    seed: int
    run: str
    loaded: Loaded


@dataclass(frozen=True)
class Sweep:
    """A checked sweep. name: with the scale's where there is one. pairs: (first, second) arms. source: its file."""

    name: str
    table: SweepTable
    arms: tuple[ArmTable, ...]
    pairs: tuple[tuple[str, str], ...]
    trials: tuple[Trial, ...]
    source: str
    recipe: str
    scale: str = ""

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """Of each arm."""
        return tuple(dict.fromkeys(trial.seed for trial in self.trials))

    def of(self, arm: str) -> tuple[Trial, ...]:
        """The runs of an arm."""
        return tuple(trial for trial in self.trials if trial.arm == arm)


def shipped() -> dict[str, str]:
    """Text of each experiment that comes with Hornbook, by name."""
    return shipped_recipes(FOLDER)


def read_sweep(
    name_or_path: str,
    overrides: Sequence[str] = (),
    *,
    scale: str = "",
    arms: Sequence[str] = (),
    seeds: Sequence[int] = (),
) -> Sweep:
    """Read a sweep by shipped name or path, and the recipe of each of its runs.

    arms: those to make, all where none is named. seeds: in place of the file's. Raises RecipeError with every problem
    of the file and of all arms; nothing is made.
    """
    given = read(name_or_path, "experiment", shipped())
    data = parsed(given.text, given.source)
    problems: list[str] = []
    table = validated(SweepTable, data, "", problems)
    if table is None:
        raise refused(f"{given.source} has", problems, INSTEAD)
    size = _scale(table, scale)
    wanted = tuple(seeds or size.seeds or table.seeds)
    name = f"{table.name}-{scale}" if scale else table.name
    problems += _inconsistencies(table, name, wanted)
    recipe = _recipe(size.recipe or table.recipe, given.folder)
    if not problems:
        trials = _trials(table, size, name, recipe, given, wanted, overrides, problems)
    if problems:
        raise refused(f"{given.source} has", problems, INSTEAD)
    chosen = _chosen(table, arms)
    pairs = tuple((first, second) for first, second in table.pairs) or tuple(pairwise(a.name for a in table.arms))
    return Sweep(name, table, chosen, pairs, tuple(trials), given.source, recipe, scale)


def _scale(table: SweepTable, name: str) -> ScaleTable:
    if name and name not in table.scales:
        known = ", ".join(table.scales) or "none"
        raise UsageError(f"--scale = {name!r}: the sweep has no such scale", hint=f"its scales: {known}")
    return table.scales[name] if name else ScaleTable(recipe=table.recipe, set=table.set)


def _chosen(table: SweepTable, names: Sequence[str]) -> tuple[ArmTable, ...]:
    known = [arm.name for arm in table.arms]
    for name in names:
        if name not in known:
            raise UsageError(f"--arm = {name!r}: the sweep has no such arm", hint=f"its arms are {', '.join(known)}")
    return tuple(arm for arm in table.arms if not names or arm.name in names)


def _recipe(name: str, folder: Path | None) -> str:
    """The base recipe: a file beside the sweep's, else a name."""
    beside = folder / Path(name).expanduser() if folder else None
    return str(beside) if beside is not None and beside.is_file() else name


def _inconsistencies(table: SweepTable, name: str, seeds: Sequence[int]) -> list[str]:
    """Names that refer to nothing, or are used twice."""
    known = [arm.name for arm in table.arms]
    problems = [
        f"arms: the name {one!r} is used {count} times; names must differ"
        for one, count in Counter(known).items()
        if count > 1
    ]
    if not known:
        problems.append("arms = []: there is nothing to make; add an [[arms]] table with a name")
    if not seeds:
        problems.append("seeds = []: there is nothing to make; name one seed or more, e.g. [1, 2, 3]")
    if BEFORE in known:
        problems.append(f"arms: the name {BEFORE!r} is the untrained student's; choose another")
    for number, pair in enumerate(table.pairs):
        for one in (one for one in pair if one not in known and one != BEFORE):
            problems.append(f"pairs.{number} = {list(pair)}: there is no arm {one!r}; arms: {', '.join(known)}")
        if len(pair) != 2:
            problems.append(f"pairs.{number} = {list(pair)}: {len(pair)} names; a pair has two")
        elif pair[0] == pair[1]:
            problems.append(f"pairs.{number} = {list(pair)}: an arm beside itself; name two arms")
    if table.split_by and table.split_by not in known:
        problems.append(f"split_by = {table.split_by!r}: there is no such arm; arms: {', '.join(known)}")
    if len(set(seeds)) < len(seeds):
        problems.append(f"seeds = {list(seeds)}: a seed is named twice; name each once")
    longest = max((f"{name}.{arm}.{seed}" for arm in known for seed in seeds), key=len, default="")
    if len(longest) > LONGEST:
        problems.append(
            f"name = {name!r}: its longest run would be called {longest[:40]!r}..., {len(longest)} characters; at most "
            f"{LONGEST}: shorten the name, or the arm's"
        )
    return problems


def _trials(
    table: SweepTable,
    size: ScaleTable,
    name: str,
    recipe: str,
    given: Text,
    seeds: Sequence[int],
    overrides: Sequence[str],
    problems: list[str],
) -> list[Trial]:
    """The runs of all arms; what is wrong with all arms is said once, what with one with its name."""
    found: list[Trial] = []
    wrong: dict[str, list[str]] = {}

    def loaded_for(arm: ArmTable, layers: list[Layer]) -> Loaded | None:
        try:
            return load(recipe, overrides, layers)
        except RecipeError as error:
            for problem in error.problems:
                names = wrong.setdefault(problem, [])
                names += [] if arm.name in names else [arm.name]
            return None

    for arm in table.arms:
        layers = [Layer(values, given.folder) for values in (size.set, arm.set)]
        unseeded = loaded_for(arm, layers)
        if unseeded is None:
            continue
        key = "seed" if isinstance(unseeded.recipe, ImageRecipe) else table.seed_key
        if any(_sets(layer.values, key) for layer in layers) or key in (text.partition("=")[0] for text in overrides):
            problem = f"{key} is set by the experiment's seeds, one for each run; leave it out"
            wrong.setdefault(problem, []).append(arm.name)
            continue
        for seed in seeds:
            loaded = loaded_for(arm, [*layers, Layer(_seeded(key, seed))])
            if loaded is not None:
                found.append(Trial(arm.name, seed, f"{name}.{arm.name}.{seed}", loaded))
    for problem, names in wrong.items():
        where = "every arm" if len(names) == len(table.arms) else f"arm {', '.join(names)}"
        problems.append(f"{where}: {problem}")
    return found


def _sets(values: Mapping[str, Any], key: str) -> bool:
    """Whether settings, tables in tables, have a key of one part or two."""
    outer, _, inner = key.partition(".")
    below = values.get(outer)
    return inner in below if inner and isinstance(below, Mapping) else below is not None


def _seeded(key: str, seed: int) -> Mapping[str, Any]:
    outer, _, inner = key.partition(".")
    return {outer: {inner: seed} if inner else seed}
