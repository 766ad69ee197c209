"""The command line. Each verb calls one function; heavy imports are inside the verb, so that `--help` is instant.

Human text goes to stderr, results to stdout. Exit codes: 0 done, 1 failed, 2 wrong recipe or arguments, 3 budget
reached (resumable), 130 interrupted (resumable).
"""

import functools
import os
import sys
import threading
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import __version__
from pipeline.cli import completion
from pipeline.cli.agent import agent
from pipeline.cli.bench import bench_app
from pipeline.cli.browse import diff, report, show, status, trace
from pipeline.cli.chat import chat
from pipeline.cli.domain import domain_app
from pipeline.cli.elsewhere import adopt, join
from pipeline.cli.embed import embed
from pipeline.cli.ending import guarded
from pipeline.cli.evaluate import evaluate, score
from pipeline.cli.export import export
from pipeline.cli.improve import improve
from pipeline.cli.models import app as models_app
from pipeline.cli.options import (
    DataOption,
    JsonOption,
    OverridesArgument,
    RecipeArgument,
    SandboxOption,
    one_of,
    print_json,
    say,
    stderr,
)
from pipeline.cli.outputs import output
from pipeline.cli.reasons import reasons
from pipeline.cli.recipes import prompts_app, recipes_app
from pipeline.cli.runs import runs_app, store_app
from pipeline.cli.settings import settings
from pipeline.cli.sweep import ladder, sweep
from pipeline.cli.view import view
from pipeline.core.errors import Interrupted, UsageError
from pipeline.execution import let_waiting_threads_sleep

