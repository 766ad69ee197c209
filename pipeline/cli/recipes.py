"""`hornbook recipes` and `hornbook prompts`: what is shipped, to be read and copied; what a recipe asks."""

from itertools import islice
from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import JsonOption, OverridesArgument, RecipeArgument, one_of, print_json, say, stderr
from pipeline.cli.outputs import output
from pipeline.core.errors import UsageError
from pipeline.core.names import typed

recipes_app = typer.Typer(help="List the shipped recipes, or copy one to edit.", invoke_without_command=True)
prompts_app = typer.Typer(help="Show the prompts of a recipe.", no_args_is_help=True)


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
    to: Annotated[str, typer.Argument(metavar="FILE")],
) -> None:
    """Copy a shipped recipe or experiment to a file of your own."""
    from pipeline.recipe_text import shipped_recipes
    from pipeline.store.disk import disk_errors, write_atomically
    from pipeline.sweep.file import shipped

    experiments = shipped()
    found = shipped_recipes() | experiments
    if name not in found:
        raise UsageError(f"no recipe {name!r}", hint=f"shipped recipes and experiments: {', '.join(found)}")
    file = output("FILE", to, "file")
    if file.exists():
        raise UsageError(f"{file} exists already", hint="choose another file name, or remove it first")
    with disk_errors(file):
        write_atomically(file, found[name])
    verb = "sweep" if name in experiments else "run"
    stderr.print(f"wrote {file}; run it with: hornbook {verb} {typed(file)}", markup=False, soft_wrap=True)


@prompts_app.command("preview")
def prompts_preview(
    recipe: RecipeArgument,
    overrides: OverridesArgument = None,
    kind: Annotated[str, typer.Option("--kind", help="textbook or exercise.")] = "exercise",
    n: Annotated[int, typer.Option("-n", min=1)] = 2,
) -> None:
    """Print the first prompts that a recipe would send."""
    from pipeline.recipe_text import load
    from pipeline.stages.prompts.stage import rendered

    one_of("--kind", kind, ("textbook", "exercise"))
    loaded = load(recipe, overrides or []).recipe
    for prompt in islice((prompt for prompt in rendered(loaded) if prompt.seed.kind == kind), n):
        for message in prompt.messages:
            say(f"[{message.role}]\n{message.content}\n")
