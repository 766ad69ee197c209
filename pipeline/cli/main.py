"""The command line. Each verb calls one function; heavy imports are inside the verb, so that `--help` is instant.

Human text goes to stderr, results to stdout. Exit codes: 0 done, 1 failed, 2 wrong recipe or arguments, 3 budget
reached (resumable), 130 interrupted (resumable).
"""

import os
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline import __version__
from pipeline.cli import completion
from pipeline.cli.ending import guarded
from pipeline.cli.evaluate import evaluate, score
from pipeline.cli.models import app as models_app
from pipeline.cli.options import (
    DataOption,
    JsonOption,
    OverridesArgument,
    RecipeArgument,
    RunArgument,
    SandboxOption,
    one_of,
    print_json,
    say,
    stderr,
    with_data,
)
from pipeline.cli.reasons import reasons
from pipeline.cli.runs import runs_app, store_app
from pipeline.cli.settings import settings
from pipeline.core.errors import Interrupted, UsageError
from pipeline.execution import let_waiting_threads_sleep

app = typer.Typer(
    name="hornbook",
    help="A teacher LLM writes a verified corpus, a small student learns it, every score walks back to its seed.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
recipes_app = typer.Typer(help="List the shipped recipes, or copy one to edit.", invoke_without_command=True)
prompts_app = typer.Typer(help="Check or preview the prompt templates.", no_args_is_help=True)
app.add_typer(recipes_app, name="recipes")
app.add_typer(prompts_app, name="prompts")
app.add_typer(models_app, name="models")
app.add_typer(runs_app, name="runs")
app.add_typer(store_app, name="store")


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
    from pipeline.cli.watching import Watcher
    from pipeline.recipe_text import load
    from pipeline.report import write_report
    from pipeline.run.run import run as run_recipe
    from pipeline.store.places import places

    extra = [f"execution.sandbox={sandbox}"] if sandbox else []
    loaded, where = load(recipe, [*(overrides or []), *extra]), places(data)
    with Watcher(stderr) as watch:
        outcome = run_recipe(
            loaded,
            where,
            name=name,
            until=until,
            fresh=tuple(fresh or ()),
            watch=watch,
            stopped=lambda folder: _report_stopped(folder, where.store),
        )
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


@app.command()
def plan(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    name: Annotated[str, typer.Option("--name", help="The run, where it has another name than its recipe gives.")] = "",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Stages, keys, what is stored, what is left to ask of teachers and to pay, student FLOPs and memory; touches
    nothing."""
    from pipeline.recipe_text import load
    from pipeline.run.costs import estimate, table
    from pipeline.store.places import places

    estimated = estimate(load(recipe, overrides or []), places(data), name)
    if as_json:
        print_json(estimated)
    else:
        say(table(estimated))


@app.command()
def status(run: RunArgument = "LATEST", data: DataOption = "", as_json: JsonOption = False) -> None:
    """What each stage of a run kept and dropped, and why."""
    from pipeline.report import summary

    folder, store = _run(run, data)
    found = summary.status(folder, store)
    if as_json:
        print_json(found)
    else:
        say(summary.status_text(found))


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
def report(run: RunArgument = "LATEST", data: DataOption = "", as_json: JsonOption = False) -> None:
    """Write report.json and report.html anew, and print the report card."""
    from pipeline.report import write_report

    summary, card = write_report(*_run(run, data))
    if as_json:
        print_json(summary.to_json())
    else:
        say(with_data(card, data))


app.command()(score)
app.command()(evaluate)
app.command()(settings)
app.command()(reasons)


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
    to: Annotated[Path | None, typer.Option("--to", help="Output folder.", metavar="OUT")] = None,
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
        Path | None,
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
            to,
            field=field,
            benchmarks=tuple(benchmark or ()),
            report_only=report_only,
            on_event=watch,
            distinct=recipe.distinct,
            quality=recipe.quality,
            decontaminated=recipe.decontaminated,
            index=index,
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


@recipes_app.callback()
def recipes(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the shipped recipes."""
    if context.invoked_subcommand:
        return
    import tomllib

    from pipeline.recipe_text import shipped_recipes

    found = {name: tomllib.loads(text).get("description", "") for name, text in shipped_recipes().items()}
    if as_json:
        print_json(found)
    else:
        say("\n".join(f"{name:<14} {description}" for name, description in found.items()))


@recipes_app.command("copy")
def recipes_copy(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=completion.shipped)],
    file: Annotated[Path, typer.Argument(metavar="FILE")],
) -> None:
    """Copy a shipped recipe to a file of your own."""
    from pipeline.recipe_text import shipped_recipes

    found = shipped_recipes()
    if name not in found:
        raise UsageError(f"no recipe {name!r}", hint=f"shipped recipes: {', '.join(found)}")
    if file.exists():
        raise UsageError(f"{file} exists already", hint="choose another file name, or remove it first")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(found[name], encoding="utf-8")
    stderr.print(f"wrote {file}; run it with: hornbook run {file}", markup=False, soft_wrap=True)


@prompts_app.command("check")
def prompts_check(
    folder: Annotated[str, typer.Argument(help="Folder of templates; by default the shipped ones.")] = "",
) -> None:
    """Render every template with sample seeds and report every error."""
    from pipeline.core.resources import shipped
    from pipeline.stages.prompts import stage as prompting

    problems = prompting.check(Path(folder) if folder else shipped("prompts"))
    for problem in problems:
        say(problem.message)
    if problems:
        raise typer.Exit(2)
    say("all templates render")


@prompts_app.command("preview")
def prompts_preview(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    kind: Annotated[str, typer.Option("--kind", help="textbook or exercise.")] = "exercise",
    n: Annotated[int, typer.Option("-n", min=1)] = 2,
) -> None:
    """Print the first prompts that a recipe would send."""
    from pipeline.recipe_text import load
    from pipeline.stages.prompts import stage as prompting

    one_of("--kind", kind, ("textbook", "exercise"))
    for prompt in prompting.preview(load(recipe, overrides or []).recipe.prompts, kind, n):
        for message in prompt.messages:
            say(f"[{message.role}]\n{message.content}\n")


def _run(name: str, data: str) -> tuple[Path, Any]:
    from pipeline.report.browse import resolve
    from pipeline.store.places import places

    where = places(data)
    return resolve(where.runs, name), where.store


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `hornbook`: every error becomes one message, with --json one object, and the right exit code."""
    let_waiting_threads_sleep()
    given = sys.argv[1:] if arguments is None else arguments
    code = guarded(lambda: app(given, prog_name="hornbook", standalone_mode=False), given)
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
