"""What a recipe asks of its teachers at most, in requests, tokens and dollars, whatever is stored already."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from pipeline.core.records import Prompt
from pipeline.recipe import Recipe
from pipeline.recipe_seeds import SeedsTable
from pipeline.recipe_teachers import ReplayTable, TeacherTable

DOCUMENT_TOKENS = 800
"""Most tokens that a document is taken to have, where `tokens.max_documents` caps the corpus and where a judge reads
it (a textbook's)."""

ANSWER_TOKENS = {"textbook": 800, "exercise": 350}
"""Tokens of a typical answer; the paper gives no figure, these are what the shipped templates ask for."""

SOLUTION_TOKENS = 200
"""Tokens of a solution of an exercise that has its signature and docstring, which it repeats."""

WORDING_TOKENS = 80
"""Tokens of a docstring without examples."""

GRADE_TOKENS = 80
"""Tokens of a judge's answer: two sentences and a grade (`judge/value.md` of the domain`)."""

SAMPLED_PROMPTS = 64  # rendered per teacher and kind to estimate the mean length

Routed = Mapping[tuple[str, str], int] | None
"""Prompts by teacher and kind, where looked up."""


def of_teacher(recipe: Recipe, table: TeacherTable, routed: Routed) -> dict[str, Any]:
    """What the documents take that a teacher is asked for."""
    requests = prompt_tokens = completion_tokens = 0
    for kind, counted in _counts(recipe, table, routed).items():
        if not counted:
            continue
        mean = _mean_prompt_tokens(recipe, table, kind)
        asked = counted * recipe.completions.samples_per_prompt
        requests += asked
        prompt_tokens += round(asked * mean)
        completion_tokens += asked * min(ANSWER_TOKENS[kind], table.max_tokens)
    return _asked(table, requests, prompt_tokens, completion_tokens)


def of_solutions(recipe: Recipe, routed: Routed) -> list[dict[str, Any]]:
    """What further solutions take at most, by who is asked: of what cannot be parsed none are. A recording is
    taken to hold those of what was recorded, and to leave the others to whom it leaves what it lacks."""
    from pipeline.core.money import token_estimate
    from pipeline.domains.loading import load
    from pipeline.stages.prompts.stage import with_task
    from pipeline.stages.solutions.step import agreeing

    tables, requests = {table.name: table for table in recipe.teachers}, Counter[str]()
    times = recipe.completions.samples_per_prompt * recipe.agreement.solutions
    for writer in agreeing(recipe):
        solver = tables[recipe.agreement.solver or writer.name]
        if isinstance(solver, ReplayTable) and not isinstance(writer, ReplayTable):
            solver = tables.get(solver.otherwise, solver)
        requests[solver.name] += _counts(recipe, writer, routed)["exercise"] * times
    each = token_estimate(with_task(load(recipe.domain)).messages)
    return [
        _asked(tables[name], count, round(count * each), count * min(SOLUTION_TOKENS, tables[name].max_tokens))
        for name, count in requests.items()
    ]


def of_rewordings(recipe: Recipe, routed: Routed) -> list[dict[str, Any]]:
    """What saying every exercise in other words takes at most, and solving it from these: what fails is not asked."""
    from pipeline.core.money import token_estimate
    from pipeline.domains.loading import load
    from pipeline.stages.prompts.stage import with_task

    table, tables = recipe.rewordings, {one.name: one for one in recipe.teachers}
    times = recipe.completions.samples_per_prompt * table.per_exercise
    requests, tokens = Counter[str](), Counter[str]()
    for one in recipe.teachers:
        count = _counts(recipe, one, routed)["exercise"] * times if one.exercise_share or routed else 0
        for name, most in (
            (table.writer or one.name, WORDING_TOKENS),
            (table.solver or table.writer or one.name, SOLUTION_TOKENS),
        ):
            requests[name] += count
            tokens[name] += count * min(most, tables[name].max_tokens)
    each = token_estimate(with_task(load(recipe.domain)).messages)
    return [_asked(tables[name], count, round(count * each), tokens[name]) for name, count in requests.items() if count]


def of_judge(recipe: Recipe) -> dict[str, Any] | None:
    """What annotating takes at most: a smaller corpus has a smaller sample. None where nothing is annotated."""
    from pipeline.core.money import token_estimate
    from pipeline.core.template import load
    from pipeline.stages.quality.judge import MAX_CHARACTERS, teacher_of, template_path

    table = recipe.quality
    if not table.classifier or table.model:
        return None
    requests = table.annotate + min(table.repeats, table.annotate)
    document = "x" * min(MAX_CHARACTERS, 4 * DOCUMENT_TOKENS)
    each = token_estimate(load(template_path(recipe.domain)).messages(document=document))
    judge = teacher_of(recipe)
    return _asked(judge, requests, round(requests * each), requests * min(GRADE_TOKENS, judge.max_tokens))


def _asked(table: TeacherTable, requests: int, prompt_tokens: int, completion_tokens: int) -> dict[str, Any]:
    costs = {"usd": table, "usd_online": _in_mode(table, "online"), "usd_batch": _in_mode(table, "batch")}
    return {
        "name": table.name,
        "kind": table.kind,
        "model": table.answers_with,
        "requests": requests,
        "tokens": prompt_tokens + completion_tokens,
        "completion_tokens": completion_tokens,
        **{name: _usd(way, prompt_tokens, completion_tokens) for name, way in costs.items()},
    }


def _in_mode(table: TeacherTable, mode: str) -> TeacherTable:
    """The teacher asked in that mode, where it has modes."""
    return table.model_copy(update={"mode": mode}) if hasattr(table, "mode") else table


def _usd(table: TeacherTable, prompt_tokens: int, completion_tokens: int) -> float | None:
    from pipeline.teacher.building import usd

    cost = usd(table, prompt_tokens, completion_tokens)
    return None if cost is None else round(cost, 4)


def _counts(recipe: Recipe, table: TeacherTable, routed: Routed) -> dict[str, int]:
    """Seeds of each kind that this teacher will be asked: the exact apportionment of the draw, or who is asked where
    a recording leaves some to another teacher (`remaining.asked`)."""
    from pipeline.stages.seeds.files import seeds_in
    from pipeline.stages.seeds.sampling import apportion

    if routed is not None:
        return {kind: routed[table.name, kind] for kind in ("exercise", "textbook")}

    place = recipe.teachers.index(table)
    shares = {kind: [getattr(t, f"{kind}_share") for t in recipe.teachers] for kind in ("exercise", "textbook")}
    given = Counter(str(seed.kind) for seed in seeds_in(recipe) if seed.teacher == table.name)
    return {
        kind: sum(apportion(count, of)[place] for count in recipe.seeds.counts(f"{kind}s")) + given[kind]
        for kind, of in shares.items()
    }


def _mean_prompt_tokens(recipe: Recipe, table: TeacherTable, kind: str) -> float:
    from pipeline.core.money import token_estimate

    sizes = [token_estimate(prompt.messages) for prompt in islice(_prompts(recipe, table, kind), SAMPLED_PROMPTS)]
    return sum(sizes) / len(sizes)


def _prompts(recipe: Recipe, table: TeacherTable, kind: str) -> Iterator[Prompt]:
    from pipeline.stages.prompts.stage import rendered

    alone = table.model_copy(update={"exercise_share": 1.0, "textbook_share": 1.0})
    settings = {"exercises": 0, "textbooks": 0, "rounds": (), f"{kind}s": SAMPLED_PROMPTS}
    sampled = SeedsTable(**{**recipe.seeds.model_dump(), **settings})
    return rendered(recipe, sampled, [alone])
