"""`hornbook improve`: rounds of new exercises where a run's student fails."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import (
    DataOption,
    JsonOption,
    OverridesArgument,
    RunArgument,
    print_json,
    say,
    stderr,
    whole_numbers,
    with_data,
)


def improve(
    run: RunArgument,
    overrides: OverridesArgument = None,
    rounds: Annotated[int, typer.Option("--rounds", help="Most rounds.", min=1)] = 3,
    exercises: Annotated[int, typer.Option("--exercises", help="Exercises asked for in a round.", min=1)] = 200,
    seeds: Annotated[str, typer.Option("--seeds", help="Seeds of training, of each arm.")] = "1,2,3",
    control: Annotated[
        bool, typer.Option("--control/--no-control", help="An equal-size undirected round beside each.")
    ] = True,
    teacher: Annotated[
        str, typer.Option("--teacher", help="Who writes; the recipe's first is the default.", metavar="NAME")
    ] = "",
    budget: Annotated[
        float | None, typer.Option("--budget", help="Dollars for all rounds together; resumable.", min=0)
    ] = None,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """New exercises where the student fails, all trained anew, until held-out problems of its corpus rise no more."""
    from pipeline.cli.watching import Watcher
    from pipeline.core.events import Event
    from pipeline.improve.outcome import Options
    from pipeline.improve.rounds import improve as improve_run
    from pipeline.report import write_report
    from pipeline.run.reading import open_run, resolve
    from pipeline.store.places import places

    where = places(data)
    wanted = [*(overrides or []), *([] if budget is None else [f"execution.budget_usd={budget!r}"])]
    options = Options(rounds, exercises, whole_numbers("--seeds", seeds), control, teacher)

    def tell(line: str) -> None:
        stderr.print(line, markup=False, highlight=False, soft_wrap=True)

    def after(folder: Path) -> None:
        if (folder / "run.json").is_file():
            write_report(folder, where.store)

    with Watcher(stderr) as watch:

        def seen(event: Event) -> None:
            if event["event"] != "stage-reused":
                watch(event)

        view = open_run(resolve(where.runs, run), where.store)
        found = improve_run(view, where, options, wanted, watch=seen, tell=tell, after=after)
    if as_json:
        print_json(found.to_json())
    else:
        say(with_data(found.to_text(), data))
