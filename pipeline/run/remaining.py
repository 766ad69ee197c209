"""What is left to ask and to pay: what `hornbook plan` subtracts, found by the look-up that a run makes."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.plan import Plan, PlannedStage
from pipeline.core.records import Prompt
from pipeline.execution import Execution
from pipeline.recipe_teachers import ReplayTable
from pipeline.recipe_text import Loaded
from pipeline.run import record as run_record
from pipeline.run.journalled import ASKING
from pipeline.run.run import Planned
from pipeline.stages.tokens.facts import TokensFacts
from pipeline.store.places import Places

PRICES = ("usd", "usd_online", "usd_batch")
"""Of what is asked of a teacher: as the recipe asks, all online, all in batches."""

LOOKED_UP = 50_000
"""Most prompts that are rendered to look each up in the journals of other runs; of a larger corpus only the answers in
the journal of the stage itself are counted."""


class Asked(NamedTuple):
    """Who is asked the recipe's prompts, and what is answered.

    routed: prompts by the teacher that is asked and the seeds' kind, where a recording leaves what it lacks to another
    teacher; None where none does, or where the corpus is too large to look each up. answered: answers that journals
    hold, by teacher, where the completions are still to be made.
    """

    routed: Counter[tuple[str, str]] | None
    answered: Counter[str]


def asked(loaded: Loaded, whole: Plan, places: Places, *, to_make: bool) -> Asked:
    """What becomes of the prompts, each of which is rendered once at most. to_make: whether the completions are."""
    few = loaded.recipe.seeds.total <= LOOKED_UP
    routes = few and any(isinstance(table, ReplayTable) and table.otherwise for table in loaded.recipe.teachers)
    own, others = _journals(whole["completions"], places) if to_make else ([], [])
    looked_up = bool(others) and few
    found = Asked(Counter(), Counter())
    if routes or looked_up:
        found = _looked_up(loaded, whole, places, [*own, *others] if looked_up else [])
    if not looked_up and (own or others):
        answered = {name: one.answers for name, one in _journalled(loaded, whole["completions"], places).items()}
        found = found._replace(answered=Counter(answered))
    return found if routes else found._replace(routed=None)


def _journals(stage: PlannedStage, places: Places) -> tuple[list[Path], list[Path]]:
    """The folders with answers for a stage: its own, where it has begun, and those of others."""
    from pipeline.teacher.earlier import earlier_journals
    from pipeline.teacher.lines import shards

    partial = places.store.partial_folder(stage.name, stage.key, places.models)
    others = earlier_journals(partial, str(stage.settings.get("generation", ""))) if partial.parent.is_dir() else ()
    return ([partial] if partial.is_dir() and shards(partial) else []), list(others)


def _looked_up(loaded: Loaded, whole: Plan, places: Places, folders: Sequence[Path]) -> Asked:
    """Each prompt with the teacher that is asked, and whether one of the journals in `folders` answers it."""
    from pipeline.stages.completions.routes import Routes
    from pipeline.stages.completions.stage import expand, questions
    from pipeline.teacher.archive import Archive
    from pipeline.teacher.building import keyed
    from pipeline.teacher.protocol import messages_digest

    recipe = loaded.recipe
    teachers = {table.name: keyed(table, recipe.seed) for table in recipe.teachers}
    prompts = expand(_prompts(loaded, whole, places), recipe.completions.samples_per_prompt)
    routed: Counter[tuple[str, str]] = Counter()
    found: Counter[str] = Counter()
    times: Counter[tuple[str, str]] = Counter()
    with Routes(teachers.values()) as route, closing(Archive(folders)) as archive:
        for question in map(route, questions(prompts)):
            assert isinstance(question.record, Prompt)
            routed[question.teacher, question.record.seed.kind] += question.sample == 0
            if folders:
                teacher, digest = teachers[question.teacher], messages_digest(question.messages)
                number = question.earlier + times[teacher.name, digest]
                times[teacher.name, digest] += 1
                keys = teacher.keys(digest, number, question) if teacher.journalled else ()
                found[teacher.name] += archive.serving(keys, teacher.max_tokens) is not None
    return Asked(routed, found)


def _journalled(loaded: Loaded, stage: PlannedStage, places: Places) -> Any:
    from pipeline.run.journalled import answers_in, asked_in

    folder = places.store.partial_folder(stage.name, stage.key, places.models)
    return answers_in(folder, asked_in(stage.name, loaded.recipe), loaded.recipe.seed)


def _prompts(loaded: Loaded, whole: Plan, places: Places) -> Iterator[Prompt]:
    """The recipe's prompts: those in the store, else drawn and rendered as the stages do."""
    from pipeline.stages.prompts.stage import rendered

    if places.store.manifest("prompts", whole["prompts"].key) is not None:
        yield from (
            record for record in places.store.kept("prompts", whole["prompts"].key) if isinstance(record, Prompt)
        )
        return
    yield from rendered(loaded.recipe)


