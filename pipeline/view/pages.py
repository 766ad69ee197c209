"""What each page of the browser is told, as JSON values. Nothing here writes, and nothing locks a run that goes on.

A run's own words are read from its folder and its manifests at each question, so a page that asks again is live; what
artifacts hold is looked up by `records`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import walks
from pipeline.core.errors import HornbookError, InputError
from pipeline.report import runs as run_list
from pipeline.report import samples
from pipeline.report.browse import finished_stage
from pipeline.report.differences import settings
from pipeline.report.summary import SCORE_COLUMNS, benchmark_problems, status
from pipeline.report.tracing import places as places_of
from pipeline.report.tracing import trace
from pipeline.run.reading import RunView, StageView, open_run
from pipeline.stages.student.facts import StudentFacts
from pipeline.store.places import Places
from pipeline.training.curve import curve
from pipeline.view import labels
from pipeline.view.records import Found, Query, Source, facets, page, values

LONGEST = 200_000
"""Characters of one text that a page is given; what is longer can be downloaded whole."""
PREFIXES = {"kept": "part", "dropped": "dropped", "spans": "spans"}
"""Files of an artifact by the word that a page has for them."""
ROWS = 50
MOST_ROWS = 500
"""Rows of a list by default, and at most."""
REPORTED = ("scores", "comparisons", "teachers", "cost", "student", "tokens", "strength", "diversity", "description",
            "provenance", "seconds")  # fmt: skip
"""What a run's page is told of its report.json."""


