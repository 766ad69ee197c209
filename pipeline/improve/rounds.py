"""Rounds: what the student fails at directs new exercises, all is cleaned and trained anew, and held-out decides.

A round is a recipe derived from the run's: its corpus and a file of further seeds (`seeds.more`), the run's held-out
problems kept back (`held_out.keep_back`), everything else as it was. All rounds of a run are one experiment
(`pipeline.sweep`) whose arms are the corpus as it was, and each round directed and undirected, so what is shared comes
from the store and every difference is paired, over seeds and problems.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import HornbookError, UsageError
from pipeline.core.events import OnEvent, silent
from pipeline.core.identity import rng_seed
from pipeline.core.known import HELD_OUT
from pipeline.core.money import Ledger
from pipeline.core.records import Exercise, Task
from pipeline.domains.loading import load as load_domain
from pipeline.improve.clusters import Cluster, clusters, evolutions, weights
from pipeline.improve.development import DEVELOPMENT, REPORTED, Halves, branch_of, halves
from pipeline.improve.drawing import Direction, Slot, seeds, slots
from pipeline.improve.outcome import Improved, Options, Round
from pipeline.improve.rewording import reword
from pipeline.recipe import Recipe
from pipeline.recipe_checks import unknown_teacher
from pipeline.recipe_teachers import ReplayTable, TeacherTable
from pipeline.recipe_text import Loaded, load
from pipeline.report.arms import Failed
from pipeline.report.experiment import Experiment
from pipeline.run.reading import RunView
from pipeline.run.run import Planned
from pipeline.run.students import over_text
from pipeline.stages.rewordings.wording import lacking
from pipeline.stages.seeds.files import write as write_seeds
from pipeline.store import jsonl
from pipeline.store.disk import disk_errors, write_atomically
from pipeline.store.places import Places
from pipeline.store.rows import from_row
from pipeline.sweep.file import Sweep, read_sweep
from pipeline.sweep.result import result, write
from pipeline.sweep.running import Swept, arms_of, plans_of, run_sweep, spent
from pipeline.teacher.archive import Archive
from pipeline.teacher.building import KINDS, build

START = "start"
DIRECTED, UNDIRECTED = "directed", "undirected"


@dataclass(frozen=True)
class Improvement:
    """A run to be improved, and the folder in which its rounds lie (data/improve/RUN).

    loaded: its recipe, with what the command line changes of it. parents: exercises of its corpus that may be varied.
    """

    run: RunView
    loaded: Loaded
    places: Places
    folder: Path
    halves: Halves
    parents: tuple[Exercise, ...]
    options: Options
    overrides: tuple[str, ...]
    watch: OnEvent

    @property
    def name(self) -> str:
        """Of the experiment."""
        return f"improve-{self.run.name}"

    def file(self, number: int, arm: str, what: str = "seeds.jsonl") -> Path:
        """A file of one arm of a round."""
        return self.folder / f"round-{number}-{arm}.{what}"


def improve(
    run: RunView,
    places: Places,
    options: Options,
    overrides: Sequence[str] = (),
    *,
    watch: OnEvent = silent,
    tell: Callable[[str], None] = silent,
    after: Callable[[Path], None] = silent,
) -> Improved:
    """Make rounds until there are enough, or the rate on the reported problems does not rise.

    overrides: `key=value`, in all arms; a budget among them is for all rounds together. after: called with each run's
    folder when it has ended. What is made already is found again, so that the same call goes on. Raises UsageError for
    a run that cannot be improved, and what ended a round early.
    """
    made = prepared(run, places, options, overrides, watch)
    rounds: list[Round] = []
    stopped = ""
    for number in range(1, options.rounds + 1):
        previous = _arms(made, number - 1)[_arm(number - 1)] if number > 1 else (run,)
        benchmark = DEVELOPMENT if number > 1 else HELD_OUT
        found = clusters(previous, benchmark, _topics_of(made.halves))
        if not any(cluster.failed for cluster in found):
            stopped = f"no development problem failed before round {number}"
            break
        direction = _directed(made, number, found)
        kinds = _draw(made, number, direction)
        tell(f"round {number}: {sum(c.failed for c in found):.1f} of {sum(c.problems for c in found)} problems failed")
        sweep, plans, swept = _swept(made, number, tell, after)
        told = result(sweep, places, plans, swept.failed)
        page = write(told, places)
        swept.check(sweep)
        rounds.append(_round(number, found, direction, kinds, told, options))
        if not rounds[-1].rises:
            stopped = f"the rate on the reported problems did not rise in round {number}"
            break
    if not rounds:
        raise UsageError(f"{run.name}: {stopped}, so there is nothing to direct", hint="hold more, or harder, ones out")
    return Improved(run.name, tuple(rounds), stopped, told, page)


def prepared(run: RunView, places: Places, options: Options, overrides: Sequence[str], watch: OnEvent) -> Improvement:
    """A run with its problems in halves and its folder. Raises UsageError where it cannot be improved."""
    if options.rounds < 1 or options.exercises < 1 or not options.student_seeds:
        raise UsageError("a round needs exercises and seeds", hint="e.g. --rounds 3 --exercises 200 --seeds 1,2,3")
    over_text(run, "problems that a teacher's exercises could be written for")
    if run.loaded is None or not isinstance(run.loaded.recipe, Recipe):
        raise UsageError(f"{run.name} has no recipe of the walk over text that this version reads")
    loaded: Loaded = load(str(run.folder / "recipe.toml"), overrides)
    _scored(run)
    writer_of(loaded, options.writer)
    problems = halves(run, loaded.recipe.seed)
    folder = places.rounds / run.name
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _same_as_before(folder / "options.json", {"exercises": options.exercises, "writer": options.writer})
    for name, half in ((DEVELOPMENT, problems.development), (REPORTED, problems.reported)):
        jsonl.write(folder / f"{name}.jsonl", (problem.content() for problem in half))
    rows = run.rows("decontaminated")
    parents = [one for one in map(from_row, rows) if isinstance(one, Exercise) and one.test and one.topic]
    return Improvement(run, loaded, places, folder, problems, tuple(parents), options, tuple(overrides), watch)


def _scored(run: RunView) -> None:
    scored = any(
        row["benchmark"] == HELD_OUT and row["model"] == "after"
        for row in run.rows("scores", columns=["benchmark", "model"])
    )
    if not scored:
        raise UsageError(
            f"{run.name} has no scores on held-out problems of its own corpus, which direct a round",
            hint="add 'held-out' to evaluation.benchmarks of its recipe, and let the run come to its end",
        )


def writer_of(loaded: Loaded, name: str) -> TeacherTable:
    """The teacher that writes a round's exercises. Raises UsageError for one that answers no new prompts."""
    teachers = loaded.recipe.teachers
    able = [one for one in teachers if KINDS[one.kind].keyed != "nothing" or not one.has_model]
    found = next((one for one in able if name in ("", one.name)), None)
    names = [one.name for one in teachers]
    if name and name not in names:
        raise UsageError(
            unknown_teacher("--teacher", name, names),
            hint=f"name one that can be asked: {', '.join(one.name for one in able) or 'there is none'}",
        )
    if found is None:
        what = f"teacher {name!r}" if name else "a teacher of the recipe"
        raise UsageError(
            f"no answers to new prompts can be had from {what}: a replay has what was recorded",
            hint="name one that can be asked with --teacher, or give one, e.g. teachers.0.kind=local "
            "teachers.0.model=qwen2.5-coder-1.5b",
        )
    return found


