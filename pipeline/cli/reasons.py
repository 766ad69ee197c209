"""`hornbook reasons`: every reason for which a stage may drop a record, and what it means."""

from typing import Annotated

import typer

from pipeline.cli import completion
from pipeline.cli.options import JsonOption, print_json, say
from pipeline.core.errors import UsageError


def reasons(
    stage: Annotated[
        str, typer.Argument(help="A stage; all without it.", metavar="STAGE", autocompletion=completion.stages)
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """The closed set of reasons for which each stage may drop a record, with what they mean."""
    from pipeline import walks

    if stage and stage not in walks.names():
        raise UsageError(f"there is no stage {stage!r}", hint=f"the stages are {', '.join(walks.names())}")
    found = {step.name: dict(step.reasons) for step in walks.steps() if step.reasons and stage in ("", step.name)}
    if as_json:
        print_json(found)
        return
    if not found:
        say(f"{stage} drops nothing")
    for name, meanings in found.items():
        say(f"{name}  ({_declared(name)})")
        width = max(map(len, meanings))
        for reason, meaning in meanings.items():
            say(f"  {reason:<{width}}  {meaning}")


def _declared(stage: str) -> str:
    """The file that declares a stage."""
    from pipeline import walk

    return f"pipeline/stages/{stage.replace('-', '_')}/step.py" if stage in walk.names() else "pipeline/vision/steps.py"
