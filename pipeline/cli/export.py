"""`hornbook export`: a run's corpus and student for others."""

from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import DataOption, JsonOption, RunArgument, one_of, print_json, print_result, say, stderr
from pipeline.cli.outputs import output
from pipeline.core.errors import UsageError


def export(
    run: RunArgument,
    to: Annotated[str, typer.Option("--to", help="Folder to write; nothing else may be in it.", metavar="DIR")],
    stage: Annotated[
        str,
        typer.Option(
            "--stage",
            help="Stage whose records are exported; by default the last one of documents.",
            autocompletion=completion.stages,
        ),
    ] = "",
    format: Annotated[
        str, typer.Option("--format", help="parquet, jsonl or arrow of rows; gguf of the model.")
    ] = "parquet",
    split: Annotated[
        str,
        typer.Option(
            "--split",
            help="student: validation is what was held out of the student's training; held-out: test is the problems "
            "that the run held out of its corpus; none; or a share to hold out.",
        ),
    ] = "student",
    only: Annotated[str, typer.Option("--only", help="corpus or model; by default both, as far as there is one.")] = "",
    licence: Annotated[
        list[str] | None,
        typer.Option(
            "--licence",
            help="NAME=LICENCE of a teacher's answers or a model, where it is not known; LICENCE of the work itself.",
        ),
    ] = None,
    push: Annotated[
        str,
        typer.Option(
            "--push",
            help="Send it to the Hugging Face hub, private unless --public; the key is in HF_TOKEN.",
            metavar="OWNER/NAME",
        ),
    ] = "",
    public: Annotated[bool, typer.Option("--public", help="With --push: for everybody to see.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="With --push: say what would go; ask nobody.")] = False,
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """A run's corpus and student as one folder that others can load, with cards."""
    from pipeline.export import hub, licences
    from pipeline.export.export import Wish
    from pipeline.export.export import export as export_run
    from pipeline.export.writing import FORMATS
    from pipeline.run.reading import resolve
    from pipeline.store.places import places

    if push:
        hub.checked_name(push)
    elif public or dry_run:
        raise UsageError(f"{'--public' if public else '--dry-run'} is of --push", hint="add --push OWNER/NAME")
    folder, where = output("--to", to, "folder"), places(data)
    wish = Wish(
        stage,
        one_of("--format", format, FORMATS),
        split,
        one_of("--only", only, ("corpus", "model")) if only else "",
        licences.parsed(licence or ()),
        push,
    )
    found = export_run(resolve(where.runs, run), where, folder, wish)
    if not push:
        print_result(found, as_json)
        return
    stderr.print(found.to_text(), markup=False, soft_wrap=True)
    pushed = hub.push(found, push, public=public, dry=dry_run)
    if as_json:
        print_json(found.to_json() | {"pushed": [one.to_json() for one in pushed], "dry": dry_run})
    else:
        say("\n".join(one.to_text(dry_run) for one in pushed))
