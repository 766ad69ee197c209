"""What a run over images has to say: its summary, the card, and the page with its pictures."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.report import plots
from pipeline.report.card import compact, duration, reasons_text
from pipeline.report.html import css, template
from pipeline.report.score_rows import BENCHMARKS, about
from pipeline.report.summary import StageLine, provenance_of, stage_line
from pipeline.run.reading import RunView
from pipeline.training.curve import CurvePoint, curve
from pipeline.vision.facts import ProbesFacts, TrainingFacts
from pipeline.vision.walk import WALK

TRAINED = ("distilled", "self-distilled", "labelled")
"""Stages that train a network, the one that is scored first."""

WATCHED = ("knn", "spread", "rank", "prototype_entropy")
"""What of a training is shown by step."""

PICTURES = {
    "patches.png": "Ten test images, and below each its patches: the three first principal components of their "
    "features as red, green and blue.",
    "neighbours.png": "Ten test images, and beside each the training images whose features are nearest.",
}


@dataclass(frozen=True, slots=True)
class ImageSummary:
    """All that the report says of a run over images. What the run does not have is empty or None.

    networks: what each training came to, by stage. model: folder of the network that is scored, for transformers.
    watched: what was seen in the scored network's training, by step.
    pictures: PNG files, by name.
    """

    run: str
    recipe: str
    description: str
    recipe_toml: str
    state: str
    started: str
    seconds: float
    funnel: tuple[StageLine, ...]
    networks: Mapping[str, TrainingFacts]
    model: str
    probes: ProbesFacts
    curve: tuple[CurvePoint, ...]
    provenance: Mapping[str, Any]
    folder: str
    stopped: Mapping[str, str] | None
    pictures: Mapping[str, bytes]

    @property
    def watched(self) -> Sequence[Mapping[str, Any]]:
        """Of the network that is scored, or of the one under way."""
        return next((facts.watched for facts in self.networks.values() if facts.watched), ())

    def to_json(self) -> dict[str, Any]:
        """report.json; the keys `run`, `funnel`, `scores`, `teachers` and `seconds` are those of any run's."""
        return {
            "run": self.run,
            "recipe": self.recipe,
            "description": self.description,
            "state": self.state,
            "stopped": dict(self.stopped) if self.stopped else None,
            "started": self.started,
            "seconds": self.seconds,
            "funnel": [line.to_json() for line in self.funnel],
            "networks": {
                name: {key: said for key, said in facts.to_json().items() if key != "curve"}
                for name, facts in self.networks.items()
            },
            "scores": [_score(line) for line in self.probes.board or ()],
            "model": self.model or None,
            "board": [dict(line) for line in self.probes.board or ()],
            "unscored": self.probes.unscored,
            "teachers": [],
            "curve": [point._asdict() for point in self.curve],
            "provenance": dict(self.provenance),
        }


def summarise_images(run: RunView) -> ImageSummary:
    """Read a run over images, whatever its state, into a summary."""
    recipe = run.loaded.recipe if run.loaded else None
    networks = {name: run.facts(name, TrainingFacts) for name in TRAINED if run.stage(name)}
    points = next((facts.curve for facts in networks.values() if facts.curve), None)
    return ImageSummary(
        run=run.name,
        recipe=str(run.info.get("recipe") or ""),
        description=recipe.description if recipe else "",
        recipe_toml=run.recipe_toml,
        state=str(run.info.get("state") or "unknown"),
        started=str(run.info.get("started") or ""),
        seconds=float(run.info.get("seconds") or 0.0),
        funnel=tuple(stage_line(stage, run) for stage in run.stages),
        networks={name: facts for name, facts in networks.items() if facts},
        model=_model(run),
        probes=run.facts("probes", ProbesFacts),
        curve=curve(points or run.events("train")),
        provenance=provenance_of(run),
        folder=str(run.folder),
        stopped=run.info.get("stopped") or None,
        pictures=_pictures(run),
    )


