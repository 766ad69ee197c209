"""The browser of a run: records of a stage, the walk of one record back and forward, two runs side by side.

`show` is here; `trace`, `diff` and `resolve` are from their own modules, gathered so that a caller needs one import.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.errors import InputError
from pipeline.report.corpus import teacher_of, text_of
from pipeline.report.differences import diff, diff_text
from pipeline.report.drawn import smallest_ids
from pipeline.report.tracing import trace, trace_text
from pipeline.run.reading import RunView, StageView, open_run, resolve
from pipeline.store.store import Store

__all__ = ["diff", "diff_text", "resolve", "show", "show_text", "trace", "trace_text"]

MOST_LINES = 40
"""Lines of a record's text that `show_text` prints."""


def show(run_folder: Path, store: Store, stage: str, *, dropped: str | None = None, n: int = 3) -> list[dict[str, Any]]:
    """`n` records of a stage: kept ones, or those dropped for the reason `dropped` ("all" for any reason).

    They are the ones with the smallest ids, a random draw that stays the same. Each has id, type, reason, detail,
    teacher, text (what a person reads) and record (all columns). A stage without records gives its facts as one entry.
    Raises InputError for a stage or reason that the run does not have.
    """
    run = open_run(run_folder, store)
    view = finished_stage(run, stage)
    if dropped is not None:
        _known_reason(run, view, dropped)
        rows = smallest_ids(run, stage, n, "dropped", by="" if dropped == "all" else "reason")
        return [_entry(row) for row in rows if dropped in ("all", row["reason"])]
    prefix = next((prefix for prefix in ("part", "spans") if any(True for _ in run.files(stage, prefix))), "")
    if not prefix:
        return [_facts_entry(view)]
    rows = smallest_ids(run, stage, n, prefix)
    return [_entry(row) for row in (_with_answers(run, rows) if stage == "scores" else rows)]


def show_text(records: Sequence[Mapping[str, Any]]) -> str:
    """Records for a person: a header line each, then the text, indented."""
    if not records:
        return "no records"
    return "\n\n".join(_record_text(record) for record in records)


def finished_stage(run: RunView, name: str) -> StageView:
    """The stage of that name. Raises InputError where the run has none, or its records are not there."""
    stage = run.stage(name)
    if stage is None:
        names = ", ".join(view.name for view in run.stages)
        raise InputError(f"run {run.name} has no stage {name!r}", hint=f"its stages are {names}")
    if run.made(name) is None:
        raise InputError(
            f"stage {name} of run {run.name} is not finished (state: {stage.state})",
            hint=f"run the same recipe again to go on; `hornbook status {run.name}` shows how far it is",
        )
    return stage


def _known_reason(run: RunView, stage: StageView, reason: str) -> None:
    counts = stage.manifest.dropped if stage.manifest else {}
    if reason == "all" or reason in counts:
        return
    listed = ", ".join(f"{name} ({count:,})" for name, count in sorted(counts.items(), key=lambda i: -i[1]))
    raise InputError(
        f"stage {stage.name} of run {run.name} dropped nothing for the reason {reason!r}",
        hint=f"its reasons: {listed}, or all" if listed else "it dropped nothing at all",
    )


def _entry(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": row["id"],
        "type": row.get("type", ""),
        "reason": row.get("reason") or "",
        "detail": row.get("detail") or "",
        "teacher": teacher_of(row),
        "text": text_of(row),
        "record": dict(row),
    }


def _with_answers(run: RunView, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Score rows with the code that was scored."""
    wanted = {row["sample_id"] for row in rows}
    answers = {
        answer["id"]: answer["completion"]
        for stage in run.stages
        if stage.name.startswith("samples")
        for answer in run.rows(stage.name, columns=["id", "completion"])
        if answer["id"] in wanted
    }
    return [row | {"completion": answers.get(row["sample_id"], "")} for row in rows]


def _facts_entry(stage: StageView) -> dict[str, Any]:
    """A stage that writes no records (a checkpoint): what its manifest says."""
    facts = stage.shown_facts
    text = json.dumps(facts, indent=1, ensure_ascii=False)
    files = dict(stage.manifest.files) if stage.manifest else {}
    return {"id": stage.key, "type": "artifact", "reason": "", "detail": "", "teacher": "", "text": text,
            "record": {"facts": facts, "files": files}}  # fmt: skip


def _record_text(record: Mapping[str, Any]) -> str:
    row = record["record"]
    about = [record["type"], record["id"]]
    about += [
        str(row[name]) for name in ("teacher", "topic", "audience", "origin", "task_id", "model") if row.get(name)
    ]
    lines = [" · ".join(about)]
    if record["reason"]:
        near = f"  (kept instead: {row['kept_id']})" if row.get("kept_id") else ""
        lines.append(f"dropped: {record['reason']}: {' '.join(record['detail'].split())}{near}")
    if row.get("executed") == 0 and row.get("teacher"):
        lines.append("nothing of it was executed")
    if record["type"] == "score":
        state = {True: "passed", False: "failed", None: "unscored"}[row.get("passed")]
        lines.append(f"{state}: {row.get('verdict')}" + (f": {row['detail']}" if row.get("detail") else ""))
    body = row.get("completion") if record["type"] == "score" else record["text"]
    lines += indented(body or "", MOST_LINES)
    if row.get("test") and record["reason"]:
        lines += ["    # the test", *indented(row["test"], MOST_LINES)]
    return "\n".join(lines)


def indented(text: str, most: int) -> list[str]:
    """Lines of `text` behind four spaces, at most `most`, and how many more there are."""
    lines = text.strip("\n").rstrip().splitlines()
    more = [f"    ... {len(lines) - most} more lines"] if len(lines) > most else []
    return [f"    {line}".rstrip() for line in lines[:most]] + more
