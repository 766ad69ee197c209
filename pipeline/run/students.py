"""The student of a run, wherever a model is asked for by name."""

from pathlib import Path

from pipeline.core.errors import InputError, UsageError
from pipeline.core.known import models
from pipeline.core.names import LATEST
from pipeline.run.reading import RunView, open_run, resolve
from pipeline.store.places import Places


def student_folder(run: RunView, places: Places) -> Path:
    """The student's Hugging Face folder on this machine. Raises InputError where the run has none yet."""
    over_text(run, "language model")
    stage = run.made("student")
    if stage is None:
        raise InputError(f"the run {run.name} has no student yet", hint="run its recipe to the end")
    return places.store.local("student", stage.key, places.models) / "model"


def over_text(run: RunView, wanted: str) -> None:
    """Raises InputError for a run over images, which has nothing that is `wanted`."""
    if run.stage("probes") is not None:
        raise InputError(
            f"the run {run.name} is over images and has no {wanted}",
            hint=f"`hornbook report {run.name}` says where its model lies, `hornbook embed` reads features by it",
        )


def run_named(spec: str, places: Places) -> RunView | None:
    """The run that `spec` names, LATEST and the beginning of a name too; None where it is a model's name or a place.

    Raises InputError for LATEST where there is no run.
    """
    if spec.upper() != LATEST and (spec == "smollm2" or spec in models() or "/" in spec or Path(spec).exists()):
        return None
    try:
        folder = resolve(places.runs, spec)
    except UsageError:
        if spec.upper() == LATEST:
            raise
        return None
    return open_run(folder, places.store)
