"""Which function makes which stage's artifact.

Heavy libraries are imported inside the function that needs them, so planning and browsing never wait for torch.
"""

from collections.abc import Callable
from dataclasses import replace

from pipeline.core.plan import PlannedStage
from pipeline.stages import makers_corpus as making_corpus
from pipeline.stages import makers_student as making_student
from pipeline.stages.making import Clock, Making
from pipeline.store.store import Manifest

MAKERS: dict[str, Callable[[PlannedStage, Making], Manifest]] = {
    "seeds": making_corpus.seeds,
    "prompts": making_corpus.prompts,
    "completions": making_corpus.completions,
    "raw-code": making_corpus.raw_code,
    "documents": making_corpus.documents,
    "validated": making_corpus.validated,
    "distinct": making_corpus.distinct,
    "quality": making_corpus.quality,
    "decontaminated": making_corpus.decontaminated,
    "tokens": making_student.tokens,
    "soft-targets": making_student.soft_targets,
    "student": making_student.student,
    "samples-before": making_student.samples,
    "samples-after": making_student.samples,
    "scores": making_student.scores,
}
"""One maker a stage, all with the same shape."""


def make(stage: PlannedStage, making: Making) -> Manifest:
    """Make one artifact; its inputs are in the store."""
    return MAKERS[stage.name](stage, replace(making, clock=Clock(elsewhere=making.executor.cpu_seconds)))
