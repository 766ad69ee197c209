"""`hornbook runs` and `hornbook store`: what there is, and getting rid of it."""

import sys
from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import DataOption, JsonOption, print_json, say, stderr, with_data
from pipeline.cli.outputs import output

runs_app = typer.Typer(help="List the runs, compare or remove some.", invoke_without_command=True)
store_app = typer.Typer(help="Look after what stages have made.", no_args_is_help=True)

YesOption = Annotated[bool, typer.Option("--yes", help="Do it, and do not ask.")]


@runs_app.callback()
def runs(context: typer.Context, data: DataOption = "", as_json: JsonOption = False) -> None:
    """List the runs, the newest first: recipe, state, score, date, and size with all that the run uses."""
    if not context.invoked_subcommand:
        _list(data, as_json)


@runs_app.command("ls")
def runs_ls(data: DataOption = "", as_json: JsonOption = False) -> None:
    """The same list."""
    _list(data, as_json)


@runs_app.command("rm")
def runs_rm(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Names of runs, or the beginnings of them.", metavar="RUN...", autocompletion=completion.runs
        ),
    ],
    yes: YesOption = False,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Remove runs: their folders with report and events, nothing of the store. Asks first, or takes --yes; else says
    what it would do."""
    from pipeline.report.runs import remove
    from pipeline.run.reading import resolve
    from pipeline.store.places import places

    where = places(data)
    found = list(dict.fromkeys(resolve(where.runs, name).name for name in names))
    folders = [where.run(name) for name in found]
    for folder in folders:
        stderr.print(f"  {folder}", markup=False, soft_wrap=True)
    if not yes and not as_json and sys.stdin is not None and sys.stdin.isatty():
        yes = typer.confirm("remove?", err=True)
        if not yes:
            return
    for name in found if yes else []:
        remove(where, name)
    if as_json:
        print_json({"removed": found if yes else [], "found": found, "dry": not yes})
        return
    said = f"removed {', '.join(found)}; what they made stays in the store until `hornbook store gc --yes`"
    if not yes:
        them = "it" if len(found) == 1 else "them"
        said = f"nothing removed: `hornbook runs rm {' '.join(found)} --yes` removes {them}"
    say(with_data(said, data))


@runs_app.command("compare")
def runs_compare(
    names: Annotated[
        list[str],
        typer.Argument(
            help="Names of runs, or the beginnings of them; the first is what the others are compared with.",
            metavar="RUN...",
            autocompletion=completion.runs,
        ),
    ],
    page: Annotated[str | None, typer.Option("--page", help="Write a page of it, too.", metavar="FILE")] = None,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Runs side by side: rates with intervals, differences on the same problems, cost. Runs that differ in nothing but
    a seed are one arm."""
    from pipeline.report.experiment import of_runs
    from pipeline.report.experiment_page import render
    from pipeline.report.experiment_text import text
    from pipeline.run.reading import open_run, resolve
    from pipeline.store.disk import disk_errors, write_atomically
    from pipeline.store.places import places

    file = None if page is None else output("--page", page, "file")
    where = places(data)
    found = of_runs([open_run(resolve(where.runs, name), where.store) for name in names])
    if file is not None:
        with disk_errors(file):
            write_atomically(file, render(found).encode("utf-8", "replace"))
    if as_json:
        print_json(found.to_json())
    else:
        say(with_data(text(found), data))


@store_app.command("gc")
def store_gc(
    yes: Annotated[bool, typer.Option("--yes", help="Remove; without it nothing is.")] = False,
    paid: Annotated[bool, typer.Option("--paid", help="Remove answers that an endpoint was paid for, too.")] = False,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """What no run needs: artifacts, and work in progress that nobody goes on with. Says so; with --yes removes it.

    Answers of endpoints stay, with their cost told, unless --paid is given; so does what another process is at work on.
    """
    from pipeline.run.garbage import collect, text
    from pipeline.store.places import places

    where = places(data)
    found = collect(where, paid=paid, remove=yes)
    if not as_json:
        said = text(found, removed=yes, runs=where.runs, remote=not where.store.is_local)
        say(with_data(said, data))
        return
    by_fate = {fate: [one.to_json() for one in found if one.fate == fate] for fate in ("remove", "paid", "in use")}
    print_json(
        {
            "dry": not yes,
            "found": by_fate["remove"],
            "bytes": sum(one.bytes for one in found if one.fate == "remove"),
            "paid": by_fate["paid"],
            "paid_usd": round(sum(one.usd for one in found if one.fate == "paid"), 8),
            "in_use": by_fate["in use"],
        }
    )


def _list(data: str, as_json: bool) -> None:
    from pipeline.report.runs import listed, text
    from pipeline.store.places import places

    where = places(data)
    found = listed(where)
    if as_json:
        print_json({"runs": [run.to_json() for run in found]})
    else:
        say(with_data(text(found, where.runs), data))
