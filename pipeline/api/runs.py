"""Runs and their records, as tables."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.core.errors import InputError

if TYPE_CHECKING:
    import pandas
    import pyarrow

    from pipeline.run.reading import RunView
    from pipeline.store.places import Places


def runs(data: str = "") -> list[str]:
    """Names of the runs, the newest first. data: the data folder, "" for the one that the command line takes."""
    from pipeline.run.reading import existing_runs
    from pipeline.store.places import places

    return [folder.name for folder in reversed(existing_runs(places(data).runs))]


def load(run: str = "LATEST", *, data: str = "") -> "Run":
    """The run of that name, of that beginning of a name, or the newest.

    Raises HornbookError that lists the runs where there is none.
    """
    from pipeline.run.reading import open_run, resolve
    from pipeline.store.places import places

    where = places(data)
    return Run(open_run(resolve(where.runs, run), where.store), where)


@dataclass(frozen=True, repr=False)
class Run:
    """A run as it lies on disk when it is loaded; `load` again for what has been made since."""

    _view: "RunView"
    _places: "Places"

    def __repr__(self) -> str:
        return f"<hornbook run {self.name!r}, {self.state}: {', '.join(self.stages) or 'nothing made yet'}>"

    @property
    def name(self) -> str:
        """The run's name."""
        return self._view.name

    @property
    def state(self) -> str:
        """ "done", "running", "failed", "interrupted", "budget" or "killed"."""
        return str(self._view.info.get("state") or "unknown")

    @property
    def folder(self) -> Path:
        """Where recipe.toml, run.json, events.jsonl and the report lie."""
        return self._view.folder

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that are made, in the order of the walk."""
        return tuple(stage.name for stage in self._view.stages if stage.manifest is not None)

    def table(self, stage: str = "", *, dropped: bool = False) -> "pyarrow.Table":
        """Records of a stage, by default of the last one of documents, each with its `text` and where it came from.

        dropped: those that the stage dropped instead, with `reason` and `detail`. The columns are those of
        `hornbook export`. Raises HornbookError where the stage is not made, or makes no records.
        """
        import pyarrow

        from pipeline.export.records import made_stage, tables

        found = list(tables(self._view, made_stage(self._view, stage), "dropped" if dropped else "part"))
        return pyarrow.concat_tables(found) if found else pyarrow.table({})

    def frame(self, stage: str = "", *, dropped: bool = False) -> "pandas.DataFrame":
        """`table` for pandas, which must be installed."""
        return self.table(stage, dropped=dropped).to_pandas()

    def report(self) -> dict[str, Any]:
        """What report.json says: funnel, teachers, scores, costs."""
        from pipeline.report.summary import summarise

        return summarise(self.folder, self._view.store).to_json()

    @property
    def student(self) -> Path:
        """The student's Hugging Face folder. Raises HornbookError where there is none yet."""
        from pipeline.run.students import student_folder

        return student_folder(self._view, self._places)

    def record(self, identifier: str) -> dict[str, Any]:
        """One record of the run by its id, from the last stage that kept it.

        Raises HornbookError where no stage kept it.
        """
        for stage in reversed(self._view.stages):
            for row in self._view.where(stage.name, "part", "id", [identifier]):
                return row
        raise InputError(
            f"the run {self.name} has kept no record {identifier}", hint="give a whole id, as `table` has it"
        )