def solver_of(loaded: Loaded, writer: TeacherTable) -> str:
    """Name of the teacher that solves what was reworded: that of `agreement.solver`, where it can be asked, else the
    writer, which does not see the solution that it has put into words."""
    named = next((one for one in loaded.recipe.teachers if one.name == loaded.recipe.agreement.solver), writer)
    asked = KINDS[named.kind].keyed != "nothing" or (isinstance(named, ReplayTable) and named.otherwise)
    return named.name if asked else writer.name


def _same_as_before(file: Path, wanted: Mapping[str, Any]) -> None:
    """Rounds of one run are equally large, and by one writer."""
    if file.is_file():
        before = json.loads(file.read_text(encoding="utf-8"))
        for key, value in before.items():
            if wanted.get(key) != value:
                raise UsageError(
                    f"{file.parent.name} has rounds with {key} = {value!r}, not {wanted.get(key)!r}",
                    hint=f"go on with {value!r}, or remove {file.parent} to begin anew; answers that were paid stay",
                )
        return
    with disk_errors(file):
        write_atomically(file, json.dumps(dict(wanted)))


def _topics_of(problems: Halves) -> dict[str, str]:
    return {one.task_id: problems.topics[one.task_id] for one in problems.development}


def _arm(number: int, kind: str = DIRECTED) -> str:
    """An arm's name; that of no round is the corpus as it was."""
    return f"{kind}-{number}" if number else START


