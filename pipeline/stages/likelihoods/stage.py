"""Problems to likelihoods: the bits that a model needs for each reference solution, given the problem's prompt.

pass@1 of a small model on 164 problems moves by whole problems; what the reference solutions cost in bits per byte
moves with every step of training, and two models differ by it on the same problems long before one solves more (Bhagia
et al. 2024, "Establishing Task Scaling Laws via Compute-Efficient Model Ladders": their task loss). It is no pass rate:
a model may find the reference likelier and still write another program that is wrong.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pipeline.core.events import OnEvent, silent
from pipeline.core.records import Likelihood, Problem
from pipeline.core.stage import Dropped, Kept
from pipeline.stages.tokens.text import split_prompt

if TYPE_CHECKING:
    from pipeline.models.loading import LoadedModel

NO_REFERENCE, NO_ROOM = "no-reference", "over-context"
REASONS: Mapping[str, str] = {
    NO_REFERENCE: "the benchmark has no reference solution of the problem",
    NO_ROOM: "prompt and reference solution are longer than the model's context",
}


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """Problems to their likelihoods, the longest first. model_name, checkpoint: as `Likelihood` has them."""

    name: ClassVar[str] = "likelihoods"
    reasons: ClassVar[Mapping[str, str]] = REASONS
    model: "LoadedModel"
    model_name: str
    checkpoint: str
    on_event: OnEvent = silent

    def __call__(self, records: Iterable[Problem]) -> Iterator[Kept[Likelihood] | Dropped]:
        problems = list(records)
        known = [problem for problem in problems if problem.canonical_solution.strip()]
        yield from (
            Dropped(problem, NO_REFERENCE, f"{problem.benchmark} says what is right by its tests alone")
            for problem in problems
            if not problem.canonical_solution.strip()
        )
        yield from self._measured(known, len(problems) - len(known))

    def _measured(self, problems: Sequence[Problem], done: int) -> Iterator[Kept[Likelihood] | Dropped]:
        from pipeline.models.likelihood import likelihoods

        total, kept = done + len(problems), 0
        texts = [split_prompt(problem.prompt, problem.canonical_solution) for problem in problems]
        for found in likelihoods(self.model, texts):
            problem, done = problems[found.place], done + 1
            if found.nats is None:
                yield Dropped(problem, NO_ROOM, f"{found.length:,} tokens > {found.context:,}")
            else:
                kept += 1
                yield Kept(
                    Likelihood(
                        problem_id=problem.id,
                        benchmark=problem.benchmark,
                        task_id=problem.task_id,
                        model=self.model_name,
                        checkpoint=self.checkpoint,
                        group=problem.group,
                        nats=found.nats,
                        tokens=found.tokens,
                        bytes=len(texts[found.place].answer.encode()),
                    )
                )
            if done % 8 == 0:
                self.on_event({"event": "records", "done": done, "total": total, "kept": kept})
