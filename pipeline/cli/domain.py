"""`hornbook domain`: a domain of your own, from its first copy to the proof that it holds."""

from typing import Annotated

import typer

from pipeline.cli.options import DataOption, JsonOption, SandboxOption, one_of, print_json, print_result, say
from pipeline.cli.outputs import output

domain_app = typer.Typer(help="Write a domain of your own, and prove what it claims.", no_args_is_help=True)
FolderArgument = Annotated[
    str, typer.Argument(metavar="FOLDER", help="A domain's folder, or the name of a shipped one.")
]


@domain_app.command("new")
def new(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="What to write; its last part is the domain's name.")],
    copied: Annotated[str, typer.Option("--from", help="The domain to copy, by name or folder.")] = "python",
    as_json: JsonOption = False,
) -> None:
    """Copy a domain that works, to be changed."""
    from pipeline.proving.starting import start

    print_result(start(output("FOLDER", folder, "folder"), copied), as_json)


@domain_app.command("check")
def check(
    folder: FolderArgument,
    teacher: Annotated[str, typer.Option("--teacher", help="Model whose price is shown.")] = "",
    sandbox: SandboxOption = "strong",
    as_json: JsonOption = False,
) -> None:
    """Execute every claim of a domain: templates, axes, gold examples, wrong twins, problems."""
    from pipeline.checkers.protocol import Means
    from pipeline.domains.loading import load
    from pipeline.proving import checking

    checked = checking.check(load(folder), Means(workers=1, mode=one_of("--sandbox", sandbox, ("strong", "weak"))))
    if as_json:
        print_json(checked.to_json())
    else:
        say(checked.to_text(teacher))
    if checked.faults:
        raise typer.Exit(1)


@domain_app.command("preview")
def preview(
    folder: FolderArgument,
    n: Annotated[int, typer.Option("-n", min=1, help="Seeds to ask.")] = 5,
    teacher: Annotated[str, typer.Option("--teacher", help="composer, a model, or a URL.")] = "composer",
    model: Annotated[str, typer.Option("--model", help="Model at the URL.")] = "",
    api_key_env: Annotated[str, typer.Option("--api-key-env", help="Variable that holds its key.")] = "",
    sandbox: SandboxOption = "strong",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Send a few seeds through all stages: prompt, answer, verdict, price; and what share would be kept."""
    from pipeline.domains.loading import load
    from pipeline.execution import Execution
    from pipeline.proving.previewing import preview as tried
    from pipeline.recipe_teachers import ComposerTable, LocalTable, OpenAITable, TeacherTable
    from pipeline.stages.samples.opening import is_endpoint
    from pipeline.store.places import places

    table: TeacherTable
    if is_endpoint(teacher):
        table = OpenAITable(name="teacher", base_url=teacher, model=model, api_key_env=api_key_env)
    elif teacher == "composer":
        table = ComposerTable(name="composer")
    else:
        table = LocalTable(name="teacher", model=teacher)
    execution = Execution(sandbox=one_of("--sandbox", sandbox, ("strong", "weak")))
    print_result(tried(load(folder), table, n, execution, places(data).models), as_json)
