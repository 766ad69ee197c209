"""Problems to samples: each answer is journaled as it is finished, so a killed evaluation goes on where it was."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.errors import InputError
from pipeline.core.events import OnEvent, silent
from pipeline.core.identity import digest, rng_seed
from pipeline.core.interrupts import undivided
from pipeline.core.records import Problem, Sample
from pipeline.execution import Execution
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.stages.samples.models import EMPTY, NO_CONTENT, STOP_LABELS, Answerer, Ask, LocalModel, StopRule
from pipeline.stages.samples.postprocess import (
    CHATS,
    EVALPLUS_BEGINS,
    EVALPLUS_STOPS,
    PostProcessing,
    PostRule,
    PromptForm,
    asked,
    chosen,
    joined,
)
from pipeline.store import jsonl

if TYPE_CHECKING:
    from pipeline.models.loading import LoadedModel


@dataclass(frozen=True, slots=True)
class Wanted:
    """One answer to get. key: digest of everything that can change it; the journal is read by it."""

    problem: Problem
    number: int
    prompt: str
    seed: int
    key: str


def sample(
    problem_sets: Sequence[ProblemSet],
    model: "LoadedModel | Answerer",
    table: EvaluationTable,
    *,
    model_name: str,
    checkpoint: str,
    seed: int,
    execution: Execution,
    journal: Path | None = None,
    on_event: OnEvent = silent,
    prompt_form: PromptForm | None = None,
    stop: StopRule = "code",
    post: PostRule = "auto",
    fresh: bool = False,
) -> Iterator[Sample]:
    """Answers of `model` to the problems, in the order of problems and sample numbers within each set.

    model: a loaded local model, or anything that answers (`pipeline.stages.samples.models`). model_name: "before",
    "after" or a name of the user's. checkpoint: content key of the weights. journal: file to which answers are
    appended as they are finished; answers found there under the same key are not asked again. seed: root of sampled
    answers' seeds; each depends on its problem and number alone. prompt_form: overrides the table's.
    post: "none" leaves answers as generated; it asks nothing anew. fresh: answers of the journal do not serve; they
    stay in it as an earlier generation, and a call without `fresh` goes on with this one.

    Raises InputError where several samples a problem are wanted of a greedy model: they would all be the same.
    """
    check_samples(table)
    answerer = model if isinstance(model, Answerer) else LocalModel(model, checkpoint, execution)
    form = prompt_form or table.prompt_form
    written = _Journal(journal)
    for problem_set in problem_sets:
        ask = how(problem_set, table, form, stop)
        limited = problem_set.limited(table.limit)
        processing = chosen(form, problem_set.answer == "whole", post, problem_set.opened, problem_set.language)
        yield from _set_samples(
            limited, answerer, ask, form, processing, table.samples, model_name, seed, written, on_event, fresh
        )


def check_samples(table: EvaluationTable) -> None:
    """Raises InputError where several samples a problem are wanted of a greedy model."""
    if table.samples > 1 and table.temperature == 0:
        raise InputError(
            f"evaluation.samples is {table.samples}, but evaluation.temperature is 0: all samples would be equal",
            hint="set evaluation.temperature (0.2 for pass@1, 0.8 for pass@10 and above), or samples = 1",
        )


def how(problem_set: ProblemSet, table: EvaluationTable, form: PromptForm, stop: StopRule) -> Ask:
    """How the problems of a set are asked: the stop rule for bodies serves neither whole programs nor chat answers."""
    whole = problem_set.answer == "whole"
    chat = form in CHATS and not whole
    begun = form == "evalplus" and chat and problem_set.language == "python"
    if stop == "code" and problem_set.language == "python" and not problem_set.opened:
        stop = "program"
    return Ask(
        max_new_tokens=table.max_new_tokens,
        temperature=table.temperature,
        stop="none" if whole or chat else stop,
        stop_strings=(*problem_set.stop, *(EVALPLUS_STOPS if begun else ())),
        chat=chat,
        opening=EVALPLUS_BEGINS if begun else "",
        language="" if problem_set.language == "python" else problem_set.language,
    )


def _set_samples(
    problem_set: ProblemSet,
    answerer: Answerer,
    ask: Ask,
    form: PromptForm,
    processing: PostProcessing,
    count: int,
    model_name: str,
    seed: int,
    written: "_Journal",
    on_event: OnEvent,
    fresh: bool,
) -> Iterator[Sample]:
    whole = problem_set.answer == "whole"
    wanted = [
        _wanted(problem, number, asked(problem, form, whole, problem_set.language), ask, answerer.checkpoint, seed)
        for problem in problem_set.problems
        for number in range(count)
    ]
    if fresh:
        written.retire([want.key for want in wanted])
    given = [int(written.lines[want.key].get("at", 0)) for want in wanted if want.key in written.lines]
    if given:
        on_event({"event": "found", "stage": "samples", "benchmark": problem_set.name, "at": given})
    _answer(wanted, problem_set.name, answerer, ask, written, on_event)
    for told in empty_answers(str(written.lines.get(want.key, {}).get("finish_reason")) for want in wanted):
        text = f"{problem_set.name}: {told} of {len(wanted)} count as empty"
        on_event({"event": "warning", "stage": "samples", "text": text})
    for want in wanted:
        line = written.lines.get(want.key)
        if line is None:
            # An endpoint gave up on this answer. The problem stays unscored; it is not a wrong answer.
            on_event({"event": "unanswered", "stage": "samples", "task_id": want.problem.task_id})
            continue
        text = str(line["text"])
        yield Sample(
            problem_id=want.problem.id,
            benchmark=problem_set.name,
            task_id=want.problem.task_id,
            model=model_name,
            checkpoint=answerer.checkpoint,
            raw=joined(want.problem, form, whole, text),
            completion=joined(want.problem, form, whole, processing.apply(want.problem, text)),
            finish_reason=str(line["finish_reason"]),
            tokens=int(line["tokens"]),
            number=want.number,
            whole=processing.whole,
        )


def _answer(
    wanted: "Sequence[Wanted]",
    benchmark: str,
    answerer: Answerer,
    ask: Ask,
    written: "_Journal",
    on_event: OnEvent,
) -> None:
    """Ask what the journal has no answer to; each answer is in it as it comes."""
    missing = [want for want in wanted if want.key not in written.lines]
    done = len(wanted) - len(missing)
    if missing:
        for answer in undivided(answerer.answers([w.prompt for w in missing], ask, [w.seed for w in missing])):
            want = missing[answer.index]
            # An answer without content counts, and is asked again when the evaluation is: a server may mend its ways.
            kept = {"text": answer.text, "finish_reason": answer.finish_reason, "tokens": answer.tokens}
            kept["at"] = int(time.time())
            written.add(want.key, kept, on_disk=answer.finish_reason != NO_CONTENT)
            done += 1
            on_event(
                {
                    "event": "sampled",
                    "stage": "samples",
                    "benchmark": benchmark,
                    "task_id": want.problem.task_id,
                    "done": done,
                    "total": len(wanted),
                    "tokens": answer.tokens,
                    "usd": answer.usd,
                }
            )


def empty_answers(finish_reasons: Iterable[str]) -> list[str]:
    """What is to be said of answers that are empty for a reason of their own: "2 answers without content"."""
    counts = Counter(reason for reason in finish_reasons if reason in EMPTY)
    return [f"{count} answer{'s' * (count > 1)} {EMPTY[reason]}" for reason, count in sorted(counts.items())]


def _wanted(problem: Problem, number: int, prompt: str, ask: Ask, checkpoint: str, seed: int) -> Wanted:
    draw = rng_seed(seed, "samples", problem.id, number)
    # Greedy answers do not depend on the seed, so a new seed does not ask for them again.
    key = digest([checkpoint, prompt, ask, STOP_LABELS[ask.stop], [number, draw] if ask.temperature else []])
    return Wanted(problem, number, prompt, draw, key)


class _Journal:
    """Answers by key, on disk where there is a path: one JSON line an answer, whole before the next is begun.

    {"key", "answer": {"text", "finish_reason", "tokens", "at": seconds since the epoch}}, or {"retired": [keys]}: lines
    of these keys before it are of an earlier generation. Of several lines of a key the last one counts. A line that a
    kill has cut short is left out.
    """

    def __init__(self, path: Path | None) -> None:
        self.lines: dict[str, dict[str, Any]] = {}
        self._path = path
        for row in jsonl.rows(path) if path is not None else ():
            try:
                for key in row.get("retired", ()):
                    self.lines.pop(key, None)
                if "retired" not in row:
                    self.lines[row["key"]] = row["answer"]
            except (KeyError, TypeError) as error:
                raise InputError(
                    f"{path} is no journal: a line holds {row!r:.60}", hint="remove the line, or name another file"
                ) from error

    def add(self, key: str, answer: dict[str, Any], on_disk: bool = True) -> None:
        """Keep an answer, on disk before this returns (flushed to the operating system) unless it is for this call."""
        self.lines[key] = answer
        if on_disk:
            self._write({"key": key, "answer": answer})

    def retire(self, keys: Sequence[str]) -> None:
        """Let no answer serve that these keys have; on disk before this returns, so that a killed call is gone on
        with and does not mix two generations."""
        old = [key for key in keys if self.lines.pop(key, None) is not None]
        if old:
            self._write({"retired": old})

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            jsonl.append(self._path, line)