def annotated(loaded: Loaded, whole: Plan, places: Places) -> int:
    """Grades that the journal of an unfinished `quality` holds."""
    return sum(one.answers for one in _journalled(loaded, whole["quality"], places).values())


def given(loaded: Loaded, whole: Plan, places: Places, stage: str) -> Counter[str]:
    """Answers that the journal of an unfinished `stage` holds, by teacher."""
    found = _journalled(loaded, whole[stage], places)
    return Counter({name: one.answers for name, one in found.items()})


def packed(whole: Plan, places: Places) -> int | None:
    """Tokens of the corpus where it is packed already; None where that is still to be done."""
    key = whole["tokens"].key if "tokens" in whole else ""
    manifest = places.store.manifest("tokens", key) if key else None
    return TokensFacts.from_json(manifest.facts).tokens if manifest is not None else None


def left(one: dict[str, Any], there: int) -> dict[str, Any]:
    """A teacher's part of the plan without the answers that are there; what is asked is taken to be alike."""
    asked = one["requests"]
    there = min(there, asked)
    share = (asked - there) / asked if asked else 0.0
    whole = {name: one[name] for name in ("requests", "tokens", "completion_tokens", *PRICES)}
    rest = {name: math.ceil(whole[name] * share) for name in ("requests", "tokens", "completion_tokens")}
    return {
        **one,
        **rest,
        "requests": asked - there,
        **{name: whole[name] if whole[name] is None else round(whole[name] * share, 4) for name in PRICES},
        "stored": there,
        "in_all": whole,
    }


def against_budget(
    loaded: Loaded, call: Planned, places: Places, tokens: int, usd: float | None
) -> dict[str, Any] | None:
    """How the rest of a plan, `tokens` and `usd`, compares with the budget; None where there is none.

    spent: by this run, in finished stages and in journals. exceeds: by how much the estimate passes the cap, 0 where it
    fits, None where a price is not known. fits: None where that cannot be told.
    """
    execution: Execution = loaded.execution
    if execution.budget_usd is None and execution.budget_tokens is None:
        return None
    spent_tokens, spent_usd = _spent(loaded, call, places)
    over_usd = over_tokens = None
    if execution.budget_usd is not None and usd is not None:
        over_usd = round(max(0.0, spent_usd + usd - execution.budget_usd), 6)
    if execution.budget_tokens is not None:
        over_tokens = max(0, spent_tokens + tokens - execution.budget_tokens)
    unknown = execution.budget_usd is not None and usd is None
    return {
        "usd": execution.budget_usd,
        "tokens": execution.budget_tokens,
        "spent_usd": round(spent_usd, 6),
        "spent_tokens": spent_tokens,
        "exceeds_usd": over_usd,
        "exceeds_tokens": over_tokens,
        "fits": False if over_usd or over_tokens else None if unknown else True,
    }


def _spent(loaded: Loaded, call: Planned, places: Places) -> tuple[int, float]:
    """Tokens and dollars that count against the run's budget from its start."""
    paid = run_record.spent(run_record.read(call.folder))
    tokens, usd = 0, 0.0
    for stage in call.plan.stages:
        if places.store.manifest(stage.name, stage.key) is not None:
            prompt, completion, dollars = paid.get(stage.key, (0, 0, 0.0))
            tokens, usd = tokens + prompt + completion, usd + dollars
        elif stage.name in ASKING:
            for one in _journalled(loaded, stage, places).values():
                tokens, usd = tokens + one.tokens, usd + one.usd
    return tokens, usd


def budget_line(budget: dict[str, Any], tokens: int, usd: float | None) -> str:
    """The comparison for a person."""
    from pipeline.core.money import dollars

    caps, over = [], []
    if budget["usd"] is not None:
        rest = "an unknown sum" if usd is None else f"~{dollars(usd)}"
        caps.append(f"{dollars(budget['usd'])}, {dollars(budget['spent_usd'])} spent, {rest} to come")
        over += [dollars(budget["exceeds_usd"])] if budget["exceeds_usd"] else []
    if budget["tokens"] is not None:
        caps.append(f"{budget['tokens']:,} tokens, {budget['spent_tokens']:,} spent, ~{tokens:,} to come")
        over += [f"{budget['exceeds_tokens']:,} tokens"] if budget["exceeds_tokens"] else []
    verdict = "fits" if budget["fits"] else "cannot be compared: the price is unknown"
    if over:
        verdict = f"exceeds it by {' and '.join(over)}, so the run would stop there, resumable"
    return f"  budget: {'; '.join(caps)}: {verdict}"
