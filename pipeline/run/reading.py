"""A run as it lies on disk: its folder, its stages with their manifests, and columns of their artifacts.

Everything that shows a run reads through here. A run may be young, interrupted or made by an older version, so what is
absent is None or empty, and it is the reader's part to leave it out.
"""

import difflib
import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.errors import InputError, RecipeError
from pipeline.core.facts import Facts
from pipeline.core.names import LATEST, checked
from pipeline.recipe_kinds import LoadedOf
from pipeline.recipe_text import load
from pipeline.run import record as run_record
from pipeline.store import jsonl
from pipeline.store.arrays import texts
from pipeline.store.manifest import Manifest
from pipeline.store.parquet import BATCH, Parquet
from pipeline.store.store import Store

FactsT = TypeVar("FactsT", bound=Facts)

_ANEW = "run the recipe again: it is written anew"


@dataclass(frozen=True, slots=True)
class StageView:
    """One stage of a run.

    state: "made" by this run, in whichever call; "reused" from another; "removed" where one of both is in the store no
    more; "to-make"; "making", or "stopped" where no process is at it any more. seconds: wall time that this run spent
    on it. manifest: None where the artifact is not complete. made_by, made_at: name of the run that made it, and when;
    "" where nobody wrote it down.
    """

    name: str
    key: str
    state: str
    seconds: float
    manifest: Manifest | None
    made_by: str = ""
    made_at: str = ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the stage wanted the report to know, as its manifest has it; empty where it is not finished."""
        return self.manifest.facts if self.manifest else {}

    @property
    def shown_facts(self) -> dict[str, Any]:
        """`facts` for a person, without the curve, which is one to look at."""
        return {name: value for name, value in self.facts.items() if name != "curve"}


@dataclass(frozen=True)
class RunView:
    """A run folder and the store its artifacts are in. info: run.json as it is."""

    folder: Path
    store: Store
    info: Mapping[str, Any]
    stages: tuple[StageView, ...]

    @property
    def name(self) -> str:
        """The run's name: what run.json says, else the folder's name."""
        return str(self.info.get("run") or self.folder.name)

    def stage(self, name: str) -> StageView | None:
        """The stage of that name, None where the run has none."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def made(self, name: str) -> StageView | None:
        """The stage of that name where its artifact is complete, else None. Raises InputError where it was made once
        and is in the store no more."""
        stage = self.stage(name)
        if stage is not None and stage.state == "removed":
            again = shlex.join(["hornbook", "run", str(self.folder / "recipe.toml"), "--name", self.name])
            raise InputError(
                f"stage {name} of run {self.name} is no longer in the store {self.store.root}",
                hint=f"`{again}` makes it again, and all that is gone besides",
            )
        return stage if stage is not None and stage.manifest is not None else None

    def facts(self, name: str, kind: type[FactsT]) -> FactsT:
        """What a stage says in its manifest; nothing where the run lacks it or it is not finished."""
        stage = self.stage(name)
        return kind.from_json(stage.facts if stage else {})

    @cached_property
    def loaded(self) -> LoadedOf[Any] | None:
        """The run's resolved recipe, None where the folder has none, or one that this version reads no more."""
        path = self.folder / "recipe.toml"
        try:
            return load(str(path)) if path.is_file() else None
        except RecipeError:
            return None

    @property
    def recipe_toml(self) -> str:
        """recipe.toml as it stands, "" where the folder has none; bytes that are no text are marked as such."""
        path = self.folder / "recipe.toml"
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""

    def table(self, name: str, prefix: str = "part", columns: Sequence[str] | None = None) -> pa.Table:
        """Columns of a finished stage's PREFIX*.parquet files, in the order written; columns that a file lacks are left
        out, and "seed.id" names a field of a struct.

        A table without rows where the run has no such stage, or the stage is not finished, or wrote no such file.
        """
        tables = [file.read(file.having(columns)) for file in self.files(name, prefix)]
        return pa.concat_tables(tables, promote_options="default") if tables else pa.table({})

    def rows(self, name: str, prefix: str = "part", columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """The rows of `table`, a dictionary each, of which few are in memory at a time."""
        for file in self.files(name, prefix):
            for batch in file.batches(BATCH, file.having(columns)):
                yield from batch.to_pylist()

    def files(self, name: str, prefix: str = "part") -> Iterator[Parquet]:
        """A finished stage's PREFIX*.parquet files in the order written, each open until the next is asked for."""
        stage = self.stage(name)
        if stage is not None and stage.manifest is not None:
            yield from self.store.files(stage.name, stage.key, prefix)

    def where(self, name: str, prefix: str, column: str, values: Collection[str]) -> list[dict[str, Any]]:
        """Whole rows of a finished stage in which `column` ("id", "seed.id") is one of `values`.

        Of files that hold no such row only the column is read, and of the others a few rows at a time, so a look-up in
        a large artifact stays cheap.
        """
        if not values:
            return []
        wanted = texts(sorted(values))
        found: list[dict[str, Any]] = []
        for file in self.files(name, prefix):
            if column.partition(".")[0] in file.names:
                hits = pc.indices_nonzero(pc.is_in(_column(file.read([column]), column), value_set=wanted)).to_pylist()
                found += file.take(hits).to_pylist()
        return found

    def events(self, *kinds: str) -> Iterator[dict[str, Any]]:
        """Lines of events.jsonl, of these kinds where any are given; a line cut short by a crash is skipped."""
        marks = [f'"{kind}"'.encode() for kind in kinds]
        wanted = (lambda line: any(mark in line for mark in marks)) if marks else None
        for event in jsonl.rows(self.folder / "events.jsonl", wanted):
            if not kinds or event.get("event") in kinds:
                yield event


def open_run(folder: Path, store: Store) -> RunView:
    """Read run.json and the manifest of each stage. Raises InputError where the folder is not a run's."""
    path = folder / "run.json"
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is not a run: it has no run.json", hint="name a run that `hornbook run` made"
        ) from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}", hint=_ANEW) from error
    if not isinstance(info, dict):
        raise InputError(f"{path} holds {type(info).__name__}, wanted an object", hint=_ANEW)
    if "state" in info:
        info["state"] = run_record.state(folder, info)
    stages = tuple(_stage(entry, info, store) for entry in run_record.entries(info))
    return RunView(folder, store, info, stages)


