"""What the verbs of the command line share: arguments, and how they print."""

import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from pipeline.environment import DATA_RULE
from pipeline.errors import UsageError

RecipeArgument = Annotated[str, typer.Argument(help="A shipped recipe's name or a TOML file.", metavar="RECIPE")]
OverridesArgument = Annotated[
    list[str] | None, typer.Argument(help="Dotted overrides, e.g. seeds.exercises=100.", metavar="key=value")
]
RunArgument = Annotated[str, typer.Argument(help="A run's name, or LATEST.", metavar="RUN")]
DataOption = Annotated[
    str, typer.Option("--data", help=f"Data folder, or fsspec URL of the store. It is {DATA_RULE}.", metavar="FOLDER")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]
SandboxOption = Annotated[
    str, typer.Option("--sandbox", help="strong, or weak where the kernel refuses a layer.", metavar="MODE")
]

stderr = Console(stderr=True, highlight=False)


def print_json(value: Any) -> None:
    """One JSON value on stdout."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False, default=str) + "\n")


def say(text: str) -> None:
    """Text on stdout, ended by one newline."""
    sys.stdout.write(text.rstrip("\n") + "\n")


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> Any:
    """`value`, where it is allowed; else UsageError that names the option and what it takes."""
    if value not in allowed:
        raise UsageError(f"{option} = {value!r}", hint=f"use {', '.join(allowed[:-1])} or {allowed[-1]}")
    return value


def print_result(result: Any, as_json: bool) -> None:
    """A result on stdout by its own `to_json` or `to_text`."""
    if as_json:
        print_json(result.to_json())
    else:
        say(result.to_text())
