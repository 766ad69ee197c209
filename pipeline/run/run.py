"""Runs a plan: the only place where stages meet files.

For each stage in order: if its artifact is in the store, it is reused; else it is made under a lock, so that two runs
at once share the work instead of doing it twice. A crash at any moment leaves finished artifacts and the work in
progress of the stages that can go on (completions, solutions, student, samples); the next call starts there.
"""

import contextlib
import time
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline import walks
from pipeline.core.errors import BudgetReached, EmptyCorpus, HornbookError, Interrupted, happening_in
from pipeline.core.events import Event, OnEvent, silent
from pipeline.core.interrupts import terminable
from pipeline.core.money import Ledger
from pipeline.core.names import LONGEST, checked
from pipeline.core.plan import Plan, PlannedStage
from pipeline.models.fitting import check_recipe, check_scratch
from pipeline.recipe import Recipe
from pipeline.recipe_kinds import LoadedOf
from pipeline.recipe_text import Loaded
from pipeline.run import carrying, wanting
from pipeline.run import record as run_record
from pipeline.run.garbage import starting
from pipeline.run.log import EventLog
from pipeline.run.optional import present
from pipeline.run.record import RunRecord
from pipeline.run.trackers import Trackers
from pipeline.stages.making import Clock, MakingOf
from pipeline.store.disk import disk_errors
from pipeline.store.manifest import Manifest
from pipeline.store.places import Places
from pipeline.teacher.redaction import redact
from pipeline.work import executor


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. made and reused: names of stages, in order."""

    name: str
    folder: Path
    made: tuple[str, ...]
    reused: tuple[str, ...]


@dataclass(frozen=True)  # without slots, as `LoadedOf`
class Planned:
    """What a call of `run` would make. folder: the run's. generations: of the stages that it was told to make again.

    read: digests of what the stages read. loaded: the recipe, with the rounds that the store tells of where it wants a
    number of documents. rounds: the plans before each of these; counts: what was found after each that is finished
    (`pipeline.run.wanting`).
    """

    folder: Path
    plan: Plan
    generations: Mapping[str, str]
    read: Mapping[str, Any]
    loaded: LoadedOf[Any]
    rounds: tuple[Plan, ...] = ()
    counts: tuple[wanting.Count, ...] = ()

    @property
    def uncounted(self) -> bool:
        """Whether a number of documents is wanted, and those of the last round are still to be counted."""
        recipe = self.loaded.recipe
        return isinstance(recipe, Recipe) and recipe.want.any and len(self.counts) == len(self.rounds)

    def next_round(self, places: Places) -> "Planned":
        """Once `wanting.LAST` is made: the same with what was found, and with a further round where one is asked."""
        recipe = self.loaded.recipe
        found = wanting.count(recipe, self.plan, places.store)
        counted = replace(self, counts=(*self.counts, found))
        if found.more is None:
            return counted
        grown = replace(self.loaded, recipe=wanting.with_round(recipe, found.more))
        plan = walks.of(grown.recipe).plan(grown.recipe, self.read, self.generations)
        return replace(counted, loaded=grown, plan=plan, rounds=(*self.rounds, self.plan))


def planned(
    loaded: LoadedOf[Any], places: Places, name: str = "", fresh: Sequence[str] = (), until: str = ""
) -> Planned:
    """The plan of a recipe with the digests of everything it reads, and whose run it is; makes nothing.

    name: the run's; by default the recipe's name and the start of its plan's key, so that the same recipe is the same
    run. fresh: stages to make again, in place of what the store has. What a run was once told to make again stays so.
    """
    if isinstance(loaded.recipe, Recipe):
        check_recipe(loaded.recipe, places.models)
    walk = walks.of(loaded.recipe)
    read = walk.reads(loaded.recipe)
    base = walk.plan(loaded.recipe, read)
    todo = base.until(until) if until else base
    if isinstance(loaded.recipe, Recipe) and any(stage.name == "tokens" for stage in todo.stages):
        check_scratch(loaded.recipe)
    folder = places.run(name or f"{loaded.recipe.name[: LONGEST - 9]}-{base.key[:8]}")
    generations = run_record.renewed(run_record.read(folder), base, fresh, until)
    if not isinstance(loaded.recipe, Recipe):
        return Planned(folder, walk.plan(loaded.recipe, read, generations), generations, read, loaded)
    found = wanting.settled(loaded.recipe, lambda recipe: walk.plan(recipe, read, generations), places.store)
    plan = walk.plan(found.recipe, read, generations)
    return Planned(folder, plan, generations, read, replace(loaded, recipe=found.recipe), found.rounds, found.counts)


def run(
    loaded: LoadedOf[Any],
    places: Places,
    *,
    name: str = "",
    until: str = "",
    fresh: Sequence[str] = (),
    watch: OnEvent = silent,
    stopped: Callable[[Path], None] = silent,
) -> Outcome:
    """Make what is missing of a recipe.

    name, fresh: as in `planned`. until: last stage to make. stopped: called with the run's folder where the run ends
    before its last stage, once run.json says where and why, but not at an interruption, which is to end at once; what
    goes wrong in it never hides the run's own error.
    Raises HornbookError, always after run.json says how the run ended; KeyboardInterrupt and SIGTERM become
    Interrupted.
    """
    if name:
        checked(name, "--name")
    call = planned(loaded, places, name, fresh, until)
    left_out: tuple[str, ...] = ()
    if isinstance(loaded.recipe, Recipe):
        todo = call.plan.until(until) if until else call.plan
        loaded, left_out = present(loaded, todo, places, lambda text: watch({"event": "note", "text": text}))
        if left_out:
            call = planned(loaded, places, name, fresh, until)
        _ready_to_ask(call.loaded, places, call.plan.until(until) if until else call.plan)
    loaded = call.loaded
    places.prepared()
    with disk_errors(call.folder):
        call.folder.mkdir(parents=True, exist_ok=True)
    with run_record.held(call.folder):
        trackers = Trackers(loaded.execution.trackers, call.folder, loaded.recipe.model_dump(mode="json"))

        def seen(event: Event) -> None:
            watch(event)
            trackers(event)

        try:
            with starting(places):
                record = RunRecord(
                    call.folder, loaded, call.plan, until, call.generations, set(fresh), call.rounds, call.counts
                )
            log = EventLog(call.folder / "events.jsonl", seen)
            for text in left_out:
                log({"event": "warning", "text": text})
            for stage in record.going_on:
                text = "going on with what was begun then, as the run did not come to its end"
                log({"event": "note", "text": f"--fresh {stage}: {text}"})
            return _walked(call, places, until, record, log, stopped)
        finally:
            trackers.close()


def _ready_to_ask(loaded: Loaded, places: Places, todo: Plan) -> None:
    """Raises what is wrong with a teacher that will be asked (no key, no price under a budget, no journal to replay)
    before anything is made, so that a call that cannot come far leaves no run behind."""
    from pipeline import teacher
    from pipeline.run.journalled import ASKING, asked_in

    recipe, quality = loaded.recipe, loaded.recipe.quality
    missing = {stage.name for stage in todo.stages if places.store.manifest(stage.name, stage.key) is None}
    judged = quality.classifier and not quality.model
    asking = [stage for stage in ASKING if stage in missing and (stage != "quality" or judged)]
    asked = {table.name: table for stage in asking for table in asked_in(stage, recipe)}
    for table in asked.values():
        if not table.weights:  # they may be fetched when it is opened
            teacher.build(table, loaded.execution, recipe.seed, places.models)


def _walked(
    call: Planned,
    places: Places,
    until: str,
    record: RunRecord,
    log: EventLog,
    stopped: Callable[[Path], None],
) -> Outcome:
    """The stages of a plan up to `until`, one after the other; however that ends, the run's record says so."""
    folder, execution = record.folder, call.loaded.execution
    ledger = Ledger(execution.budget_usd, execution.budget_tokens)
    carrying.charge(call.rounds, record, ledger)
    try:
        with terminable(), executor(execution) as where:
            todo = _todo(call, until)
            while todo:
                stage = todo.popleft()
                step = walks.of(call.loaded.recipe).named(stage.name)
                making = MakingOf(
                    step,
                    stage,
                    call.loaded.recipe,
                    execution,
                    places,
                    log,
                    ledger=ledger,
                    executor=where,
                    run=folder.name,
                )
                carrying.carry(making, call.rounds, record)
                _not_empty(making, _made_or_found(making, record), call.plan)
                if stage.name == wanting.LAST and call.uncounted:
                    call, rounds = call.next_round(places), len(call.rounds)
                    making.note(f"round {rounds + 1}: {wanting.to_text(call.counts[-1].to_json())}")
                    record.counted(call.loaded, call.plan, call.rounds, call.counts)
                    todo = todo if len(call.rounds) == rounds else _todo(call, until)
    except KeyboardInterrupt:
        error = Interrupted("interrupted", hint="run the same command again to go on from here")
        _stopped(record, log, stopped, folder, "interrupted", error)
        raise error from None
    except OSError as error:
        _stopped(record, log, stopped, folder, "failed", error)
        with disk_errors(error.filename or places.data):
            raise
        raise
    except BaseException as error:
        state = (
            "budget"
            if isinstance(error, BudgetReached)
            else "interrupted"
            if isinstance(error, Interrupted)
            else "failed"
        )
        _stopped(record, log, stopped, folder, state, error)
        raise
    record.end("done")
    return Outcome(folder.name, folder, record.names("made"), record.names("reused"))


