"""Held-out in the walk."""

import shutil
from dataclasses import replace
from pathlib import Path

from pipeline.core.known import HELD_OUT, HELD_OUT_FILE
from pipeline.core.records import Exercise, Passage
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import benchmark_digests
from pipeline.store.manifest import Manifest


def wanted(recipe: Recipe) -> bool:
    """Whether the student is asked exercises of its own corpus, or of an earlier run's."""
    return HELD_OUT in recipe.evaluation.named or bool(recipe.held_out.keep_back)


def _reads(recipe: Recipe) -> dict[str, str] | None:
    """The problems of an earlier run."""
    return benchmark_digests(recipe.held_out.keep_back) or None


def _make(making: Making) -> Manifest:
    """The problems lie beside the records, in HumanEval's form, so that any model can be asked them by their path."""
    from pipeline.benchmarks.problems import load
    from pipeline.core.stage import Tally, checked
    from pipeline.stages.held_out.stage import HoldOut
    from pipeline.store import jsonl

    drawn = HoldOut(making.recipe.held_out, making.recipe.seed)
    drawn.problems += [
        replace(one, benchmark=HELD_OUT) for file in drawn.table.keep_back for one in load(file).problems
    ]
    tally = Tally()
    folder = making.scratch()

    def files() -> list[Path]:
        jsonl.write(folder / HELD_OUT_FILE, (problem.content() for problem in drawn.problems))
        return [folder / HELD_OUT_FILE]

    manifest = making.write(checked(drawn, making.read(), tally), tally, files=files)
    shutil.rmtree(folder)
    return manifest


STEP = TextStep(
    name="held-out",
    version=1,
    caption="exercises kept back as problems",
    make=_make,
    inputs=("quality",),
    wanted=wanted,
    settings=lambda recipe: {
        "held_out": recipe.held_out.model_dump(mode="json", exclude={"keep_back"}),
        "seed": recipe.seed,
    },
    reads=_reads,
    kept=(Passage, Exercise),
    dropped=(Passage, Exercise),
    reasons={
        "held-out": "drawn as a problem that the student is asked, so it must not be trained on",
        "same-name": "its function has the name of a problem's",
    },
    corpus=True,
)