app = typer.Typer(
    name="hornbook",
    help="A teacher LLM writes a verified corpus, a small student learns it, every score walks back to its seed.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(recipes_app, name="recipes")
app.add_typer(prompts_app, name="prompts")
app.add_typer(domain_app, name="domain")
app.add_typer(models_app, name="models")
app.add_typer(runs_app, name="runs")
app.add_typer(store_app, name="store")
app.add_typer(bench_app, name="bench")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        say(__version__)
        raise typer.Exit


@app.command()
def run(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    until: Annotated[
        str, typer.Option("--until", help="Last stage to make.", metavar="STAGE", autocompletion=completion.stages)
    ] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the run's folder.")] = "",
    fresh: Annotated[
        list[str] | None,
        typer.Option(
            "--fresh",
            help="Make this stage again, and what follows from it. A stage that asks teachers asks them anew, which is "
            "paid anew, and a budget counts that alone. Old results stay in the store; the run keeps to the new ones. "
            "Repeat for several.",
            metavar="STAGE",
            autocompletion=completion.stages,
        ),
    ] = None,
    data: DataOption = "",
    sandbox: SandboxOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make what is missing of a recipe; a second call does nothing and says so."""
    from pipeline.cli.running import made
    from pipeline.recipe_text import load
    from pipeline.store.places import places

    extra = [f"execution.sandbox={sandbox}"] if sandbox else []
    loaded, where = load(recipe, [*(overrides or []), *extra]), places(data)
    made(loaded, where, name=name, until=until, fresh=tuple(fresh or ()), data=data, as_json=as_json)


@app.command()
def plan(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    name: Annotated[str, typer.Option("--name", help="The run, where it has another name than its recipe gives.")] = "",
    gpus: Annotated[int, typer.Option("--gpus", min=0, help="Train on so many GPUs of --kind.", metavar="N")] = 0,
    kind: Annotated[str, typer.Option("--kind", help="a100, h100, h200 and others; by default a100.")] = "",
    mfu: Annotated[
        float,
        typer.Option(
            "--mfu", min=0, max=1, help="Share of the peak that training reaches, where you measured it.", metavar="X"
        ),
    ] = 0,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Stages, keys, what is stored, what is left to ask of teachers and to pay, student FLOPs, memory, disk, and with
    --gpus and --kind how long it trains; touches nothing."""
    from pipeline.models.accelerators import A100, accelerator
    from pipeline.recipe import Recipe
    from pipeline.recipe_text import load
    from pipeline.run.machine import Machine
    from pipeline.store.places import places

    machine = Machine(accelerator(kind or A100), gpus or 1, mfu or None) if gpus or kind or mfu else None
    loaded = load(recipe, overrides or [])
    costs = import_module("pipeline.run.costs" if isinstance(loaded.recipe, Recipe) else "pipeline.run.image_costs")
    estimated = costs.estimate(loaded, places(data), name, machine)
    if as_json:
        print_json(estimated)
    else:
        say(costs.table(estimated))


for verb in (
    status, show, trace, diff, report, view, export, chat, score, evaluate, embed, sweep, ladder, improve, settings,
    reasons, agent, adopt, join,
):  # fmt: skip
    app.command()(verb)


@app.command()
def clean(
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="JSONL, Parquet, dataset folders or folders of .py files; settings too: distinct.similarity=0.8.",
            metavar="INPUT... [key=value ...]",
            autocompletion=completion.cleaning,
        ),
    ],
    to: Annotated[str | None, typer.Option("--to", help="Output folder.", metavar="OUT")] = None,
    field: Annotated[str, typer.Option("--field", help="Text field; by default text, else content.")] = "",
    benchmark: Annotated[
        list[str] | None,
        typer.Option(
            "--benchmark", help="Decontaminate against it; repeat for several.", autocompletion=completion.benchmarks
        ),
    ] = None,
    report_only: Annotated[
        bool, typer.Option("--report-only", help="Count, and write nothing; needs no --to.")
    ] = False,
    index: Annotated[
        str | None,
        typer.Option("--index", help="Compare with what earlier batches kept, and add this one.", metavar="FOLDER"),
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=0, help="Processes; 0 for one per core.")] = None,
    engine: Annotated[str, typer.Option("--engine", help="local, or ray for a Ray cluster.")] = "",
    address: Annotated[str, typer.Option("--address", help="Address of a Ray cluster; by default its own.")] = "",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """The cleaning stages alone, on your own data."""
    from pipeline.clean.clean import TABLES, is_setting
    from pipeline.clean.clean import clean as clean_files
    from pipeline.cli.watching import Watcher
    from pipeline.models.embeddings import DEFAULT, blockwise, encoder
    from pipeline.recipe_text import settings
    from pipeline.store.places import places
    from pipeline.work import executor

    if "" in inputs:
        raise UsageError("an input is '', which is no name", hint="name files or folders; . is the current folder")
    given = [one for one in inputs if is_setting(one)]
    if engine:
        given.append(f"execution.engine={one_of('--engine', engine, ('local', 'ray'))}")
    if address:
        given.append(f'execution.address="{address}"')
        given += [] if engine else ["execution.engine=ray"]
    if workers is not None:
        given.append(f"execution.workers={workers}")
    loaded = settings(given, (*TABLES, "execution"))
    recipe, execution = loaded.recipe, loaded.execution
    reads = None
    with Watcher(stderr) as watch, executor(execution) as where:
        if recipe.decontaminated.embedding < 1:
            reads = encoder(
                recipe.decontaminated.encoder or DEFAULT,
                places(data).models,
                execution.device,
                loading=lambda name: watch({"event": "loading", "stage": "decontaminated", "what": name}),
            )
        summary = clean_files(
            [Path(one) for one in inputs if not is_setting(one)],
            None if to is None else output("--to", to, "folder"),
            field=field,
            benchmarks=tuple(benchmark or ()),
            report_only=report_only,
            on_event=watch,
            distinct=recipe.distinct,
            quality=recipe.quality,
            decontaminated=recipe.decontaminated,
            index=None if index is None else output("--index", index, "folder"),
            embed=blockwise(reads, where) if reads else None,
            executor=where,
        )
    if as_json:
        print_json(summary.to_json())
    else:
        say(summary.to_text())


@app.command()
def doctor(data: DataOption = "", as_json: JsonOption = False) -> None:
    """What this machine offers: isolation layers, devices, embedded model, extras, disk."""
    from pipeline.cli.doctor import examine, text
    from pipeline.store.places import places

    found = examine(places(data))
    if as_json:
        print_json(found)
    else:
        say(text(found))
    if not found["ready"]:
        raise typer.Exit(1)


@functools.cache
def whole_command() -> Any:
    """All verbs as click's command. Typer builds it anew for each call of `app`, which takes most of a short one."""
    return typer.main.get_command(app)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `hornbook`: every error becomes one message, with --json one object, and the right exit code."""
    let_waiting_threads_sleep()
    given = sys.argv[1:] if arguments is None else arguments
    code = guarded(lambda: whole_command()(given, prog_name="hornbook", standalone_mode=False), given)
    # A local model that was abandoned in the middle of an answer would be waited for at exit.
    busy = any(thread.name == "teacher" for thread in threading.enumerate())
    if code == Interrupted.exit_code or busy:
        # Where Ctrl-C falls into `exec` of a string (a dataclass being made, say), CPython remembers it as unhandled
        # and ends with the signal at exit, whatever the exit code is.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