def _directed(made: Improvement, number: int, found: Sequence[Cluster]) -> Direction:
    """Where a round goes: as it was decided once, or by these failures."""
    file = made.file(number, DIRECTED, "direction.json")
    if not file.is_file():
        branches = sorted({branch_of(topic) for topic in load_domain(made.loaded.recipe.domain).topics})
        decided = {"weights": weights(found, branches), "evolutions": evolutions(found)}
        with disk_errors(file):
            write_atomically(file, json.dumps({**decided, "clusters": [one.to_json() for one in found]}, indent=1))
    said = json.loads(file.read_text(encoding="utf-8"))
    return Direction(said["weights"], said["evolutions"])


def _draw(made: Improvement, number: int, direction: Direction) -> dict[str, int]:
    """Write the seeds of a round's arms, where they are not there; how many of each kind the directed one has."""
    arms = [(DIRECTED, direction), *([(UNDIRECTED, Direction({}, {}))] if made.options.control else [])]
    for arm, towards in arms:
        if not made.file(number, arm).is_file():
            _draw_arm(made, number, arm, towards)
    counts: dict[str, int] = json.loads(made.file(number, DIRECTED, "kinds.json").read_text(encoding="utf-8"))
    return counts


def _draw_arm(made: Improvement, number: int, arm: str, direction: Direction) -> None:
    recipe, options = made.loaded.recipe, made.options
    domain = load_domain(recipe.domain)
    # Both arms of a round draw with one seed: what their directions do not change is the same, and asked once.
    seed = rng_seed(recipe.seed, "improve", str(number)) % 2**31
    wanted = slots(options.exercises, direction, domain, made.parents, seed)
    tasks = _reworded(made, number, wanted)
    writer = writer_of(made.loaded, options.writer)
    drawn = list(
        seeds(
            wanted,
            direction,
            domain,
            tasks,
            writer=writer.name,
            solver=solver_of(made.loaded, writer),
            seed=seed,
            first=recipe.seeds.exercises + (number - 1) * options.exercises,
            words=recipe.seeds.words,
            avoid=frozenset(one.entry_point for one in (*made.halves.development, *made.halves.reported)),
        )
    )
    counts = {"canonical": 0, "evolved": 0, "reworded": 0}
    for slot, one in zip(wanted, drawn, strict=True):
        counts["reworded" if one.task else "evolved" if slot.parent else "canonical"] += 1
    with disk_errors(made.folder):
        write_atomically(made.file(number, arm, "kinds.json"), json.dumps(counts))
        write_seeds(made.file(number, arm), drawn)


def _reworded(made: Improvement, number: int, wanted: Sequence[Slot]) -> dict[str, Task]:
    """What the writer makes of the exercises that are to be reworded, by id; nothing of a teacher without a model."""
    recipe, execution = made.loaded.recipe, made.loaded.execution
    writer, domain = writer_of(made.loaded, made.options.writer), load_domain(recipe.domain)
    parents = [slot.parent for slot in wanted if slot.kind == "reworded" and slot.parent]
    if not parents or not writer.has_model or lacking(domain):
        return {}
    left = execution.budget_usd, execution.budget_tokens
    if left != (None, None):
        sweep = _sweep(made, number - 1)
        tokens, usd = spent(sweep, made.places)
        left = (
            None if left[0] is None else max(0.0, left[0] - usd),
            None if left[1] is None else max(0, left[1] - tokens),
        )
    return reword(
        list({one.id: one for one in parents}.values()),
        domain,
        build(writer, execution, recipe.seed, made.places.models),
        journal=made.folder / "rewording",
        execution=execution,
        on_event=lambda event: made.watch({**event, "stage": "rewording"}),
        ledger=Ledger(*left),
    )


