"""`hornbook export`: a run's corpus and student in one folder, whole or not there.

::

    DIR/README.md, recipe.toml         the corpus's card, and what the run was made from
    DIR/data/SPLIT-00000.parquet       what the stage kept (arrow: DIR/SPLIT/ and DIR/dataset_dict.json)
    DIR/dropped/train-00000.parquet    what it dropped, a configuration of its own
    DIR/model/                         the student as a Hugging Face folder, with its card (gguf: RUN.gguf in it, too)
    DIR/export.json                    what was exported, and every file: what is not listed there is never replaced

All is written beside DIR and takes its place at the end. A second call with nothing changed does nothing.
"""

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline import __version__, walk
from pipeline.core.contents import file_digest
from pipeline.core.errors import InputError, StoreBusy, UsageError
from pipeline.core.identity import digest
from pipeline.export import dataset_card, licences, model_card
from pipeline.export.cards import Told
from pipeline.export.records import PROBLEMS, STUDENT, TEST, Splits, has_documents, made_stage, problems, tables
from pipeline.export.writing import DATA, DROPPED, Format, Written, pattern, write
from pipeline.report.corpus import diversity
from pipeline.report.summary import summarise
from pipeline.run.reading import RunView, StageView, open_run
from pipeline.run.students import over_text
from pipeline.stages.decontaminated.facts import DecontaminatedFacts
from pipeline.store.disk import disk_errors, whole_folder
from pipeline.store.locks import exclusive
from pipeline.store.places import Places

