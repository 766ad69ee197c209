"""Makes what is missing of a sweep: its runs one after the other, the failure of one no end of the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.core.errors import BudgetReached, HornbookError, Interrupted, UsageError, happened_in
from pipeline.core.events import OnEvent, silent
from pipeline.report.arms import Arm, Failed
from pipeline.run import record as run_record
from pipeline.run.reading import RunView, open_run
from pipeline.run.run import Outcome, Planned, planned, stored
from pipeline.run.run import run as run_recipe
from pipeline.stages.reads import looking_once
from pipeline.store.places import Places
from pipeline.sweep.file import Sweep, Trial

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Swept:
    """What a call did. made: runs of which something was made. failed: by run. stopped: why it ended early."""

    made: tuple[str, ...]
    failed: Mapping[str, Failed]
    stopped: HornbookError | None = None

    def check(self, sweep: Sweep) -> None:
        """Raises what ended the call early, or else HornbookError that names the runs that were not made."""
        if self.stopped is not None:
            raise self.stopped
        if self.failed:
            names = ", ".join(self.failed)
            raise HornbookError(
                f"{len(self.failed)} of {len(sweep.trials)} runs of {sweep.name} were not made: {names}",
                hint="what they said is above; run the same command again to go on with them",
            )


def plans_of(sweep: Sweep, places: Places, until: str = "") -> dict[str, Planned]:
    """The plan of each run, by its name. Raises UsageError with what is wrong with every arm: a model, benchmark or
    file that is not there, a stage that --until names and an arm has not."""
    found: dict[str, Planned] = {}
    wrong: dict[str, list[str]] = {}
    with looking_once():
        for trial in sweep.trials:
            try:
                found[trial.run] = planned(trial.loaded, places, trial.run, until=until)
            except UsageError as error:
                names = wrong.setdefault(str(error), [])
                names += [] if trial.arm in names else [trial.arm]
    if wrong:
        listing = "".join(f"\n  - arm {', '.join(names)}: {problem}" for problem, names in wrong.items())
        raise UsageError(f"{sweep.source} cannot be run:{listing}", hint="nothing was run")
    return found


def run_sweep(
    sweep: Sweep,
    places: Places,
    plans: Mapping[str, Planned],
    *,
    until: str = "",
    watch: OnEvent = silent,
    tell: Told = silent,
    after: Callable[[Path, Mapping[str, Failed]], None] = silent,
) -> Swept:
    """Make what is missing of the arms chosen.

    plans: of `plans_of`. tell: takes a line before each run that is not done already. after: called with a run's folder
    when it has ended, however it did, and with all failures so far; not at an interruption, which is to end at once. A
    budget is for the whole sweep: what other runs of it spent is taken off. That it is reached, and an interruption, is
    no failure of one arm: both end the call.
    """
    made, failed = [], dict[str, Failed]()
    todo = [trial for arm in sweep.arms for trial in sweep.of(arm.name)]
    for number, trial in enumerate(todo, 1):
        if _is_done(plans[trial.run], places, until):
            continue
        tell(f"{trial.arm}, seed {trial.seed}: run {number} of {len(todo)}, {trial.run}")
        folder = places.run(trial.run)
        try:
            outcome = _run(sweep, trial, places, until, watch)
            made += [trial.run] if outcome.made else []
        except Interrupted as error:
            return Swept(tuple(made), failed, error)
        except BudgetReached as error:
            failed[trial.run] = _failure(trial, error)
            after(folder, failed)
            return Swept(tuple(made), failed, error)
        except HornbookError as error:
            failed[trial.run] = _failure(trial, error)
            tell(f"  failed: {error}")
        except Exception as error:  # a mistake of ours in one arm; the traceback is in the run's folder
            failed[trial.run] = Failed(trial.run, trial.seed, happened_in(error)[1], f"{type(error).__name__}: {error}")
            tell(f"  failed: {failed[trial.run].message}")
        after(folder, failed)
    return Swept(tuple(made), failed)


def _is_done(call: Planned, places: Places, until: str) -> bool:
    """Whether a run has nothing left to make, and says so."""
    said = run_record.read(call.folder)
    wanted = call.plan.until(until) if until else call.plan
    told = {entry["key"] for entry in run_record.entries(said) if entry.get("state") in run_record.FINISHED}
    return (
        said.get("state") == "done"
        and said.get("plan") == call.plan.key
        and all(stage.key in told for stage in wanted.stages)
        and all(stored(wanted, places).values())
    )


def _run(sweep: Sweep, trial: Trial, places: Places, until: str, watch: OnEvent) -> Outcome:
    loaded, execution = trial.loaded, trial.loaded.execution
    if execution.budget_usd is not None or execution.budget_tokens is not None:
        tokens, usd = spent(sweep, places, but=trial.run)
        left = {}
        if execution.budget_usd is not None:
            left["budget_usd"] = max(0.0, execution.budget_usd - usd)
        if execution.budget_tokens is not None:
            left["budget_tokens"] = max(0, execution.budget_tokens - tokens)
        loaded = replace(loaded, execution=execution.model_copy(update=left))
    return run_recipe(loaded, places, name=trial.run, until=until, watch=watch)


def spent(sweep: Sweep, places: Places, but: str = "") -> tuple[int, float]:
    """Tokens and dollars that the sweep's runs have spent. but: one that does not count."""
    tokens, usd = 0, 0.0
    for trial in sweep.trials:
        if trial.run != but:
            for prompt, completion, dollars in run_record.spent(run_record.read(places.run(trial.run))).values():
                tokens, usd = tokens + prompt + completion, usd + dollars
    return tokens, usd


def _failure(trial: Trial, error: HornbookError) -> Failed:
    return Failed(trial.run, trial.seed, happened_in(error)[1], error.message, error.hint)


def arms_of(
    sweep: Sweep, places: Places, plans: Mapping[str, Planned], failed: Mapping[str, Failed]
) -> tuple[Arm, ...]:
    """All arms, with those of their runs that were made of what the file says now."""
    found = []
    for arm in sweep.table.arms:
        trials = sweep.of(arm.name)
        runs = {trial.seed: run for trial in trials if (run := _view(trial, places, plans)) is not None}
        stopped = tuple(failed[trial.run] for trial in trials if trial.run in failed)
        found.append(Arm(arm.name, arm.caption, runs, stopped, arm.series))
    return tuple(found)


def _view(trial: Trial, places: Places, plans: Mapping[str, Planned]) -> RunView | None:
    folder = places.run(trial.run)
    if run_record.read(folder).get("plan") != plans[trial.run].plan.key:
        return None
    return open_run(folder, places.store)
