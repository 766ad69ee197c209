"""`hornbook settings`: every key of a recipe and of its execution settings."""

from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import JsonOption, print_json, say


def settings(
    key: Annotated[
        str,
        typer.Argument(
            help="A key, or a table's name for its keys; all without it.",
            metavar="KEY",
            autocompletion=completion.settings,
        ),
    ] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown page.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Type, default and meaning of every key of a recipe and of its execution settings."""
    from pipeline import recipe_settings as settings

    found = settings.find(key)
    if as_json:
        print_json(settings.to_json(found))
    else:
        say(settings.markdown(found) if markdown else settings.text(found))
