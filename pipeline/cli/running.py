"""A run as a verb makes it: watched, reported, and told of at the end."""

from pathlib import Path
from typing import Any

from pipeline.cli.options import print_json, say, stderr, with_data


def made(
    loaded: Any, where: Any, *, name: str, until: str, data: str, as_json: bool, fresh: tuple[str, ...] = ()
) -> None:
    """Make what is missing of a recipe in the places `where`, and print its card or, `as_json`, its summary."""
    from pipeline.cli.watching import Watcher
    from pipeline.core.errors import Interrupted, happened_in
    from pipeline.report import write_report
    from pipeline.run.run import run

    with Watcher(stderr) as watch:
        try:
            outcome = run(
                loaded,
                where,
                name=name,
                until=until,
                fresh=fresh,
                watch=watch,
                stopped=lambda folder: _report_stopped(folder, where.store),
            )
        except Interrupted as error:
            at, _ = happened_in(error)
            command = with_data(f"`hornbook report {at}`", data)
            stderr.print(f"{command} writes the report of what there is", markup=False, soft_wrap=True)
            raise
        summary, card = write_report(outcome.folder, where.store)
    if not outcome.made:
        stderr.print(f"nothing to make: all {len(outcome.reused)} stages of {outcome.name} are stored", markup=False)
    if as_json:
        print_json(summary.to_json())
    else:
        say(with_data(card, data))


def _report_stopped(folder: Path, store: Any) -> None:
    """The report of a run that ended early: what there is, and where and why it stopped."""
    from pipeline.report import write_report

    write_report(folder, store)
    stderr.print(f"the report of what there is: {folder / 'report.html'}", markup=False, soft_wrap=True)
