"""A student that is trained elsewhere: by a cluster's own launcher, or by further machines beside this one."""

import shutil
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipeline.core.errors import HornbookError, UsageError
from pipeline.core.events import silent
from pipeline.core.plan import PlannedStage
from pipeline.recipe_text import Loaded, load
from pipeline.run import record as run_record
from pipeline.run.reading import resolve
from pipeline.run.run import planned
from pipeline.store.disk import disk_errors, whole_folder
from pipeline.store.places import Places

POLL = 1.0
"""Seconds between two looks at whether a run has begun to train."""
PATIENCE = 60.0
"""Seconds for which a run may have ended before `join` gives up: its first machine may just be starting it again."""


def adopt(name: str, out: Path, places: Places, overrides: Sequence[str] = ()) -> Loaded:
    """Take the training that `python -m pipeline.cli.train TOKENS RECIPE OUT` finished in `out` as the student of the
    run `name`; the recipe to go on with, whose student stage then trains nothing.

    overrides: execution settings for what is left. The model is copied. Raises UsageError where the run is not as far,
    has a student, or trains otherwise.
    """
    from pipeline.stages.student import finished
    from pipeline.stages.student.job import Job
    from pipeline.training import curve

    others = [one for one in overrides if not one.startswith("execution.")]
    if others:
        raise UsageError(
            f"{others[0]!r} would make another run of {name}", hint="only execution.key=value can be given here"
        )
    folder = resolve(places.runs, name)
    loaded = load(str(folder / "recipe.toml"), overrides)
    plan = planned(loaded, places, folder.name).plan
    student = plan["student"]
    if places.store.manifest(student.name, student.key) is not None:
        raise UsageError(
            f"the run {folder.name} has its student already", hint="nothing is to adopt; `hornbook status` shows it"
        )
    with places.store.lock(student.name, student.key, silent):
        job = Job(
            recipe=loaded.recipe,
            execution=loaded.execution,
            tokens=_artifact("tokens", student, places),
            out=places.store.partial(student.name, student.key, places.models),
            models=places.models,
            soft_targets=_artifact("soft-targets", student, places) if "soft-targets" in student.inputs else None,
        )
        model = finished.adopted(out, job.settings()).model
        with disk_errors(job.out), whole_folder(job.out / "model", scratch=job.out / ".model") as scratch:
            shutil.copytree(model, scratch, dirs_exist_ok=True)
        with suppress(FileNotFoundError):
            shutil.copyfile(out / curve.FILE, job.out / curve.FILE)
    return loaded


def _artifact(name: str, student: PlannedStage, places: Places) -> Path:
    key = student.inputs[name]
    if places.store.manifest(name, key) is None:
        raise UsageError(
            f"the run has no {name} yet, on which its student is trained",
            hint="make them with `hornbook run RECIPE --until tokens`, and train on those",
        )
    return places.store.local(name, key, places.models)


def join(name: str, places: Places, tell: Any = silent) -> None:
    """Lend this machine to the training of the run `name`, which another one has started or will, to its end.

    The data folder is shared with that machine. tell: takes notes. Raises UsageError where the run ended without
    training, and what ended the training else.
    """
    from pipeline.stages.student import job as jobs
    from pipeline.stages.student.launch import failure, lend

    file = _awaited(name, places, tell)
    job = jobs.read(file)
    if job.execution.nodes == 1:
        raise UsageError(
            f"the run {name} trains on one machine", hint="run it with execution.nodes and execution.rendezvous"
        )
    count = job.execution.processes
    tell(f"{count} process{'es' if count > 1 else ''} of this machine train{'' if count > 1 else 's'} with {name}")
    code = lend(file, job.execution, lambda: None)
    if code:
        raise failure(job.out, code)


def _awaited(name: str, places: Places, tell: Any) -> Path:
    """The job of the run's training, once it is there."""
    from pipeline.stages.student.job import FILE

    told, ended = False, 0.0
    while True:
        said = _said(name, places)
        entry = next((one for one in run_record.entries(said) if one["name"] == "student"), None)
        if entry:
            file = places.store.partial_folder("student", entry["key"], places.models) / FILE
            if file.is_file():
                return file
        now = time.monotonic()
        if said.get("state", "running") == "running":
            ended = 0.0
        elif not ended:
            ended = now
        elif now - ended > PATIENCE:
            raise UsageError(
                f"the run {name} is {said['state']}, and trains nothing that could be joined",
                hint="start it with execution.nodes and execution.rendezvous, and join it then",
            )
        if not told:
            tell(f"waiting until {name} trains" + ("" if said else f"; there is no such run in {places.runs} yet"))
            told = True
        time.sleep(POLL)


def _said(name: str, places: Places) -> dict[str, Any]:
    with suppress(HornbookError):
        return run_record.read(resolve(places.runs, name))
    return {}
