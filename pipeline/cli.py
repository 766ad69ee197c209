"""The command line. Each verb calls one function; heavy imports are inside the verb, so that `--help` is instant.

Human text goes to stderr, results to stdout. Exit codes: 0 done, 1 failed, 2 wrong recipe or arguments, 3 budget
reached (resumable), 130 interrupted (resumable).
"""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from pipeline import __version__
from pipeline.errors import HornbookError, Interrupted, UsageError

app = typer.Typer(
    name="hornbook",
    help="A teacher LLM writes a verified corpus, a small student learns it, every score walks back to its seed.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
recipes_app = typer.Typer(help="List the shipped recipes, or copy one to edit.", invoke_without_command=True)
prompts_app = typer.Typer(help="Check or preview the prompt templates.", no_args_is_help=True)
app.add_typer(recipes_app, name="recipes")
app.add_typer(prompts_app, name="prompts")

RecipeArgument = Annotated[str, typer.Argument(help="A shipped recipe's name or a TOML file.", metavar="RECIPE")]
OverridesArgument = Annotated[
    list[str] | None, typer.Argument(help="Dotted overrides, e.g. seeds.exercises=100.", metavar="key=value")
]
RunArgument = Annotated[str, typer.Argument(help="A run's name, or LATEST.", metavar="RUN")]
DataOption = Annotated[str, typer.Option("--data", help="Data folder or fsspec URL of the store.", metavar="FOLDER")]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
SandboxOption = Annotated[
    str, typer.Option("--sandbox", help="strong, or weak where the kernel refuses a layer.", metavar="MODE")
]
KOption = Annotated[list[int] | None, typer.Option("-k", help="pass@k to report; repeat for several.")]

BenchmarkOption = Annotated[str, typer.Option("--benchmark", help="Name, or a JSONL file of problems.")]
WorkersOption = Annotated[int, typer.Option("--workers", min=0, help="Sandbox processes; 0 for one per core.")]
CpuOption = Annotated[float, typer.Option("--cpu-seconds", min=0.1, help="CPU time of one scored program.")]

stderr = Console(stderr=True, highlight=False)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def _say(text: str) -> None:
    sys.stdout.write(text.rstrip("\n") + "\n")


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        _say(__version__)
        raise typer.Exit


@app.command()
def run(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    until: Annotated[str, typer.Option("--until", help="Last stage to make.", metavar="STAGE")] = "",
    name: Annotated[str, typer.Option("--name", help="Name of the run's folder.")] = "",
    data: DataOption = "",
    sandbox: SandboxOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make what is missing of a recipe; a second call does nothing and says so."""
    from pipeline.loading import load
    from pipeline.places import places
    from pipeline.progress import Watcher
    from pipeline.report import write_report
    from pipeline.run import run as run_recipe

    extra = [f"execution.sandbox={sandbox}"] if sandbox else []
    loaded, where = load(recipe, [*(overrides or []), *extra]), places(data)
    with Watcher(stderr) as watch:
        outcome = run_recipe(loaded, where, name=name, until=until, watch=watch)
        summary, card = write_report(outcome.folder, where.store)
    if not outcome.made:
        stderr.print(f"nothing to make: all {len(outcome.reused)} stages of {outcome.name} are stored", markup=False)
    if as_json:
        _print_json(summary.to_json())
    else:
        _say(card)


@app.command()
def plan(
    recipe: RecipeArgument, overrides: OverridesArgument = None, data: DataOption = "", as_json: JsonOption = False
) -> None:
    """Stages, keys, what is stored, teacher tokens and dollars, student FLOPs and memory; touches nothing."""
    from pipeline.costs import estimate, table
    from pipeline.loading import load
    from pipeline.places import places

    estimated = estimate(load(recipe, overrides or []), places(data))
    if as_json:
        _print_json(estimated)
    else:
        _say(table(estimated))


@app.command()
def status(run: RunArgument = "LATEST", data: DataOption = "", as_json: JsonOption = False) -> None:
    """What each stage of a run kept and dropped, and why."""
    from pipeline.report import summary

    folder, store = _run(run, data)
    found = summary.status(folder, store)
    if as_json:
        _print_json(found)
    else:
        _say(summary.status_text(found))


@app.command()
def show(
    run: RunArgument,
    stage: Annotated[str, typer.Argument(help="A stage's name.", metavar="STAGE")],
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
        _print_json({"run": folder.name, "stage": stage, "records": records})
    else:
        _say(browse.show_text(records))


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
        _print_json(found.to_json())
    else:
        _say(browse.trace_text(found))


@app.command()
def diff(run_a: RunArgument, run_b: RunArgument, data: DataOption = "", as_json: JsonOption = False) -> None:
    """What differs between two runs: recipe, stages, funnel, scores."""
    from pipeline.report import browse

    folder_a, store = _run(run_a, data)
    folder_b, _ = _run(run_b, data)
    found = browse.diff(folder_a, folder_b, store)
    if as_json:
        _print_json(found.to_json())
    else:
        _say(browse.diff_text(found))


@app.command()
def report(run: RunArgument = "LATEST", data: DataOption = "", as_json: JsonOption = False) -> None:
    """Write report.json and report.html anew, and print the report card."""
    from pipeline.report import write_report

    summary, card = write_report(*_run(run, data))
    if as_json:
        _print_json(summary.to_json())
    else:
        _say(card)


@app.command()
def score(
    samples: Annotated[Path, typer.Argument(help="JSON Lines with task_id and completion (or solution).")],
    benchmark: BenchmarkOption = "humaneval",
    k: KOption = None,
    sandbox: SandboxOption = "strong",
    workers: WorkersOption = 0,
    cpu_seconds: CpuOption = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Score samples in the form of OpenAI's human-eval; writes SAMPLES_results.jsonl beside them."""
    from pipeline.evaluation.api import HUMAN_EVAL_KS, score_file
    from pipeline.execution import Execution

    execution = Execution(workers=workers, sandbox=_mode(sandbox))
    with _sandbox(execution, cpu_seconds) as box:
        _result(score_file(samples, benchmark, tuple(k or HUMAN_EVAL_KS), sandbox=box), as_json)


@app.command()
def evaluate(
    model: Annotated[str, typer.Argument(help="HF checkpoint folder or name, smollm2, or the URL of an endpoint.")],
    benchmark: BenchmarkOption = "humaneval",
    k: KOption = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="First n problems; the score is then partial.")] = 0,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Answers per problem.")] = 1,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="0 is greedy.")] = 0.0,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, tokens.")] = 384,
    prompt_form: Annotated[str, typer.Option("--prompt-form", help="stripped, raw or chat.")] = "stripped",
    stop: Annotated[
        str, typer.Option("--stop", help="code ends an answer with the function's body; or none.")
    ] = "code",
    post_processing: Annotated[str, typer.Option("--post-processing", help="auto, or none: as generated.")] = "auto",
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the samples, and their results beside them.")
    ] = None,
    corpus: Annotated[str, typer.Option("--corpus", help="Split by what a run's corpus, a file or a folder has.")] = "",
    teacher: Annotated[str, typer.Option("--teacher", help="Model or URL to stand beside, on the same problems.")] = "",
    teacher_model: Annotated[str, typer.Option("--teacher-model", help="Its name at the endpoint.")] = "",
    teacher_form: Annotated[str, typer.Option("--teacher-form", help="Its prompt form; by default the same.")] = "",
    judge: Annotated[str, typer.Option("--judge", help="Model, URL or replay:JOURNAL that grades 0 to 10.")] = "",
    judge_model: Annotated[str, typer.Option("--judge-model", help="The judge's name at the endpoint.")] = "",
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Times that the judge reads an answer.")] = 3,
    batch: Annotated[int, typer.Option("--batch", min=0, help="Answers at once; 0 for what suits the device.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="torch threads; 0 for one per core.")] = 0,
    endpoint_model: Annotated[str, typer.Option("--model", help="The model's name at the endpoint.")] = "",
    api_key_env: Annotated[str, typer.Option("--api-key-env", help="Variable that holds the endpoint's key.")] = "",
    device: Annotated[str, typer.Option("--device", help="torch device; auto for a GPU where there is one.")] = "auto",
    seed: Annotated[int, typer.Option("--seed", help="Root of the sampled answers' randomness.")] = 0,
    data: DataOption = "",
    sandbox: SandboxOption = "strong",
    workers: WorkersOption = 0,
    cpu_seconds: CpuOption = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Sample a model on a benchmark and score it."""
    from pipeline.evaluation import command
    from pipeline.evaluation.api import Subject
    from pipeline.execution import Execution
    from pipeline.places import places
    from pipeline.progress import Watcher
    from pipeline.recipe import EvaluationTable

    table = EvaluationTable(
        benchmarks=(benchmark,),
        limit=limit,
        samples=samples,
        temperature=temperature,
        max_new_tokens=max_new_tokens,
        cpu_seconds=cpu_seconds,
    )
    forms = ("stripped", "raw", "chat")
    subject = Subject(
        model,
        endpoint_model=endpoint_model,
        api_key_env=api_key_env,
        prompt_form=_one_of("--prompt-form", prompt_form, forms),
        stop=_one_of("--stop", stop, ("code", "none")),
        post=_one_of("--post-processing", post_processing, ("auto", "none")),
    )
    beside = command.Beside(corpus=corpus, judge=judge, judge_model=judge_model, repeats=repeats, save=save)
    if teacher:
        form = _one_of("--teacher-form", teacher_form or prompt_form, forms)
        other = replace(subject, spec=teacher, endpoint_model=teacher_model, prompt_form=form)
        beside = replace(beside, teacher=other)
    execution = Execution(workers=workers, sandbox=_mode(sandbox), device=device, batch=batch, threads=threads)
    with _sandbox(execution, cpu_seconds) as box, Watcher(stderr) as watch:
        result = command.run(
            subject,
            benchmark,
            table,
            tuple(k or (1,)),
            beside,
            sandbox=box,
            execution=execution,
            places=places(data),
            seed=seed,
            on_event=watch,
        )
    _result(result, as_json)


@app.command()
def clean(
    inputs: Annotated[list[Path], typer.Argument(help="JSONL, Parquet, dataset folders or folders of .py files.")],
    to: Annotated[Path, typer.Option("--to", help="Output folder.", metavar="OUT")],
    field: Annotated[str, typer.Option("--field", help="Text field; by default text, else content.")] = "",
    benchmark: Annotated[
        list[str] | None, typer.Option("--benchmark", help="Decontaminate against it; repeat for several.")
    ] = None,
    report_only: Annotated[bool, typer.Option("--report-only", help="Count, and write no records.")] = False,
    as_json: JsonOption = False,
) -> None:
    """The cleaning stages alone, on your own data."""
    from pipeline.cleaning import clean as clean_files
    from pipeline.progress import Watcher

    with Watcher(stderr) as watch:
        summary = clean_files(
            inputs, to, field=field, benchmarks=tuple(benchmark or ()), report_only=report_only, on_event=watch
        )
    if as_json:
        _print_json(summary.to_json())
    else:
        _say(summary.to_text())


@app.command()
def doctor(data: DataOption = "", as_json: JsonOption = False) -> None:
    """What this machine offers: isolation layers, devices, embedded model, extras, disk."""
    from pipeline.doctor import examine, text
    from pipeline.places import places

    found = examine(places(data))
    if as_json:
        _print_json(found)
    else:
        _say(text(found))
    if not found["ready"]:
        raise typer.Exit(1)


@recipes_app.callback()
def recipes(context: typer.Context, as_json: JsonOption = False) -> None:
    """List the shipped recipes."""
    if context.invoked_subcommand:
        return
    import tomllib

    from pipeline.loading import shipped_recipes

    found = {name: tomllib.loads(text).get("description", "") for name, text in shipped_recipes().items()}
    if as_json:
        _print_json(found)
    else:
        _say("\n".join(f"{name:<14} {description}" for name, description in found.items()))


@recipes_app.command("copy")
def recipes_copy(
    name: Annotated[str, typer.Argument(metavar="NAME")], file: Annotated[Path, typer.Argument(metavar="FILE")]
) -> None:
    """Copy a shipped recipe to a file of your own."""
    from pipeline.loading import shipped_recipes

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
    from pipeline import prompting
    from pipeline.resources import shipped

    problems = prompting.check(Path(folder) if folder else shipped("prompts"))
    for problem in problems:
        _say(str(problem))
    if problems:
        raise typer.Exit(2)
    _say("all templates render")


@prompts_app.command("preview")
def prompts_preview(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    kind: Annotated[str, typer.Option("--kind", help="textbook or exercise.")] = "exercise",
    n: Annotated[int, typer.Option("-n", min=1)] = 2,
) -> None:
    """Print the first prompts that a recipe would send."""
    from pipeline import prompting
    from pipeline.loading import load

    _one_of("--kind", kind, ("textbook", "exercise"))
    for prompt in prompting.preview(load(recipe, overrides or []).recipe.prompts, kind, n):
        for message in prompt.messages:
            _say(f"[{message.role}]\n{message.content}\n")


def _run(name: str, data: str) -> tuple[Path, Any]:
    from pipeline.places import places
    from pipeline.report.browse import resolve

    where = places(data)
    return resolve(where.runs, name), where.store


def _mode(sandbox: str) -> Any:
    return _one_of("--sandbox", sandbox, ("strong", "weak"))


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> Any:
    if value not in allowed:
        raise UsageError(f"{option} = {value!r}", hint=f"use {', '.join(allowed[:-1])} or {allowed[-1]}")
    return value


def _sandbox(execution: Any, cpu_seconds: float) -> Any:
    from pipeline.sandbox import Limits, Sandbox

    return Sandbox(Limits(cpu_seconds=cpu_seconds), workers=execution.worker_count(), mode=execution.sandbox)


def _result(result: Any, as_json: bool) -> None:
    if as_json:
        _print_json(result.to_json())
    else:
        _say(result.to_text())


def main(arguments: list[str] | None = None) -> None:
    """Entry point of `hornbook`: errors of our own become one message on stderr and the right exit code."""
    code = _guarded(lambda: app(arguments, prog_name="hornbook"))
    if code == Interrupted.exit_code:
        # Where Ctrl-C falls into `exec` of a string (a dataclass being made, say), CPython remembers it as unhandled
        # and ends with the signal at exit, whatever the exit code is.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    raise SystemExit(code)


def _guarded(call: Callable[[], Any]) -> int:
    try:
        call()
    except HornbookError as error:
        stderr.print(f"error: {error}", markup=False, soft_wrap=True)
        return error.exit_code
    except SystemExit as stop:  # Typer ends this way: 0, or 2 for wrong arguments
        return stop.code if isinstance(stop.code, int) else 0
    except KeyboardInterrupt:
        stderr.print("interrupted: run the same command again to go on from here", markup=False)
        return 130
    return 0


if __name__ == "__main__":
    main()
