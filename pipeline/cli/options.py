"""What the verbs of the command line share: arguments, and how they print."""

import contextlib
import functools
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console

from pipeline.cli import completion
from pipeline.core.environment import DATA_RULE
from pipeline.core.errors import HornbookError, UsageError
from pipeline.core.identity import finite

RecipeArgument = Annotated[
    str,
    typer.Argument(help="A shipped recipe's name or a TOML file.", metavar="RECIPE", autocompletion=completion.recipes),
]
OverridesArgument = Annotated[
    list[str] | None,
    typer.Argument(
        help="Dotted overrides, e.g. seeds.exercises=100; `hornbook settings` lists the keys.",
        metavar="key=value",
        autocompletion=completion.overrides,
    ),
]
RunArgument = Annotated[
    str,
    typer.Argument(help="A run's name, the beginning of it, or LATEST.", metavar="RUN", autocompletion=completion.runs),
]
DataOption = Annotated[
    str, typer.Option("--data", help=f"Data folder, or fsspec URL of the store. It is {DATA_RULE}.", metavar="FOLDER")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
SandboxOption = Annotated[
    str, typer.Option("--sandbox", help="strong, or weak where the kernel refuses a layer.", metavar="MODE")
]

Table = TypeVar("Table")

_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal takes for commands, and what turns the direction of a line round."""


def visible(text: str) -> str:
    """`text` with what a terminal would obey as it is written in Python: `\\x1b`. Models and servers wrote much of what
    is shown."""
    return _COMMANDS.sub(lambda found: ascii(found[0])[1:-1], text)


class _Visible(Console):
    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(visible(one) if isinstance(one, str) else one for one in objects), **options)


stderr = _Visible(stderr=True, highlight=False)


_held: list[Any] | None = None
_stdout: Any = None
"""What stdout is while `holding_json` lasts."""


@contextmanager
def holding_json() -> Iterator[list[Any]]:
    """While it lasts `print_json` keeps what it is given in the list, and what anything else prints goes to stderr."""
    global _held, _stdout
    _held, _stdout = [], sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield _held
    finally:
        _held = None


def print_json(value: Any, *, at_once: bool = False) -> None:
    """One JSON value on stdout; with `holding_json` kept until the command has ended.

    at_once: not kept, for a command that goes on until it is stopped and whose reader needs the value meanwhile.
    """
    if _held is None:
        write(json_text(value))
    elif at_once:
        with contextlib.redirect_stdout(_stdout):
            write(json_text(value))
    else:
        _held.append(value)


def json_text(value: Any) -> str:
    """`value` as indented JSON, in ASCII where stdout has no more letters; what is no finite number is null."""
    value = finite(value)
    text = json.dumps(value, indent=1, ensure_ascii=False, default=str, allow_nan=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, indent=1, default=str)
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def say(text: str) -> None:
    """Text for a person on stdout, ended by one newline."""
    write(visible(text).rstrip("\n") + "\n")


def write(text: str) -> None:
    """Write to stdout at once. Raises typer.Exit where its reader is gone, HornbookError where it cannot be written."""
    if sys.stdout is None:  # closed by the caller: results are not wanted
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is still buffered goes nowhere: the interpreter would try it once more at exit, and complain.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise typer.Exit(1) from error
        raise HornbookError(f"stdout cannot be written: {error.strerror}", hint="send it elsewhere") from error


_COMMAND = re.compile(r"`(hornbook [^`\n]+)`|(?<=   )(hornbook .+)$", re.MULTILINE)
"""A command that a text tells its reader to give: in backticks, or at the end of a line of the card."""


def with_data(text: str, data: str) -> str:
    """`text` in which each command that looks for things in a data folder says which: the one given with --data, "" for
    none. So it works as it is copied."""

    def completed(found: re.Match[str]) -> str:
        command = found[1] or found[2]
        words = command.split()[1:]
        verb = next((" ".join(words[:n]) for n in (2, 1) if " ".join(words[:n]) in _taking_data()), "")
        if verb and words != ["run"] and not {"--data", "--help"} & set(words):
            command += f" --data {shlex.quote(data)}"
        return f"`{command}`" if found[1] else command

    return _COMMAND.sub(completed, text) if data else text


def verbs() -> Iterator[tuple[str, Any]]:
    """Every verb, as "status" and "store gc", with its command of Typer's; groups that can be called are among them."""
    from pipeline.cli.main import whole_command

    def found(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        below = getattr(command, "commands", {})
        if path and (not below or command.invoke_without_command):
            yield " ".join(path), command
        for name, one in below.items():
            yield from found(one, (*path, name))

    return found(whole_command(), ())


@functools.cache
def _taking_data() -> frozenset[str]:
    """Verbs with the option --data."""
    return frozenset(name for name, command in verbs() if any("--data" in one.opts for one in command.params))


def given_data(arguments: Sequence[str]) -> str:
    """What a command line gives for --data, "" where it does not."""
    options = [*(arguments[: arguments.index("--")] if "--" in arguments else arguments), ""]
    for place, word in enumerate(options[:-1]):
        if word == "--data":
            return options[place + 1]
        if word.startswith("--data="):
            return word.partition("=")[2]
    return ""


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> Any:
    """`value`, where it is allowed; else UsageError that names the option and what it takes."""
    if value not in allowed:
        raise UsageError(f"{option} = {value!r}", hint=f"use {', '.join(allowed[:-1])} or {allowed[-1]}")
    return value


def given_once(option: str, values: Sequence[str]) -> str:
    """The one value of an option; UsageError for several, of which all but the last would be left out unsaid."""
    if len(values) != 1:
        named = " and ".join(map(repr, values))
        raise UsageError(f"{option} is given {len(values)} times, {named}: it takes one", hint="call once for each")
    return values[0]


def table_of(make: type[Table], **values: Any) -> Table:
    """`make` of options' values. Raises UsageError that names the first option whose value it does not take."""
    from pydantic import ValidationError

    from pipeline.recipe_problems import shown, wanted

    try:
        return make(**values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + str(first["loc"][0]).replace("_", "-")
        raise UsageError(f"{option} = {shown(first['input'])}: {wanted(first)}", hint="give another value") from error


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """The numbers of a list with commas, none for ""; else UsageError."""
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise UsageError(f"{option} = {text!r:.100}: whole numbers are wanted", hint=f"e.g. {option} 1,2,3") from error


def print_result(result: Any, as_json: bool) -> None:
    """A result on stdout by its own `to_json` or `to_text`."""
    if as_json:
        print_json(result.to_json())
    else:
        say(result.to_text())
