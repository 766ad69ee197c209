"""`hornbook adopt` and `hornbook join`: a student that is trained by more than this machine's run."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DataOption, JsonOption, OverridesArgument, RunArgument, print_json, stderr
from pipeline.cli.running import made


def adopt(
    run: RunArgument,
    out: Annotated[
        Path, typer.Argument(help="The OUT of `python -m pipeline.cli.train TOKENS RECIPE OUT`.", metavar="OUT")
    ],
    overrides: OverridesArgument = None,
    until: Annotated[str, typer.Option("--until", help="Last stage to make.", metavar="STAGE")] = "",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Take what a cluster's own launcher trained as the student of a run, and go on with the run: samples, scores,
    report. It must have been trained on the run's tokens by the run's recipe."""
    from pipeline.run.elsewhere import adopt as adopt_training
    from pipeline.run.reading import resolve
    from pipeline.store.places import places

    where = places(data)
    loaded = adopt_training(run, out, where, overrides or [])
    made(loaded, where, name=resolve(where.runs, run).name, until=until, data=data, as_json=as_json)


def join(run: RunArgument, data: DataOption = "", as_json: JsonOption = False) -> None:
    """Lend this machine to a run that another one has started with execution.nodes, for its student's training. Waits
    until that begins; the data folder is shared."""
    from pipeline.run.elsewhere import join as join_training
    from pipeline.store.places import places

    join_training(run, places(data), lambda text: stderr.print(f"  {text}", markup=False, soft_wrap=True))
    if as_json:
        print_json({"joined": run})
