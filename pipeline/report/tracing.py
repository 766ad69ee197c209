"""`trace`: any record of a run back to its seed and forward to its tokens, or to the place where it was dropped.

Every record names its parent, so the walk back is a chain of look-ups by id. The walk forward asks each later stage
whether it kept or dropped the record. A score rests on a whole corpus: its walk leads through the checkpoint to the
tokens artifact, and from there, as an illustration, to the documents that look most like the answer.
"""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from pipeline import walk
from pipeline.core.errors import InputError
from pipeline.report.image_lineage import ahead_of_image, behind_guess
from pipeline.report.lineage import Lineage, artifact_step
from pipeline.report.steps import Step, Trace, trace_text
from pipeline.run.reading import RunView, StageView, open_run
from pipeline.store.store import Store

__all__ = ["Step", "Trace", "trace", "trace_text"]

SHORTEST_PREFIX = 4
"""Fewest characters of an id that are looked up."""


def trace(run_folder: Path, store: Store, identifier: str) -> Trace:
    """Walk the record with this id, unique start of an id, benchmark task id or artifact key.

    Raises InputError where nothing, or more than one thing, has it.
    """
    run = open_run(run_folder, store)
    lineage = Lineage(run)
    by_task = _scores_of_task(run, identifier)
    if by_task:
        return _task_trace(run, lineage, identifier, by_task)
    found = places(run, identifier) if len(identifier) >= SHORTEST_PREFIX else {}
    if len(found) > 1:
        listed = ", ".join(f"{record} ({where[0][0].name})" for record, where in list(found.items())[:6])
        raise InputError(
            f"{identifier!r} is the start of {len(found)} ids of run {run.name}", hint=f"give more of it: {listed}"
        )
    if not found:
        raise _unknown(run, identifier)
    record_id, ((stage, prefix), *_) = next(iter(found.items()))
    if prefix == "artifact":
        return Trace(run.name, identifier, artifact_step(run, stage))
    (row, *_) = run.where(stage.name, prefix, "id", {record_id})
    return _record_trace(lineage, identifier, stage, prefix, row)


def places(run: RunView, identifier: str) -> dict[str, list[tuple[StageView, str]]]:
    """Ids that begin with `identifier`, each with the stages and files that hold it, in the order of the walk."""
    found: dict[str, list[tuple[StageView, str]]] = {}
    for stage in run.stages:
        if stage.key.startswith(identifier):
            found.setdefault(stage.key, []).append((stage, "artifact"))
        for prefix in ("part", "dropped", "spans"):
            table = run.table(stage.name, prefix, ["id"])
            if table.num_rows and "id" in table.column_names:
                ids = table.column("id")
                for record_id in ids.filter(pc.starts_with(ids, identifier)).to_pylist():
                    found.setdefault(record_id, []).append((stage, prefix))
    return found


def _record_trace(lineage: Lineage, identifier: str, stage: StageView, prefix: str, row: Mapping[str, Any]) -> Trace:
    run, kind = lineage.run, row.get("type") or "span"
    here = lineage.step(kind, row, stage)
    if prefix == "dropped":
        forward: tuple[Step, ...] = (lineage.dropped_step(stage, row),)
    else:
        forward = ()
    match kind:
        case "score":
            return Trace(run.name, identifier, here, back=lineage.behind_score(row))
        case "sample":
            return Trace(run.name, identifier, here, back=lineage.behind_sample(row), forward=lineage.scores_of(row))
        case "span":
            return Trace(run.name, identifier, here, back=lineage.behind_span(row))
        case "passage" | "exercise":
            after = forward or lineage.ahead_of_document(row, stage)
            return Trace(run.name, identifier, here, back=lineage.behind_document(row), forward=after)
        case "completion":
            after = forward or lineage.ahead_of_completion(row)
            return Trace(run.name, identifier, here, back=lineage.behind_completion(row), forward=after)
        case "prompt":
            after = forward or lineage.ahead_of_prompt(row)
            return Trace(run.name, identifier, here, back=lineage.behind_prompt(row), forward=after)
        case "guess":
            return Trace(run.name, identifier, here, back=behind_guess(lineage, row))
        case "image":
            return Trace(run.name, identifier, here, forward=forward or ahead_of_image(lineage, row))
        case _:
            return Trace(run.name, identifier, here, forward=forward or lineage.ahead_of_seed(row))


def _scores_of_task(run: RunView, identifier: str) -> list[dict[str, Any]]:
    """Score rows of the problem with this task id or problem id, "before" first."""
    rows: list[dict[str, Any]] = []
    for column in ("task_id", "problem_id"):
        rows = rows or run.where("scores", "part", column, {identifier})
    return sorted(rows, key=lambda row: (row["benchmark"], row["model"] != "before", row.get("number") or 0))


def _task_trace(run: RunView, lineage: Lineage, identifier: str, rows: Sequence[Mapping[str, Any]]) -> Trace:
    first, stage = rows[0], run.stage("scores")
    problem = lineage.problem(first["problem_id"])
    here = Step(
        "problem",
        first["problem_id"],
        note=f"{first['benchmark']} {first['task_id']}" + (f", {first['group']}" if first.get("group") else ""),
        text=problem.prompt if problem else "",
    )
    back = []
    for row in rows:
        step = lineage.step("score", row, stage)
        back.append(Step(**{**_fields(step), "next": lineage.behind_score(row)}))
    return Trace(run.name, identifier, here, back=tuple(back))


def _fields(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in Step.__dataclass_fields__}


def _unknown(run: RunView, identifier: str) -> InputError:
    tasks = sorted({row["task_id"] for row in run.rows("scores", columns=["task_id"])})
    near = difflib.get_close_matches(identifier, tasks, n=3)
    if not near and len(identifier) >= SHORTEST_PREFIX:
        near = _near_ids(run, identifier)
    guess = f"near it: {', '.join(near)}; " if near else ""
    of = "a guess or an image" if run.stage("probes") else "a score, sample, document, completion, prompt or seed"
    wanted = f"an id (or its first characters) of {of}"
    example = f", or a task id such as {tasks[0]}" if tasks else ""
    gone = [stage.name for stage in run.stages if stage.state == "removed"]
    told = f"; of its stages {', '.join(gone)} {'is' if len(gone) == 1 else 'are'} no longer in the store"
    return InputError(
        f"run {run.name} has no record {identifier!r}{told if gone else ''}",
        hint=f"{guess}wanted: {wanted}{example}; `hornbook show {run.name} STAGE` lists ids",
    )


def _near_ids(run: RunView, identifier: str) -> list[str]:
    """Ids that share the longest start with `identifier`, at most three."""
    ids = {
        record_id
        for name in (*walk.corpus(), "samples-before", "samples-after", "scores")
        for record_id in run.table(name, columns=["id"]).to_pydict().get("id", ())
    }
    for length in range(len(identifier) - 1, SHORTEST_PREFIX - 1, -1):
        near = sorted(record_id for record_id in ids if record_id.startswith(identifier[:length]))
        if near:
            return near[:3]
    return []