def _todo(call: Planned, until: str) -> deque[PlannedStage]:
    return deque((call.plan.until(until) if until else call.plan).stages)


def _made_or_found(making: MakingOf[Any], record: RunRecord) -> Manifest:
    """Make a stage or find it in the store, and say so in the run's record, with what it cost."""
    stage, ledger, started = making.stage, making.ledger, time.monotonic()
    record.at(stage.name)
    before = (ledger.prompt_tokens, ledger.completion_tokens, ledger.usd)
    manifest, state = _one(making, record)
    if state == "reused" and stage.key in record.paid:
        # This run made it in an earlier call: what it cost counts against this run's budget.
        ledger.charge(*record.paid[stage.key])
    now = (ledger.prompt_tokens, ledger.completion_tokens, ledger.usd)
    spent = tuple(after - was for after, was in zip(now, before, strict=True))
    record.finished(stage.name, state, manifest, time.monotonic() - started, spent)
    return manifest


def _stopped(
    record: RunRecord,
    log: OnEvent,
    tell: Callable[[Path], None],
    folder: Path,
    state: str,
    error: BaseException,
) -> None:
    happening_in(error, folder.name, record.stage)
    kept = record.end(state, error)
    if not isinstance(error, HornbookError):
        text = redact("".join(traceback.format_exception(error)))
        with contextlib.suppress(OSError):
            (folder / "traceback.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    if not kept or isinstance(error, Interrupted):
        return
    try:
        tell(folder)
    except Exception as second:
        with contextlib.suppress(OSError, HornbookError):
            log({"event": "warning", "text": f"the report could not be written: {second}"})


def _one(making: MakingOf[Any], record: RunRecord) -> tuple[Manifest, str]:
    store, stage = making.places.store, making.stage
    manifest = store.manifest(stage.name, stage.key)
    if manifest is None:
        with store.lock(stage.name, stage.key, making.note):
            manifest = store.manifest(stage.name, stage.key)
            if manifest is None:
                record.started(stage.name)
                making.tell({"event": "stage-started"})
                manifest = making.step.make(replace(making, clock=Clock(elsewhere=making.executor.cpu_seconds)))
                making.tell({"event": "stage-finished", "key": stage.key, **_numbers(manifest)})
                return manifest, "made"
    making.tell({"event": "stage-reused", "key": stage.key, **_numbers(manifest)})
    return manifest, "reused"


def _numbers(manifest: Manifest) -> dict[str, Any]:
    return {
        "in": manifest.entered,
        "kept": manifest.kept,
        "dropped": dict(manifest.dropped),
        "seconds": manifest.seconds,
    }


def _not_empty(making: MakingOf[Any], manifest: Manifest, todo: Plan) -> None:
    """Where nothing of the corpus is left there is nothing for the next stage to work on."""
    stage = making.stage
    if not making.step.corpus or manifest.kept:
        return
    reasons = ", ".join(f"{reason} {n:,}" for reason, n in manifest.dropped.items()) or "nothing came in"
    hint = "change the recipe"
    if manifest.dropped:
        most = max(manifest.dropped, key=lambda reason: manifest.dropped[reason])
        hint = f"look at them with `hornbook show {making.run} {stage.name} --dropped {most}`, then {hint}"
    if "completions" in todo:
        hint += "; where the answers are at fault, `--fresh completions` asks for them again"
    raise EmptyCorpus(f"stage {stage.name} kept 0 of {manifest.entered:,} records ({reasons})", hint=hint)


def stored(whole: Plan, places: Places) -> Mapping[str, bool]:
    """For each stage, whether its artifact is in the store."""
    return {stage.name: places.store.manifest(stage.name, stage.key) is not None for stage in whole.stages}