RECORD = "export.json"
README = "README.md"
RECIPE = "recipe.toml"
MODEL = "model"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be exported. stage: "" for the last one of documents. only: "corpus", "model" or "" for both.
    said: licences by teacher or model, and of the work itself under "". dataset: where the corpus lies on the hub."""

    stage: str = ""
    format: Format = "parquet"
    split: str = STUDENT
    only: str = ""
    said: Mapping[str, str] | None = None
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class Exported:
    """What lies in the folder. splits: rows kept by split; dropped: rows dropped. conflicts: why it may not be passed
    on, of the corpus and of the model. files: bytes by name. unchanged: whether all of it was there before."""

    run: str
    stage: str
    key: str
    format: str
    to: str
    splits: Mapping[str, int]
    dropped: int
    model: bool
    conflicts: Mapping[str, list[str]]
    files: Mapping[str, int]
    unchanged: bool = False

    def to_json(self) -> dict[str, Any]:
        """What `hornbook export --json` prints."""
        return asdict(self) | {"files": len(self.files), "bytes": sum(self.files.values())}

    def to_text(self) -> str:
        """For a person: what lies where, and how it is loaded."""
        lines = [f"{self.run} is exported to {self.to}{' already' if self.unchanged else ''}"]
        if self.stage:
            rows = ", ".join(f"{split} {count:,}" for split, count in self.splits.items()) or "no rows"
            lines.append(f"  corpus   {rows} of the stage {self.stage}; {self.dropped:,} dropped apart")
            lines.append(f"           {load_code(self.format, self.to).splitlines()[-1]}")
        if self.model:
            lines.append(f"  model    AutoModelForCausalLM.from_pretrained({_in_python(f'{self.to}/{MODEL}')})")
        lines += [f"  cards    {Path(self.to, README)}" + (f", {Path(self.to, MODEL, README)}" if self.model else "")]
        for what, found in self.conflicts.items():
            lines += [f"  ! the {what} may not be passed on as it is: {one}" for one in found]
        return "\n".join(lines)


def _in_python(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def load_code(format: str, folder: str) -> str:
    """How an exported corpus is loaded, in Python."""
    call = f"datasets.load_{'from_disk' if format == 'arrow' else 'dataset'}({_in_python(folder)})"
    return f"import datasets\n\ncorpus = {call}"


def export(run_folder: Path, places: Places, to: Path, wish: Wish) -> Exported:
    """Write what is wished for into `to`, or find that it is there.

    Raises UsageError where `to` holds anything that no export wrote, or changed since; InputError where the run has
    not made what is asked for.
    """
    if wish.format == "gguf":
        if wish.only == "corpus" or wish.stage:
            raise UsageError("--format gguf is of models", hint="leave --only corpus and --stage out")
        wish = replace(wish, only=MODEL)
    run = open_run(run_folder, places.store)
    over_text(run, "corpus or language model to export")
    to = to.expanduser().resolve()
    stage = None if wish.only == MODEL or not (wish.stage or has_documents(run)) else made_stage(run, wish.stage)
    student = None if wish.only == "corpus" else _student(run, wish.only == MODEL)
    if stage is None and student is None:
        raise InputError(f"the run {run.name} has neither documents nor a student yet", hint="run its recipe further")
    wanted = _identity(run, stage, student, wish)
    before = _before(to)
    if before and before.get("identity") == wanted:
        told = {name: before[name] for name in Exported.__slots__ if name in before}
        return Exported(**told | {"to": str(to), "unchanged": True})
    busy = StoreBusy(f"another export writes to {to}", hint="wait for it, or name another folder with --to")
    lock = to.with_name(f".{to.name}.export.lock")
    with disk_errors(to), contextlib.ExitStack() as held:
        to.parent.mkdir(parents=True, exist_ok=True)
        held.enter_context(exclusive(lock, busy=busy))
        held.callback(lock.unlink, missing_ok=True)
        scratch = held.enter_context(whole_folder(to, scratch=to.with_name(f".{to.name}.export")))
        found = _written(run, places, scratch, to, stage, student, wish)
        cards = {name: file_digest(scratch / name) for name in found.files if name.endswith(README)}
        told = asdict(found) | {"to": "", "identity": wanted, "cards": cards, "hornbook": __version__}
        (scratch / RECORD).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return found


def _identity(run: RunView, stage: StageView | None, student: StageView | None, wish: Wish) -> str:
    """Of all that changes what is written; the cards speak of the whole run, scores included."""
    keys = [[one.name, one.key, one.manifest is not None] for one in run.stages]
    return digest([__version__, run.name, keys, stage.name if stage else "", bool(student), asdict(wish)])


def _student(run: RunView, needed: bool) -> StageView | None:
    found = run.made("student")
    if found is None and needed:
        raise InputError(f"the run {run.name} has no student yet", hint="run its recipe to the end")
    return found


def _before(to: Path) -> dict[str, Any]:
    """What an earlier export says of `to`; empty where there is nothing.

    Raises UsageError where something there is not an export's, or was changed since.
    """
    if not to.exists():
        return {}
    if not to.is_dir():
        raise UsageError(f"{to} is a file", hint="name a folder with --to")
    there = {path.relative_to(to).as_posix() for path in to.rglob("*") if not path.is_dir() or path.is_symlink()}
    if not there:
        return {}
    try:
        before: dict[str, Any] = json.loads((to / RECORD).read_text(encoding="utf-8"))
        files, cards = dict(before["files"]), dict(before["cards"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{to} is not empty and holds no earlier export", hint="name another folder with --to, or empty it"
        ) from error
    strange = sorted(there - files.keys() - {RECORD})
    if strange:
        raise UsageError(f"{to} holds {strange[0]}, which no export wrote", hint="move it away, or name another folder")
    for name, known in cards.items():
        if (to / name).is_file() and file_digest(to / name) != known:
            raise UsageError(
                f"{to / name} was changed since it was exported", hint="move it away, or name another folder"
            )
    whole = all((to / name).is_file() and (to / name).stat().st_size == size for name, size in files.items())
    return before if whole else {}


def _written(
    run: RunView,
    places: Places,
    scratch: Path,
    to: Path,
    stage: StageView | None,
    student: StageView | None,
    wish: Wish,
) -> Exported:
    summary, said = summarise(run.folder, run.store), dict(wish.said or {})
    recipe = run.loaded.recipe if run.loaded else None
    conflicts: dict[str, list[str]] = {}
    splits: Mapping[str, int] = {}
    dropped = 0
    if stage is not None:
        seen = _Seen()
        kept = write(scratch if wish.format == "arrow" else scratch / DATA, _split(run, stage, wish, seen), wish.format)
        gone = _dropped(run, stage, scratch, wish.format)
        splits, dropped = kept.rows, sum(gone.rows.values())
        origins = licences.of_corpus(run, seen.origins, said)
        told = Told(summary, stage.name, stage.key, origins, said.get("", ""))
        contents = dataset_card.Contents(
            splits=splits,
            dropped=dropped,
            templates=seen.templates,
            closest=run.facts("decontaminated", DecontaminatedFacts),
            diversity=diversity(run) if stage.name == "decontaminated" else None,
            **_configs(kept, gone, wish.format),
            load=load_code(wish.format, wish.dataset or "FOLDER"),
        )
        (scratch / README).write_text(dataset_card.card(told, recipe, contents), encoding="utf-8")
        conflicts["corpus"] = [one.conflict for one in origins if one.conflict]
    (scratch / RECIPE).write_text(summary.recipe_toml, encoding="utf-8")
    if student is not None:
        folder = scratch / MODEL
        shutil.copytree(places.store.local("student", student.key, places.models) / MODEL, folder)
        if wish.format == "gguf":
            from pipeline.models.gguf_writing import write_gguf

            write_gguf(folder, folder / f"{run.name}.gguf")
        texts = licences.of_corpus(run, _learnt_from(run), said)
        origins = [*licences.of_model(run, said), *texts]
        told = Told(summary, "student", student.key, origins, said.get("", ""))
        (folder / README).write_text(model_card.card(told, recipe, wish.dataset), encoding="utf-8")
        (folder / RECIPE).write_text(summary.recipe_toml, encoding="utf-8")
        about = {"run": run.name, "student": student.key, "hornbook": __version__}
        (folder / RECORD).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        conflicts["model"] = [one.conflict for one in origins if one.conflict]
    files = {
        path.relative_to(scratch).as_posix(): path.stat().st_size
        for path in sorted(scratch.rglob("*"))
        if path.is_file()
    }
    name, key = (stage.name, stage.key) if stage else ("", "")
    found = {what: list(dict.fromkeys(why)) for what, why in conflicts.items() if why}
    return Exported(run.name, name, key, wish.format, str(to), splits, dropped, student is not None, found, files)


class _Seen:
    """What the card counts over the rows, a few words of each."""

    def __init__(self) -> None:
        self.origins: licences.Texts = Counter()
        self.templates: Counter[tuple[str, str]] = Counter()

    def see(self, table: pa.Table) -> None:
        if "teacher" in table.column_names:
            present = [name for name in ("teacher", "licence") if name in table.column_names]
            self.origins += licences.counted(table.select(present).to_pylist())
        if "template" in table.column_names and table["template"].type == pa.string():
            pairs = zip(table["template"].to_pylist(), table["template_digest"].to_pylist(), strict=True)
            self.templates.update(pair for pair in pairs if pair[0])


def _split(run: RunView, stage: StageView, wish: Wish, seen: _Seen) -> Iterator[tuple[str, pa.Table]]:
    splits = Splits(run, wish.split)
    for table in tables(run, stage, "part"):
        seen.see(table)
        yield from splits.parts(table)
    if wish.split == PROBLEMS:
        yield from ((TEST, table) for table in problems(run))


def _dropped(run: RunView, stage: StageView, scratch: Path, format: Format) -> Written:
    if not (stage.manifest and sum(stage.manifest.dropped.values())):
        return Written()
    return write(scratch / DROPPED, (("train", table) for table in tables(run, stage, "dropped")), format)


def _configs(kept: Written, gone: Written, format: Format) -> dict[str, Any]:
    """Patterns and features by configuration; none for what `load_from_disk` reads, which has its own."""
    if format == "arrow":
        return {"patterns": {}, "features": {}}
    found = {"kept": (DATA, kept), "dropped": (DROPPED, gone)}
    there = {name: one for name, one in found.items() if one[1].rows}
    return {
        "patterns": {
            n: {split: pattern(folder, split, format) for split in one.rows} for n, (folder, one) in there.items()
        },
        "features": {name: one.features for name, (_, one) in there.items()},
    }


def _learnt_from(run: RunView) -> licences.Texts:
    """The documents that the student read."""
    name = next((one.name for one in reversed(run.stages) if one.name in walk.documents() and one.manifest), "")
    return licences.counted(run.rows(name, columns=["teacher", "licence"]))
