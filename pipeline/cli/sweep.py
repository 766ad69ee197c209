"""`hornbook sweep` and `hornbook ladder`: experiments, recipes in several arms side by side."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import completion
from pipeline.cli.options import (
    DataOption,
    JsonOption,
    OverridesArgument,
    print_json,
    say,
    stderr,
    whole_numbers,
    with_data,
)
from pipeline.core.errors import UsageError

UntilOption = Annotated[
    str, typer.Option("--until", help="Last stage to make.", metavar="STAGE", autocompletion=completion.stages)
]
PlanOption = Annotated[bool, typer.Option("--plan", help="What would be made and what it costs; makes nothing.")]
ScaleOption = Annotated[str, typer.Option("--scale", help="The experiment at another size that its file names.")]
ArmOption = Annotated[list[str] | None, typer.Option("--arm", help="Make this arm alone; repeat for several.")]
SeedsOption = Annotated[str, typer.Option("--seeds", help="Seeds in place of the file's, e.g. 1,2.")]

LADDER = "figure-2.1"


def sweep(
    file: Annotated[
        str,
        typer.Argument(
            help="A shipped experiment's name or a TOML file; without it the shipped ones are listed.",
            metavar="FILE",
            autocompletion=completion.experiments,
        ),
    ] = "",
    overrides: OverridesArgument = None,
    until: UntilOption = "",
    plan: PlanOption = False,
    scale: ScaleOption = "",
    arm: ArmOption = None,
    seeds: SeedsOption = "",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make what is missing of an experiment, arm by arm, and show the arms side by side."""
    if file:
        _sweep(file, overrides, until, plan, scale, arm, seeds, data, as_json)
    else:
        _list(as_json)


def ladder(
    overrides: OverridesArgument = None,
    until: UntilOption = "",
    plan: PlanOption = False,
    scale: ScaleOption = "",
    arm: ArmOption = None,
    seeds: SeedsOption = "",
    data: DataOption = "",
    as_json: JsonOption = False,
) -> None:
    """The paper's figure 2.1: raw code, filtered code, textbooks, exercises, each step measured at equal tokens."""
    _sweep(LADDER, overrides, until, plan, scale, arm, seeds, data, as_json)


def _sweep(
    file: str,
    overrides: list[str] | None,
    until: str,
    plan: bool,
    scale: str,
    arms: list[str] | None,
    seeds: str,
    data: str,
    as_json: bool,
) -> None:
    from pipeline.store.places import places
    from pipeline.sweep.file import read_sweep

    wanted = read_sweep(file, overrides or [], scale=scale, arms=arms or [], seeds=whole_numbers("--seeds", seeds))
    where = places(data)
    if plan and until:
        raise UsageError("--plan shows all stages, and --until ends before the last", hint="leave one of them out")
    if plan:
        from pipeline.sweep import planning

        found = planning.plan(wanted, where)
        if as_json:
            print_json(found)
        else:
            say(planning.text(found))
        return
    _made(wanted, where, until, data, as_json)


def _made(wanted: Any, where: Any, until: str, data: str, as_json: bool) -> None:
    from pipeline.cli.watching import Watcher
    from pipeline.core.errors import Interrupted
    from pipeline.report import write_report
    from pipeline.report.experiment_text import text
    from pipeline.sweep.result import result, write
    from pipeline.sweep.running import plans_of, run_sweep

    plans = plans_of(wanted, where, until)

    def tell(line: str) -> None:
        stderr.print(line, markup=False, highlight=False, soft_wrap=True)

    def after(folder: Path, failed: Any) -> None:
        """Whatever happens next, what there is by now has been written."""
        if (folder / "run.json").is_file():
            write_report(folder, where.store)
        write(result(wanted, where, plans, failed), where)

    with Watcher(stderr) as watch:

        def seen(event: Any) -> None:
            """What other runs have made is not told of each run anew."""
            if event["event"] != "stage-reused":
                watch(event)

        swept = run_sweep(wanted, where, plans, until=until, watch=seen, tell=tell, after=after)
    if isinstance(swept.stopped, Interrupted):  # it is to end at once, and its page may take a minute
        raise swept.stopped
    found = result(wanted, where, plans, swept.failed)
    page = write(found, where)
    if not swept.made and not swept.failed:
        tell(f"nothing to make: all {len(wanted.arms) * len(wanted.seeds)} runs of {wanted.name} are stored")
    if as_json:
        print_json(found.to_json())
    else:
        say(with_data(f"{text(found)}\n\n{page}", data))
    swept.check(wanted)


def _list(as_json: bool) -> None:
    import tomllib

    from pipeline.sweep.file import shipped

    found = {name: tomllib.loads(text).get("description", "") for name, text in shipped().items()}
    if as_json:
        print_json(found)
    else:
        say("\n".join(f"{name:<14} {description}" for name, description in found.items()))
