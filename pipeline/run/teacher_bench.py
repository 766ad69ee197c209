"""`hornbook bench teacher`: what concurrency a recipe's endpoint answers best at, and what the recipe will take.

It asks what the run has to ask, and journals the answers where the run will find them, so nothing is paid twice.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.events import OnEvent, silent
from pipeline.core.money import dollars
from pipeline.core.plan import PlannedStage
from pipeline.core.records import Prompt
from pipeline.execution import Execution
from pipeline.recipe_checks import unknown_teacher
from pipeline.recipe_teachers import OpenAITable
from pipeline.recipe_text import Loaded
from pipeline.run.costs import estimate
from pipeline.run.run import planned, run
from pipeline.stages.completions.stage import expand, questions
from pipeline.store.places import Places
from pipeline.teacher.archive import Archive
from pipeline.teacher.building import build
from pipeline.teacher.building import usd as price
from pipeline.teacher.earlier import earlier_journals
from pipeline.teacher.kinds.openai import EndpointTeacher, with_listed
from pipeline.teacher.measuring import LEVELS, Level, best, measure, sweep
from pipeline.teacher.protocol import Question, messages_digest


@dataclass(frozen=True, slots=True)
class TeacherBench:
    """levels: what was measured. left: requests that the recipe still has for this teacher. hours, usd: what they take
    at the best concurrency; None where that is not known."""

    recipe: str
    teacher: OpenAITable
    run: str
    levels: tuple[Level, ...]
    left: int
    hours: float | None
    usd: float | None

    @property
    def best(self) -> Level:
        """The concurrency to run with."""
        return best({one.concurrency: one for one in self.levels})

    def to_json(self) -> dict[str, Any]:
        """The object that --json prints."""
        return {
            "recipe": self.recipe,
            "run": self.run,
            "teacher": self.teacher.name,
            "model": self.teacher.model,
            "levels": [one.to_json() for one in self.levels],
            "best": self.best.concurrency,
            "tokens_per_second": round(self.best.tokens_per_second, 1),
            "answers": sum(one.answers for one in self.levels),
            "usd": round(sum(one.usd for one in self.levels), 6),
            "left": {"requests": self.left, "hours": self.hours, "usd": self.usd},
        }

    def to_text(self) -> str:
        """A table, and what follows from it."""
        lines = [f"{'concurrency':>11}{'tokens/s':>11}{'answers':>9}{'failed':>8}{'429s':>6}"]
        for one in self.levels:
            mark = "  best" if one is self.best else ""
            few = "  too few answers to be sure" if one.few else ""
            shown = f"{one.concurrency:>11,}{one.tokens_per_second:>11,.0f}{one.answers:>9,}{one.failed:>8,}"
            lines.append(f"{shown}{one.rejected:>6,}{mark}{few}")
        hours = "a time that is not known" if self.hours is None else f"{self.hours:,.2f} hours"
        paid = "an unknown sum (no price in data/prices.toml)" if self.usd is None else dollars(self.usd)
        answers = sum(one.answers for one in self.levels)
        lines += [
            "",
            f"{self.teacher.name} has {self.left:,} requests of {self.recipe} left: {hours} and {paid}",
            f"with execution.concurrency={self.best.concurrency}; {answers:,} answers given are kept for {self.run}",
        ]
        return "\n".join(lines)


def bench(
    loaded: Loaded,
    places: Places,
    *,
    teacher: str = "",
    name: str = "",
    seconds: float = 120.0,
    most: int = 256,
    watch: OnEvent = silent,
    clock: Callable[[], float] = time.monotonic,
) -> TeacherBench:
    """Measure for about `seconds`, with at most `most` requests in flight at each server.

    teacher: its name, "" for the recipe's first that asks an endpoint online. name: the run's, as in `run`. Raises
    UsageError where there is no such teacher, or nothing left to ask it; BudgetReached and the errors of `converse`.
    """
    table = _table(loaded, teacher)
    until = run(loaded, places, name=name, until="prompts", watch=watch)
    loaded = replace(loaded, execution=with_listed(loaded.execution))
    call = planned(loaded, places, until.name)
    stage = call.plan["completions"]
    store = places.store
    if store.manifest(stage.name, stage.key) is not None:
        raise _nothing_left(table, loaded)
    ends = clock() + seconds
    with store.lock(stage.name, stage.key, lambda text: watch({"event": "note", "text": text})):
        journal = store.partial(stage.name, stage.key, places.models)

        def level(concurrency: int) -> Level | None:
            if clock() >= ends:
                return None
            asked = _unanswered(loaded, places, stage, table, call.plan["prompts"].key)
            first = next(asked, None)
            if first is None:
                return None
            watch({"event": "note", "text": f"{table.name}: {concurrency} in flight"})
            return measure(
                _with_first(first, asked),
                partial(_teacher, loaded, places, table),
                loaded.execution,
                concurrency,
                journal=journal,
                seconds=min(seconds / LEVELS, max(0.0, ends - clock())),
                clock=clock,
            )

        levels = sweep(level, most)
    if not levels:
        raise _nothing_left(table, loaded)
    return _told(loaded, places, table, until.name, levels)


def _table(loaded: Loaded, name: str) -> OpenAITable:
    able = [one for one in loaded.recipe.teachers if isinstance(one, OpenAITable) and one.mode == "online"]
    found = next((one for one in able if name in ("", one.name)), None)
    names = ", ".join(one.name for one in able) or "none"
    there = [one.name for one in loaded.recipe.teachers]
    if name and name not in there:
        raise UsageError(unknown_teacher("--teacher", name, there), hint=f"those that ask an endpoint online: {names}")
    if found is None:
        called = f" {name!r}" if name else ""
        raise UsageError(
            f"{loaded.source} has no teacher{called} that asks an endpoint online; those that do: {names}",
            hint="name one of kind = 'openai'; local models take what the machine gives, see execution.batch",
        )
    return found


def _nothing_left(table: OpenAITable, loaded: Loaded) -> UsageError:
    return UsageError(
        f"{loaded.source}: every prompt of teacher {table.name!r} is answered, so there is nothing to measure with",
        hint="raise seeds.exercises or seeds.textbooks: what is answered stays answered",
    )


def _teacher(loaded: Loaded, places: Places, table: OpenAITable, execution: Execution) -> EndpointTeacher:
    found = build(table, execution, loaded.recipe.seed, places.models)
    assert isinstance(found, EndpointTeacher)
    return found


def _unanswered(
    loaded: Loaded, places: Places, stage: PlannedStage, table: OpenAITable, prompts: str
) -> Iterator[Question]:
    """The run's questions to this teacher, each once, that no journal answers which the run would read."""
    journal = places.store.partial(stage.name, stage.key, places.models)
    teacher = _teacher(loaded, places, table, loaded.execution)
    archive = Archive([journal, *earlier_journals(journal, str(stage.settings.get("generation", "")))])
    seen: set[str] = set()
    try:
        records = (one for one in places.store.kept("prompts", prompts) if isinstance(one, Prompt))
        for question in questions(expand(records, 1)):
            digest = messages_digest(question.messages)
            if question.teacher != table.name or digest in seen:
                continue
            seen.add(digest)
            if archive.serving(teacher.keys(digest, 0, question), teacher.max_tokens) is None:
                yield question
    finally:
        archive.close()


def _with_first(first: Question, rest: Iterator[Question]) -> Iterator[Question]:
    yield first
    yield from rest


def _told(loaded: Loaded, places: Places, table: OpenAITable, name: str, levels: list[Level]) -> TeacherBench:
    plan = estimate(loaded, places, name)
    left = next(one["requests"] for one in plan["teacher"]["teachers"] if one["name"] == table.name)
    answers = sum(one.answers for one in levels)
    tokens = sum(one.tokens for one in levels)
    known = price(table, 1, 1) is not None
    fastest = best({one.concurrency: one for one in levels}).tokens_per_second
    return TeacherBench(
        recipe=loaded.recipe.name,
        teacher=table,
        run=name,
        levels=tuple(levels),
        left=left,
        hours=round(left * tokens / answers / fastest / 3600, 4) if fastest and answers else None,
        usd=round(left * sum(one.usd for one in levels) / answers, 4) if known and answers else None,
    )
