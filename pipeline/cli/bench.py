"""`hornbook bench`: what can be had from what a recipe names, measured."""

from typing import Annotated

import typer

from pipeline.cli.options import (
    DataOption,
    JsonOption,
    OverridesArgument,
    RecipeArgument,
    print_json,
    say,
    stderr,
    with_data,
)

bench_app = typer.Typer(help="Measure what a recipe will have to do with.", no_args_is_help=True)


@bench_app.callback()
def _root() -> None:
    """So that `teacher` stays a word of its own while it is the only one."""


@bench_app.command("teacher")
def teacher(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    seconds: Annotated[float, typer.Option("--seconds", help="About how long to measure.", min=0.1)] = 120.0,
    most: Annotated[
        int, typer.Option("--most", help="Most requests in flight at each server.", min=1, max=65536)
    ] = 256,
    named: Annotated[
        str, typer.Option("--teacher", help="Its name; the first that asks an endpoint is the default.", metavar="NAME")
    ] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the run that the answers are for.")] = "",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tokens a second of a recipe's endpoint by concurrency; what it answers is kept for the run."""
    from pipeline.cli.watching import Watcher
    from pipeline.recipe_text import load
    from pipeline.run.teacher_bench import bench
    from pipeline.store.places import places

    loaded, where = load(recipe, overrides or []), places(data)
    with Watcher(stderr) as watch:
        found = bench(loaded, where, teacher=named, name=name, seconds=seconds, most=most, watch=watch)
    if as_json:
        print_json(found.to_json())
    else:
        say(with_data(found.to_text(), data))