def _stage(entry: Mapping[str, Any], info: Mapping[str, Any], store: Store) -> StageView:
    name, key, state = str(entry["name"]), str(entry["key"]), str(entry.get("state", "to-make"))
    manifest = store.manifest(name, key)
    if state == "making" and info.get("state") != "running":
        state = "stopped"
    elif state in run_record.FINISHED and manifest is None:
        state = "removed"
    return StageView(
        name=name,
        key=key,
        state=state,
        seconds=float(entry.get("seconds") or 0.0),
        manifest=manifest,
        made_by=str(entry.get("made_by") or (manifest.run if manifest else "")),
        made_at=str(entry.get("made_at") or (manifest.finished if manifest else "")),
    )


def _column(table: pa.Table, name: str) -> pa.ChunkedArray:
    outer, _, inner = name.partition(".")
    column = table.column(outer)
    return pc.struct_field(column, inner) if inner else column


def resolve(runs_root: Path, name: str) -> Path:
    """Folder of the run called `name` below `runs_root`; `LATEST`, in any case, is the one called last.

    The beginning of a name does, where no other run's name begins so.

    Raises UsageError for what is no name, InputError that lists the runs there are, the nearest name first.
    """
    newest = name.upper() == LATEST
    if not newest:
        checked(name, "RUN")
    runs = existing_runs(runs_root)
    if newest and runs:
        return runs[-1]
    folder = runs_root / name
    if not newest and (folder / "run.json").is_file():
        return folder
    if not runs:
        raise InputError(f"there is no run in {runs_root}", hint="`hornbook run first-run` makes one")
    names = [run.name for run in reversed(runs)]
    begin = [one for one in names if one.startswith(name)] if name and not newest else []
    if len(begin) == 1:
        return runs_root / begin[0]
    if begin:
        raise InputError(
            f"{name!r} is the beginning of {len(begin)} runs in {runs_root}",
            hint=f"name one of them: {_listed(begin)}",
        )
    near = difflib.get_close_matches(name, names, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(f"no run {name!r} in {runs_root}", hint=f"{guess}runs, newest first: {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def existing_runs(runs_root: Path) -> list[Path]:
    """Run folders, in the order in which they were last called; those that failed before their first stage come before
    all others, so that none of them is the newest run."""
    if not runs_root.is_dir():
        return []
    folders = [folder for folder in runs_root.iterdir() if (folder / "run.json").is_file()]
    return sorted(folders, key=_age)


def _age(folder: Path) -> tuple[bool, str, str]:
    said = run_record.read(folder)
    return run_record.begun(said), str(said.get("called") or said.get("started") or ""), folder.name