def _sweep(made: Improvement, rounds: int) -> Sweep:
    """The experiment with all arms up to a round."""
    import tomlkit

    recipe = made.loaded.recipe
    files = [str(made.folder / f"{name}.jsonl") for name in (DEVELOPMENT, REPORTED)]
    asked = {
        key: [*files, *(name for name in getattr(recipe.evaluation, key) if name != HELD_OUT)]
        for key in ("benchmarks", "likelihood_of")
        if getattr(recipe.evaluation, key)
    }
    wordings = recipe.distinct.max_wordings
    common = {
        "held_out": {"keep_back": files},
        "evaluation": asked,
        # An exercise and its rewording are two wordings of one solution.
        "distinct": {"max_wordings": wordings and max(2, wordings)},
    }
    kinds = (DIRECTED, UNDIRECTED) if made.options.control else (DIRECTED,)
    arms: list[dict[str, Any]] = [{"name": START, "caption": "the corpus as it was"}]
    pairs = []
    for number in range(1, rounds + 1):
        for kind in kinds:
            more = [str(made.file(one, kind)) for one in range(1, number + 1)]
            towards = "towards failures" if kind == DIRECTED else "by chance"
            caption = f"{made.options.exercises * number:,} more asked for, {towards}"
            settings = {"seeds": {"more": [*recipe.seeds.more, *more]}}
            arms.append({"name": _arm(number, kind), "caption": caption, "set": settings})
        pairs.append([_arm(number - 1), _arm(number)])
        pairs += [[_arm(number, UNDIRECTED), _arm(number)]] if made.options.control else []
    table = {
        "name": made.name,
        "description": f"What {made.run.name} failed at directs {made.options.exercises:,} exercises a round.",
        "recipe": str(made.run.folder / "recipe.toml"),
        "seeds": list(made.options.student_seeds),
        "set": common,
        "arms": arms,
        "pairs": pairs,
    }
    file = made.folder / f"round-{rounds}.toml"
    with disk_errors(file):
        write_atomically(file, tomlkit.dumps(table))
    return read_sweep(str(file), _left(made))


def _left(made: Improvement) -> list[str]:
    """The overrides, with what rewording has cost taken off a budget."""
    execution, overrides = made.loaded.execution, list(made.overrides)
    if execution.budget_usd is None and execution.budget_tokens is None:
        return overrides
    paid = Archive([made.folder / "rewording"])
    paid.close()
    if execution.budget_usd is not None:
        overrides.append(f"execution.budget_usd={max(0.0, execution.budget_usd - paid.usd)!r}")
    if execution.budget_tokens is not None:
        tokens = paid.prompt_tokens + paid.completion_tokens
        overrides.append(f"execution.budget_tokens={max(0, execution.budget_tokens - tokens)}")
    return overrides


def _swept(
    made: Improvement, number: int, tell: Callable[[str], None], after: Callable[[Path], None]
) -> tuple[Sweep, dict[str, Planned], Swept]:
    sweep = _sweep(made, number)
    plans = plans_of(sweep, made.places)

    def ended(folder: Path, failed: Mapping[str, Failed]) -> None:
        after(folder)
        write(result(sweep, made.places, plans, failed), made.places)

    swept = run_sweep(sweep, made.places, plans, watch=made.watch, tell=tell, after=ended)
    return sweep, plans, swept


def _arms(made: Improvement, number: int) -> dict[str, tuple[RunView, ...]]:
    """The runs of each arm of the rounds up to one."""
    sweep = _sweep(made, number)
    found = arms_of(sweep, made.places, plans_of(sweep, made.places), {})
    return {arm.name: tuple(arm.runs.values()) for arm in found}


def _round(
    number: int,
    found: Sequence[Cluster],
    direction: Direction,
    kinds: Mapping[str, int],
    told: Experiment,
    options: Options,
) -> Round:
    scores = {one.arm.name: score.whole for one in told.arms if (score := one.score(REPORTED)) is not None}
    pairs = {(pair.first, pair.second): pair for pair in told.pairs if pair.benchmark == REPORTED}
    before, now = _arm(number - 1), _arm(number)
    if (before, now) not in pairs:
        raise HornbookError(
            f"round {number}: no problem was scored both before and after it",
            hint="look at the runs' samples and scores with `hornbook runs`",
        )
    against = pairs.get((_arm(number, UNDIRECTED), now)) if options.control else None
    return Round(number, tuple(found), direction, kinds, scores[before], scores[now], pairs[before, now], against)
