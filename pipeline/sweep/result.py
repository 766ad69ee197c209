"""What a sweep came to, written below data/sweeps/NAME: report.json, report.html, and the file that it was made of."""

import json
from collections.abc import Mapping

from pipeline.report.arms import Failed
from pipeline.report.experiment import Experiment, experiment
from pipeline.report.experiment_page import render
from pipeline.run.run import Planned
from pipeline.store.disk import disk_errors, write_atomically
from pipeline.store.places import Places
from pipeline.sweep.file import Sweep
from pipeline.sweep.running import arms_of


def result(sweep: Sweep, places: Places, plans: Mapping[str, Planned], failed: Mapping[str, Failed]) -> Experiment:
    """The arms as far as they are made. plans: of `running.plans_of`."""
    arms = arms_of(sweep, places, plans, failed)
    missing = [
        f"{arm.name} seed {seed}"
        for arm in arms
        for seed in sweep.seeds
        if seed not in arm.runs or arm.runs[seed].info.get("state") != "done"
    ]
    return experiment(
        arms,
        sweep.pairs,
        name=sweep.name,
        description=sweep.table.description,
        recipe=sweep.recipe,
        state="done" if not missing else f"{len(missing)} of {len(sweep.trials)} runs to make",
        split_by=sweep.table.split_by,
        fit=sweep.table.fit,
    )


def write(found: Experiment, places: Places) -> str:
    """Write report.json and report.html; returns the page's path."""
    folder = places.sweeps / found.name
    as_json = json.dumps(found.to_json(), indent=1, ensure_ascii=False).encode("utf-8", "replace")
    as_html = render(found).encode("utf-8", "replace")
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "report.json", as_json)
        write_atomically(folder / "report.html", as_html)
    return str(folder / "report.html")