def _score(line: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the board under the keys of any run's scores: an image is a problem, a guess is one answer to it."""
    return {
        "benchmark": BENCHMARKS[line["method"]],
        "model": line["features"],
        "problems": line["images"],
        "pass@1": line["accuracy"],
        "interval": list(line["interval"]),
        "images": line["images"],
        "accuracy": line["accuracy"],
    }


def _model(run: RunView) -> str:
    stage = run.stage(about(run))
    found = "" if stage is None or stage.manifest is None else run.store.folder(stage.name, stage.key)
    return f"{found}/model" if found else ""


def _pictures(run: RunView) -> dict[str, bytes]:
    stage = run.stage("probes")
    if stage is None or stage.manifest is None:
        return {}
    fs, folder = run.store.filesystem, run.store.folder(stage.name, stage.key)
    return {name: fs.cat_file(f"{folder}/{name}") for name in PICTURES if name in stage.manifest.files}


def image_card(summary: ImageSummary) -> str:
    """The run in plain text that fits a terminal."""
    state = "" if summary.state == "done" else f"  ({summary.state})"
    lines = [f"{summary.run}{state}  {duration(summary.seconds)}"]
    if summary.stopped:
        lines.append(f"  stopped in {summary.stopped['stage'] or 'no stage'}: {summary.stopped['message']}")
    lines += ["", "Images"]
    for line in summary.funnel:
        if line.counted and line.name in ("images", "unique-images"):
            reasons = reasons_text(line)
            dropped = f"  dropped {sum(line.dropped.values()):,}: {reasons}" if reasons else ""
            lines.append(f"  {line.name:<15}{line.kept:>8,}{dropped}")
    if summary.networks:
        lines += ["", "Networks", *(f"  {name:<15} {network_text(of)}" for name, of in summary.networks.items())]
    if summary.probes.board:
        images = summary.probes.board[0]["images"]
        lines += ["", f"Accuracy on {images:,} test images, with 95% intervals over images"]
        lines += [f"  {_board_text(line)}" for line in summary.probes.board]
    if summary.probes.unscored:
        lines += ["", f"  ! no scores: {summary.probes.unscored}"]
    if summary.model:
        lines += ["", f"Model   {summary.model}", f"        hornbook embed {summary.run} IMAGES --to features.parquet"]
    slowest = sorted(summary.funnel, key=lambda line: -line.seconds)[:3]
    times = ", ".join(f"{line.name} {duration(line.seconds)}" for line in slowest if line.seconds >= 0.05)
    lines += ["", *([f"Time    {times}"] if times else []), f"Report  {Path(summary.folder) / 'report.html'}"]
    return "\n".join(lines) + "\n"


def network_text(facts: TrainingFacts) -> str:
    """ "1.01M parameters, 128k images in 2,000 steps, 68.9 images/s, 25 min 04 s"."""
    parts = []
    if facts.parameters:
        parts.append(f"{compact(facts.parameters)} parameters")
    if facts.images and facts.steps:
        parts.append(f"{compact(facts.images)} images in {facts.steps:,} steps")
    if facts.images_per_second:
        parts.append(f"{facts.images_per_second:,.1f} images/s")
    return ", ".join([*parts, *([duration(facts.seconds)] if facts.seconds else [])])


def _board_text(line: Mapping[str, Any]) -> str:
    low, high = line["interval"]
    return f"{line['features']:<15} {line['method']:<7} {line['accuracy']:6.1%} [{low * 100:.1f}, {high * 100:.1f}]"


def render_images(summary: ImageSummary) -> str:
    """The whole page: one file that opens anywhere, pictures in it."""
    return template("images.html").render(
        s=summary,
        css=css(),
        captions={step.name: step.caption for step in WALK},
        chart=plots.loss_chart(summary.curve),
        width=plots.WIDTH,
        height=plots.HEIGHT,
        pictures=[(base64.b64encode(data).decode(), PICTURES[name]) for name, data in summary.pictures.items()],
        network_text=network_text,
        columns=[
            name for name in ("knn", "spread", "rank", "prototype_entropy") if any(name in w for w in summary.watched)
        ],
        reasons_text=reasons_text,
    )