@dataclass(frozen=True, slots=True)
class Viewer:
    """Answers to a page's questions about the runs of one data folder. found: what was looked up before."""

    places: Places
    found: Found = field(default_factory=Found)

    def open(self, name: str) -> RunView:
        """The run of exactly this name. Raises UsageError, of which InputError is one, where there is none."""
        return open_run(self.places.run(name), self.places.store)

    def runs(self) -> list[dict[str, Any]]:
        """All runs, the one called last first, with all scores and the cost of those that have a report."""
        return [
            one.to_json() | {name: self._report(one.name).get(name) for name in ("scores", "cost")}
            for one in run_list.listed(self.places)
        ]

    def run(self, name: str) -> dict[str, Any]:
        """A run's walk with its counts, its report as far as there is one, and what its reasons mean."""
        run = self.open(name)
        report = self._report(name)
        return {
            "status": status(run.folder, run.store),
            "stopped": run.info.get("stopped") or None,
            "report": {key: report[key] for key in REPORTED if key in report},
            "stages": {step.name: {"caption": step.caption, "reasons": dict(step.reasons)} for step in walks.steps()},
            "lists": {stage.name: _lists(stage) for stage in run.stages},
            "labels": len(labels.read(run.folder)),
            "places": {"run": str(run.folder), "store": run.store.root},
            "recipe": run.recipe_toml,
            "settings": settings(run),
        }

    def status(self, name: str) -> dict[str, Any]:
        """The run's stages as they are now, for a page that follows a run."""
        folder = self.places.run(name)
        return status(folder, self.places.store)

    def records(
        self, name: str, stage: str, kind: str, query: Query, offset: int = 0, limit: int = ROWS, label: str = "",
        low: float | None = None, high: float | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """A page of a stage's records, with the value and the label of each that has one."""
        run = self.open(name)
        source = self._source(run, stage, kind)
        said = labels.read(run.folder)
        valued = self.valued(run)
        chosen = query.ids
        if label:
            labelled = {
                one for one, row in said.items() if label in (row.get("label"), "any") or label == "note" == _note(row)
            }
            chosen = frozenset(labelled if chosen is None else labelled & chosen)
        if low is not None or high is not None:
            within = {i for i, v in valued.items() if (low is None or v >= low) and (high is None or v <= high)}
            chosen = frozenset(within if chosen is None else within & chosen)
        shown = page(source, Query(query.text, query.wanted, chosen), offset, min(limit, MOST_ROWS), self.found)
        rows = [classed(row) | {"value": valued.get(row["id"]), "label": said.get(row["id"])} for row in shown.rows]
        return {"total": shown.total, "matched": shown.matched, "offset": offset, "rows": shortened(rows)}

    def facets(self, name: str, stage: str, kind: str) -> dict[str, Any]:
        """What a stage's records can be filtered by; whether the classifier has valued any document of the run."""
        run = self.open(name)
        source = self._source(run, stage, kind)
        found = self.found.remembered((source, "facets"), lambda: facets(source))
        return {"facets": found, "valued": bool(self.valued(run))}

    def record(self, name: str, record_id: str, whole: bool = False) -> dict[str, Any]:
        """A record as the first stage that has it knows it, where else it is, and what it came from.

        kept: the record that was kept in place of this duplicate. Raises InputError where the run has no such record.
        """
        run = self.open(name)
        where = [
            (stage, prefix) for stage, prefix in places_of(run, record_id).get(record_id, ()) if prefix != "artifact"
        ]
        if not where:
            raise InputError(f"run {name} has no record {record_id!r:.60}", hint="look for it in a stage's list")
        # The last place knows most: what later stages have found out, and why one has dropped it.
        stage, prefix = where[-1]
        row = run.where(stage.name, prefix, "id", {record_id})[0]
        answer = _first(run, ("completions",), row.get("completion_id"))
        if row.get("type") == "completion":
            answer = row
        kept = _first(run, (stage.name, *(one.name for one in run.stages)), row.get("kept_id"))
        words = {prefix: word for word, prefix in PREFIXES.items()}
        found = {
            "row": classed(row),
            "places": [{"stage": s.name, "kind": words[p]} for s, p in where],
            "completion": answer,
            "prompt": _first(run, ("prompts",), (answer or {}).get("prompt_id")),
            "kept": kept,
            "value": self.valued(run).get(record_id),
            "label": labels.read(run.folder).get(record_id),
        }
        return found if whole else shortened(found)

    def trace(self, name: str, identifier: str) -> dict[str, Any]:
        """The walk of a record, both ways."""
        run = self.open(name)
        return shortened(trace(run.folder, run.store, identifier).to_json(), 2_000)  # type: ignore[no-any-return]

    def problems(self, name: str) -> list[dict[str, Any]]:
        """Every problem with each model's first answer; the texts of answers are short, a page filters them itself."""
        run = self.open(name)
        rows = list(run.rows("scores", columns=SCORE_COLUMNS))
        known = benchmark_problems(run) if rows else {}
        return shortened([one.to_json() for one in samples.every(run, rows, known)], 20_000)  # type: ignore[no-any-return]

    def curves(self, name: str) -> dict[str, Any]:
        """Loss, learning rate and held-out loss by optimiser step, of a student that may still be learning."""
        run = self.open(name)
        student = run.facts("student", StudentFacts)
        held_out = {
            int(event["step"]): event["held_out_loss"]
            for event in run.events("held-out")
            if event.get("step") is not None and event.get("held_out_loss") is not None
        }
        points = curve(student.curve or run.events("train"))
        return {"points": [list(point) for point in points], "held_out": sorted(held_out.items())}

    def labels(self, name: str) -> list[dict[str, Any]]:
        """Every label of a run, the newest last."""
        return list(labels.read(self.open(name).folder).values())

    def label(self, name: str, record_id: str, given: Mapping[str, Any]) -> dict[str, Any] | None:
        """Label a record of a run."""
        return labels.put(self.open(name).folder, record_id, given)

    def _report(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self.places.run(name) / "report.json").read_text(encoding="utf-8"))
        except (OSError, ValueError, HornbookError):  # a folder whose name is none must not hide the others
            return {}
        return found if isinstance(found, dict) else {}

    def _source(self, run: RunView, stage: str, kind: str) -> Source:
        if run.stage(stage) is None or kind not in PREFIXES:
            raise InputError(
                f"run {run.name} has no {kind!r:.60} of a stage {stage!r:.60}", hint="go back to the run's page"
            )
        view = finished_stage(run, stage)
        return Source(run.store, view.name, view.key, PREFIXES[kind])

    def valued(self, run: RunView) -> Mapping[str, float]:
        """What the classifier of a run has valued, by document id; empty where it has none."""
        stage = run.stage("quality")
        if stage is None or stage.manifest is None or "values.parquet" not in stage.manifest.files:
            return {}
        return self.found.remembered(  # type: ignore[no-any-return]
            (run.store.root, stage.key, "values"), lambda: values(run.store, stage.key)
        )


def classed(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its own label, which a record of an image has, as its class: a person's label has that name here."""
    return dict(row) | ({"class": row["label"]} if "label" in row else {})


def shortened(value: Any, most: int = LONGEST) -> Any:
    """A JSON value in which each longer text is cut to `most` characters, and says how many it had."""
    if isinstance(value, str):
        return value if len(value) <= most else f"{value[:most]}\n… {len(value) - most:,} more characters"
    if isinstance(value, Mapping):
        return {key: shortened(entry, most) for key, entry in value.items()}
    return [shortened(entry, most) for entry in value] if isinstance(value, list | tuple) else value


def _first(run: RunView, stages: Sequence[str], record_id: str | None) -> dict[str, Any] | None:
    """The kept record with this id in the first of the stages that has it."""
    for stage in dict.fromkeys(stages) if record_id else ():
        found = run.where(stage, "part", "id", {str(record_id)})
        if found:
            return found[0]
    return None


def _lists(stage: StageView) -> list[str]:
    """Which lists of records a finished stage has."""
    files = stage.manifest.files if stage.manifest else {}
    return [word for word, prefix in PREFIXES.items() if any(name.startswith(prefix) for name in files)]


def _note(row: Mapping[str, Any]) -> str:
    return "note" if row.get("note") else ""
