"""Parents and children of what a run over images holds: a guess is of an image, by features of a network."""

from collections.abc import Mapping
from typing import Any

from pipeline.report.lineage import Lineage, artifact_step
from pipeline.report.score_rows import about
from pipeline.report.steps import Step

NETWORKS = {"teacher": "self-distilled"}
"""Stage of a network that the board has under another name."""


def behind_guess(lineage: Lineage, row: Mapping[str, Any]) -> tuple[Step, ...]:
    """The image, and the network whose features were read, where a stage has trained it."""
    run = lineage.run
    stage = run.stage("unique-images")
    asked = [lineage.step("image", one, stage) for one in run.where("unique-images", "part", "id", {row["image_id"]})]
    network = run.stage(NETWORKS.get(row["features"], row["features"]))
    if network is None or network.manifest is None:
        return (*asked, Step("remark", note=f"{row['features']}: no stage of this run has trained what gave them"))
    return (*asked, artifact_step(run, network))


def ahead_of_image(lineage: Lineage, row: Mapping[str, Any]) -> tuple[Step, ...]:
    """Why it was dropped, what was guessed of it, or who has learned from it."""
    run = lineage.run
    stage = run.stage("unique-images")
    dropped = run.where("unique-images", "dropped", "id", {row["id"]})
    if stage and dropped:
        return tuple(lineage.dropped_step(stage, one) for one in dropped)
    guesses = run.where("probes", "part", "image_id", {row["id"]})
    if guesses:
        return tuple(lineage.step("guess", one, run.stage("probes")) for one in guesses)
    network = run.stage(about(run))
    if row.get("split") == "train" and network is not None and network.manifest is not None:
        return (artifact_step(run, network),)
    return (Step("remark", note="nothing has been made of it yet"),)
