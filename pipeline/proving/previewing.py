"""`hornbook domain preview`: a few seeds through all stages up to the verdict, and what share would be kept."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.checkers.protocol import Means
from pipeline.core.money import dollars
from pipeline.core.records import Completion, Document, Prompt
from pipeline.core.stage import Dropped, Kept
from pipeline.domains.domain import Domain
from pipeline.execution import Execution
from pipeline.models.fetching import to_stderr
from pipeline.recipe import ValidatedTable
from pipeline.recipe_seeds import SeedsTable
from pipeline.recipe_teachers import TeacherTable
from pipeline.sandbox import Sandbox
from pipeline.stages.completions.stage import Complete
from pipeline.stages.documents.stage import Parse
from pipeline.stages.prompts.stage import Render
from pipeline.stages.scores.statistics import wilson
from pipeline.stages.seeds.sampling import draw
from pipeline.stages.validated.ruling import Rule
from pipeline.stages.validated.stage import Validate, limits_of
from pipeline.store.locks import own_folder
from pipeline.teacher.building import build
from pipeline.teacher.composer import tasks

SHOWN = 1_200
"""Characters of a prompt or an answer that a person is shown."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One seed. verdict: "kept", or the stage and reason that dropped it, with its detail."""

    topic: str
    prompt: str
    answer: str
    verdict: str
    detail: str
    usd: float


@dataclass(frozen=True, slots=True)
class Previewed:
    """What became of a few seeds. interval: of the share kept, 95% by Wilson. seconds: for all of them."""

    domain: str
    teacher: str
    tried: tuple[Tried, ...]
    kept: int
    interval: tuple[float, float]
    usd: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        parts = []
        for number, one in enumerate(self.tried, 1):
            verdict = f"{one.verdict}: {one.detail}" if one.detail else one.verdict
            parts.append(
                f"=== {number} of {len(self.tried)}: {one.topic}\n{_cut(one.prompt)}\n--- answer, {dollars(one.usd)}\n"
                f"{_cut(one.answer) or '(none)'}\n--- {verdict}\n"
            )
        (low, high), count = self.interval, len(self.tried)
        parts.append(
            f"{self.kept} of {count} kept before duplicates; of many, {low:.0%} to {high:.0%} would be (95%). "
            f"{dollars(self.usd)} and {self.seconds:.0f} s; 1,000 answers: {dollars(1000 * self.usd / count)}, "
            f"{1000 * self.seconds / count / 60:.0f} min at this rate"
        )
        return "\n".join(parts)


def _cut(text: str) -> str:
    """The end of a text, where a prompt says what is this seed's own."""
    text = text.strip()
    return text if len(text) <= SHOWN else f"({len(text):,} characters) ...{text[-SHOWN:]}"


def preview(domain: Domain, table: TeacherTable, n: int, execution: Execution, models: Path) -> Previewed:
    """Ask `n` exercises, or passages where the domain has no template for exercises, and judge what comes.

    Nothing is written but a folder that is removed. Raises what is wrong with the teacher or the sandbox.
    """
    started = time.monotonic()
    kind = "exercise" if "exercise" in domain.templates or table.tests == "seed" else "textbook"
    seeds = SeedsTable.model_validate({f"{kind}s": n})
    drawn = draw(domain, seeds, [table.model_copy(update={f"{kind}_share": 1.0})], 0, tasks)
    prompts = [outcome.record for outcome in Render(domain)(drawn) if isinstance(outcome, Kept)]
    with own_folder() as folder:
        teachers = {table.name: build(table, execution, 0, models, to_stderr)}
        asked = list(Complete(teachers, journal=folder, execution=execution)(prompts))
    answers = {o.record.prompt_id: o.record for o in asked if isinstance(o, Kept)}
    drops = {o.record.id: ("completions", o) for o in asked if isinstance(o, Dropped)}
    documents: list[Document] = []
    for outcome in Parse(domain)(answers.values()):
        if isinstance(outcome, Kept):
            documents.append(outcome.record)
        else:
            assert isinstance(outcome.record, Completion)
            drops[outcome.record.prompt_id] = ("documents", outcome)
    prompt_of = {answer.id: answer.prompt_id for answer in answers.values()}
    for judged in _judged(domain, documents, execution):
        if isinstance(judged, Dropped):
            assert isinstance(judged.record, Document)
            drops[prompt_of[judged.record.completion_id]] = ("validated", judged)
    tried = tuple(_tried(prompt, answers.get(prompt.id), drops.get(prompt.id)) for prompt in prompts)
    kept = sum(one.verdict == "kept" for one in tried)
    low, high = wilson(kept, len(tried))
    usd = sum(one.usd for one in tried)
    seconds = round(time.monotonic() - started, 1)
    return Previewed(domain.name, table.name, tried, kept, (round(low, 4), round(high, 4)), usd, seconds)


def _judged(domain: Domain, documents: Sequence[Document], execution: Execution) -> Iterator[Kept[Document] | Dropped]:
    table = ValidatedTable(packages=domain.packages)
    workers, mode = execution.worker_count(), execution.sandbox
    if domain.language != "python":
        yield from Rule(domain, table, Means(workers, mode))(documents)
        return
    with Sandbox(limits_of(table), workers=workers, mode=mode, packages=table.packages) as sandbox:
        yield from Validate(table, sandbox)(documents)


def _tried(prompt: Prompt, answer: Completion | None, drop: tuple[str, Dropped] | None) -> Tried:
    return Tried(
        topic=prompt.seed.topic or prompt.seed.form,
        prompt=prompt.messages[-1].content,
        answer=answer.text if answer else "",
        verdict=f"{drop[0]} {drop[1].reason}" if drop else "kept",
        detail=drop[1].detail if drop else "",
        usd=answer.usd if answer else 0.0,
    )
