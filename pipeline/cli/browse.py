"""The verbs that look at a run: what it kept and dropped, record by record, and its report."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import completion
from pipeline.cli.options import DataOption, JsonOption, RunArgument, print_json, say, with_data


def status(run: RunArgument = "LATEST", data: DataOption = "", as_json: JsonOption = False) -> None:
    """What each stage of a run kept and dropped, and why."""
    from pipeline.report import summary

    folder, store = _run(run, data)
    found = summary.status(folder, store)
    if as_json:
        print_json(found)
    else:
        say(summary.status_text(found))


def show(
    run: RunArgument,
    stage: Annotated[str, typer.Argument(help="A stage's name.", metavar="STAGE", autocompletion=completion.stages)],
    dropped: Annotated[str, typer.Option("--dropped", help="Show records dropped for this reason.")] = "",
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 3,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Records of a stage, kept or dropped."""
    from pipeline.report import browse

    folder, store = _run(run, data)
    records = browse.show(folder, store, stage, dropped=dropped or None, n=n)
    if as_json:
        print_json({"run": folder.name, "stage": stage, "records": records})
    else:
        say(browse.show_text(records))


def trace(
    run: RunArgument,
    identifier: Annotated[str, typer.Argument(help="Id of a record, or a benchmark task id.", metavar="ID")],
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Walk a score, sample or document back to its seed, and a document forward to its tokens."""
    from pipeline.report import browse

    folder, store = _run(run, data)
    found = browse.trace(folder, store, identifier)
    if as_json:
        print_json(found.to_json())
    else:
        say(browse.trace_text(found))


def diff(run_a: RunArgument, run_b: RunArgument, data: DataOption = "", as_json: JsonOption = False) -> None:
    """What differs between two runs: recipe, stages, funnel, scores."""
    from pipeline.report import browse

    folder_a, store = _run(run_a, data)
    folder_b, _ = _run(run_b, data)
    found = browse.diff(folder_a, folder_b, store)
    if as_json:
        print_json(found.to_json())
    else:
        say(browse.diff_text(found))


def report(run: RunArgument = "LATEST", data: DataOption = "", as_json: JsonOption = False) -> None:
    """Write report.json and report.html anew, and print the report card."""
    from pipeline.report import write_report

    summary, card = write_report(*_run(run, data))
    if as_json:
        print_json(summary.to_json())
    else:
        say(with_data(card, data))


def _run(name: str, data: str) -> tuple[Path, Any]:
    from pipeline.report.browse import resolve
    from pipeline.store.places import places

    where = places(data)
    return resolve(where.runs, name), where.store
