"""`hornbook chat`: talk to a run's student, in a terminal or through a pipe."""

import contextlib
import functools
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from pipeline.cli import completion
from pipeline.cli.options import DataOption, JsonOption, one_of, print_json, say, stderr
from pipeline.core.errors import HornbookError, UsageError


def chat(
    run: Annotated[
        str,
        typer.Argument(
            help="A run's name or LATEST; or a model, as `evaluate` takes it.",
            metavar="RUN",
            autocompletion=completion.runs,
        ),
    ] = "LATEST",
    teacher: Annotated[str, typer.Option("--teacher", help="A teacher of the run's recipe, to answer beside it.")] = "",
    form: Annotated[
        str, typer.Option("--form", help="chat puts it into the model's template; raw has it continued; auto.")
    ] = "auto",
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", min=1, help="Longest answer, tokens.")] = 256,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="0 is greedy.")] = 0.0,
    device: Annotated[str, typer.Option("--device", help="torch device; auto for a GPU where there is one.")] = "auto",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Talk to a run's student. A line is a message; from a pipe all of it is one. /reset forgets, Ctrl-D ends."""
    from pipeline.evaluation import chat as talking
    from pipeline.execution import Execution
    from pipeline.models.loading import load
    from pipeline.run.students import run_named, student_folder
    from pipeline.store.places import places

    where, execution = places(data), Execution(device=device)
    found = run_named(run, where)
    one_of("--form", form, ("auto", "chat", "raw"))
    beside = None
    if teacher:
        if found is None or found.loaded is None:
            raise UsageError(f"--teacher {teacher}: {run} is no run with a recipe", hint="name a run, or leave it out")
        beside = talking.teacher_of(found.loaded.recipe, teacher, execution, where.models)
    spec = str(student_folder(found, where)) if found else run
    name = "student" if found else run
    loaded = load(spec, cache=where.models, device=device)
    has_template = bool(getattr(loaded.tokenizer, "chat_template", None))
    in_chat = has_template if form == "auto" else form == "chat"
    student = talking.Student(name, loaded, in_chat, max_new_tokens, temperature)
    typed = sys.stdin is not None and sys.stdin.isatty()
    if typed and not as_json:
        how = "in its chat template" if in_chat else "continued as it stands: begin a function, say"
        stderr.print(
            f"{found.name if found else run}: what you write is {how}. /reset forgets, Ctrl-D ends.", markup=False
        )
    speakers: list[Any] = [student, *([beside] if beside else [])]

    show = functools.partial(_show, named=len(speakers) > 1) if not as_json else lambda who, reply: None
    turns = list(talking.conversation(speakers, _lines(typed), show, _tell if typed and not as_json else _end))
    if as_json:
        print_json(
            {"run": found.name if found else "", "model": spec, "form": "chat" if in_chat else "raw", "turns": turns}
        )


def _show(who: str, reply: Any, named: bool) -> None:
    cut = "\n[cut at --max-new-tokens]" if reply.finish_reason == "length" else ""
    say(f"{who}:\n{reply.text}{cut}\n" if named else f"{reply.text}{cut}")


def _tell(error: HornbookError) -> None:
    """Who types can say it otherwise."""
    stderr.print(f"error: {error}", markup=False, soft_wrap=True)


def _end(error: HornbookError) -> None:
    raise error


def _lines(typed: bool) -> Iterator[str]:
    """Messages: lines of a terminal, a backslash at the end goes on; all of a pipe is one. Bytes that are no text are
    marked as such."""
    if sys.stdin is None:  # closed by the caller
        return
    with contextlib.suppress(AttributeError):
        sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    if not typed:
        yield sys.stdin.read().rstrip("\n")
        return
    begun = ""
    while True:
        sys.stderr.write("... " if begun else "> ")
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            return
        line = line.rstrip("\n")
        if line.endswith("\\"):
            begun += line[:-1] + "\n"
            continue
        yield begun + line
        begun = ""
