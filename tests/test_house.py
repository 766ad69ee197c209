"""The house: rooms in an order, imports that go one way between them, and a walk whose steps say all there is of it."""

import ast
import subprocess
import sys
from collections import Counter, defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from pipeline import walk, walks
from pipeline.core.records import Record
from pipeline.stages.making import TextStep

PACKAGE = Path(__file__).parents[1] / "pipeline"
FLOORS = (
    "core",
    "execution",
    "recipe",
    "store",
    "work",
    "files",
    "sandbox",
    "languages",
    "checkers",
    "domains",
    "models",
    "training",
    "teacher",
    "benchmarks",
    "stages",
    "stages/seeds",
    "stages/prompts",
    "stages/completions",
    "stages/raw_code",
    "stages/documents",
    "stages/solutions",
    "stages/validated",
    "stages/rewordings",
    "stages/distinct",
    "stages/quality",
    "stages/held_out",
    "stages/decontaminated",
    "stages/tokens",
    "stages/samples",
    "stages/scores",
    "stages/likelihoods",
    "stages/student",
    "stages/soft_targets",
    "vision",
    "walk",
    "walks",
    "run",
    "evaluation",
    "clean",
    "proving",
    "report",
    "export",
    "sweep",
    "improve",
    "view",
    "api",
    "cli",
)
"""Every room may import from those above it in this list, and from no other; so no two can know each other."""
WITH_CIRCLES = ("work", "cli")
"""Rooms of which some modules still know each other both ways."""


def _modules() -> dict[str, Path]:
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = ("pipeline", *path.relative_to(PACKAGE).with_suffix("").parts)
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = _modules()


def _room(module: str) -> str:
    parts = module.split(".")[1:]
    if parts[0] == "stages":
        in_folder = len(parts) > 2 or (len(parts) == 2 and f"pipeline.stages.{parts[1]}" in _PACKAGES)
        return f"stages/{parts[1]}" if in_folder else "stages"
    return "recipe" if parts[0].startswith("recipe") else parts[0]


_PACKAGES = {name for name, path in MODULES.items() if path.name == "__init__.py"}


def _imported(path: Path) -> set[str]:
    """Modules of the package that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("pipeline.")}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "pipeline":
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found - {"pipeline"}


def _arrows() -> dict[tuple[str, str], list[str]]:
    arrows = defaultdict(list)
    for module, path in MODULES.items():
        if module == "pipeline":
            continue
        for other in sorted(_imported(path)):
            if _room(module) != _room(other):
                arrows[_room(module), _room(other)].append(f"{module} imports {other}")
    return arrows


def test_every_room_has_its_floor() -> None:
    assert {_room(module) for module in MODULES if module != "pipeline"} == set(FLOORS)


def test_imports_go_one_way_between_the_rooms() -> None:
    wrong = [
        line for (room, other), lines in _arrows().items() for line in lines if FLOORS.index(other) > FLOORS.index(room)
    ]
    assert wrong == []


@pytest.mark.parametrize("room", [room for room in FLOORS if room not in WITH_CIRCLES])
def test_no_two_modules_of_a_room_know_each_other(room: str) -> None:
    inside = {module for module in MODULES if module != "pipeline" and _room(module) == room}
    # A stage has its name and its reasons from its step, which makes it.
    arrows = {
        module: {other for other in _imported(MODULES[module]) & inside if not other.endswith(".step")}
        for module in inside - _PACKAGES
    }
    assert set(TopologicalSorter(arrows).static_order()) >= inside - _PACKAGES


def test_steps_come_after_what_they_read_and_their_names_are_their_own() -> None:
    names = walks.names()
    assert len(set(names)) == len(names)
    for place, step in enumerate(walks.steps()):
        assert set(step.inputs) <= set(names[:place]), step.name


@pytest.mark.parametrize("step", walks.steps(), ids=lambda step: step.name)
def test_a_step_that_may_drop_says_why_and_of_what_type(step: TextStep) -> None:
    assert bool(step.reasons) <= bool(step.dropped)
    assert all(meaning and meaning[0].islower() and not meaning.endswith(".") for meaning in step.reasons.values())
    assert all(issubclass(kind, Record) for kind in (*step.kept, *step.dropped))
    assert step.corpus <= bool(step.kept)


def test_a_reason_belongs_to_one_step() -> None:
    """Or to two that are one: before training and after it."""
    owners = defaultdict(set)
    for step in walks.steps():
        for reason in step.reasons:
            owners[reason].add(step.name.removesuffix("-before").removesuffix("-after"))
    assert {reason: steps for reason, steps in owners.items() if len(steps) > 1} == {}


def test_a_stage_is_a_folder_of_its_name() -> None:
    folders = {path.parent.name for path in (PACKAGE / "stages").glob("*/step.py")}
    assert {step.name.removesuffix("-before").removesuffix("-after").replace("-", "_") for step in walk.WALK} == folders


LONG = {
    "cli/evaluate.py evaluate": "options, one a line",
    "cli/export.py export": "options, one a line",
    "cli/main.py clean": "options, one a line",
    "core/shingles.py _shingle": "one compiled loop",
    "languages/python/outline.py outline": "one compiled loop",
}
"""Functions of more than 60 lines, docstring aside, and why each is one."""


def test_files_and_functions_are_short() -> None:
    files, functions = {}, set()
    for path in MODULES.values():
        name = path.relative_to(PACKAGE).as_posix()
        source = path.read_text(encoding="utf-8")
        if source.count("\n") > 400:
            files[name] = source.count("\n")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                said = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
                docstring = (said.end_lineno or 0) - said.lineno + 1 if said else 0
                if (node.end_lineno or 0) - node.lineno + 1 - docstring > 60:
                    functions.add(f"{name} {node.name}")
    assert files == {}
    assert functions == set(LONG)


def test_the_walk_and_what_asks_teachers_import_nothing_heavy() -> None:
    code = "import sys, pipeline.walks, pipeline.stages.completions.stage, pipeline.stages.documents.stage\n"
    code += "print(*{'numba', 'numpy', 'sklearn', 'torch', 'datasets', 'pyarrow', 'fsspec'} & sys.modules.keys())"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_no_two_test_files_have_one_name() -> None:
    """pytest imports them by their names alone, and would leave the second one out."""
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert {name for name, count in names.items() if count > 1} == set()
