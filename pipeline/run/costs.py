"""What a recipe will cost before anything is made: teacher requests, tokens and dollars; student FLOPs and memory.

An estimate that touches nothing and downloads nothing: prompt tokens are characters / 4 of prompts rendered from the
first seeds of each teacher, answer tokens are `requests.ANSWER_TOKENS` capped by the teacher's max_tokens, and the
corpus is taken to keep every answer. The report has what was really spent.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.core.money import hours_text
from pipeline.core.plan import Plan
from pipeline.models.named import located, named
from pipeline.recipe import Recipe
from pipeline.recipe_text import Loaded
from pipeline.run import machine as machines
from pipeline.run import raw_code, remaining, requests, space, wanting
from pipeline.run.machine import Machine
from pipeline.run.run import Planned, planned, stored
from pipeline.store.places import Places

SOURCE_TOKENS = {"stdlib": 6_000_000, "dataset": 6_000_000_000}
"""Tokens of real code that a source is taken to bring (phi-1's filtered code: ~6B), where `limit` does not say less."""


def estimate(loaded: Loaded, places: Places, name: str = "", machine: Machine | None = None) -> dict[str, Any]:
    """The JSON of `hornbook plan` for the run `name` ("" for the recipe's own).

    Stages with their state; what is left to ask of teachers, and `in_all` with what is stored; whether that fits the
    budget; the student, and how long a `machine` trains it (null for None); disk.
    """
    from pipeline.models.architectures import describe

    call = planned(loaded, places, name)
    loaded, whole = call.loaded, call.plan
    recipe: Recipe = loaded.recipe
    there = stored(whole, places)
    teachers, again, judge = _questions(loaded, whole, there, places)
    asked = [*teachers, *chain(*again.values()), *([judge] if judge else [])]
    tokens, usd = sum(one["tokens"] for one in asked), _total(one["usd"] for one in asked)
    answers = sum(one["in_all"]["completion_tokens"] for one in teachers)
    most = min(answers, wanting.most_tokens(recipe, requests.ANSWER_TOKENS)) + _source_tokens(recipe)
    corpus = remaining.packed(whole, places) or most
    student = describe(recipe.student, recipe.tokens, corpus, places.models)
    soft = _soft_targets(recipe, corpus, student.training_tokens, places.models)
    raw = raw_code.raw_code(recipe.sources)
    room = space.space(
        recipe,
        [stage.name for stage in whole.stages],
        answers,
        _source_tokens(recipe),
        student,
        soft["bytes"] if soft else 0,
        raw["bytes"] if raw else None,
    )
    return {
        "recipe": recipe.name,
        "stages": [
            {"name": s.name, "key": s.key, "state": "stored" if there[s.name] else "to-make"} for s in whole.stages
        ],
        "teacher": {
            **_summed(asked),
            "to_make": not there.get("completions", True),
            "teachers": teachers,
            **again,
            "judge": {**judge, "to_make": not there["quality"]} if judge else None,
        },
        "budget": remaining.against_budget(loaded, call, places, tokens, usd),
        "want": _wanted(call, [*teachers, *again["solutions"]]) if recipe.want.any else None,
        "student": {
            "parameters": student.parameters,
            "training_tokens": student.training_tokens,
            "flops": student.flops,
            "gpu_hours": round(student.gpu_hours, 6),
            "mfu": student.mfu,
            "memory_bytes": student.memory_bytes,
        },
        "machine": machines.trained(student, recipe.student, machine) if machine else None,
        "disk": room,
        "raw_code": raw,
        "soft_targets": soft,
        "downloads": _downloads(recipe, there, places),
    }


def _questions(
    loaded: Loaded, whole: Plan, there: Mapping[str, bool], places: Places
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]], dict[str, Any] | None]:
    """What is left to ask: of each teacher for documents, by stage of those who solve exercises again or say them in
    other words, and of the judge."""
    recipe = loaded.recipe
    to_make = "completions" in there and not there["completions"]
    routed, known = remaining.asked(loaded, whole, places, to_make=to_make)
    teachers = [requests.of_teacher(recipe, table, routed) for table in recipe.teachers]
    teachers = [
        remaining.left(one, one["requests"] if there.get("completions") else known[one["name"]]) for one in teachers
    ]
    again: dict[str, list[dict[str, Any]]] = {}
    for stage, of_stage in (("solutions", requests.of_solutions), ("rewordings", requests.of_rewordings)):
        parts = of_stage(recipe, routed) if stage in there else []
        given = remaining.given(loaded, whole, places, stage) if parts and not there[stage] else Counter()
        again[stage] = [remaining.left(one, one["requests"] if there[stage] else given[one["name"]]) for one in parts]
    judge = requests.of_judge(recipe)
    if judge:
        graded = judge["requests"] if there["quality"] else remaining.annotated(loaded, whole, places)
        judge = remaining.left(judge, graded)
    return teachers, again, judge


def _summed(asked: list[dict[str, Any]]) -> dict[str, Any]:
    """What is asked of all teachers. usd_online, usd_batch: the same if all were asked in that mode."""
    return {
        "requests": sum(one["requests"] for one in asked),
        "tokens": sum(one["tokens"] for one in asked),
        "stored": sum(one["stored"] for one in asked),
        **{name: _total(one[name] for one in asked) for name in remaining.PRICES},
        "in_all": {
            "requests": sum(one["in_all"]["requests"] for one in asked),
            "tokens": sum(one["in_all"]["tokens"] for one in asked),
            "usd": _total(one["in_all"]["usd"] for one in asked),
        },
    }


def _wanted(call: Planned, asked: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a recipe that wants a number of documents may come to. counts: of the rounds that are finished. most: what
    all answers cost where the ceiling on answers is reached; answers are taken to cost what the plan's do."""
    want, seeds = call.loaded.recipe.want, call.loaded.recipe.seeds
    times = want.most_answers / max(1, seeds.total * call.loaded.recipe.completions.samples_per_prompt)
    tokens, usd = sum(one["in_all"]["tokens"] for one in asked), _total(one["in_all"]["usd"] for one in asked)
    most = None if usd is None else round(times * usd, 4)
    return {
        "exercises": want.exercises,
        "textbooks": want.textbooks,
        "round": len(call.rounds) + 1,
        "counts": [{k: v for k, v in count.to_json().items() if k != "topics"} for count in call.counts],
        "most": {
            "answers": want.most_answers,
            "tokens": round(times * tokens),
            "usd": most if most is None or want.usd is None else min(most, want.usd),
        },
    }


def _wanted_line(want: Mapping[str, Any]) -> str:
    if want["counts"] and want["counts"][-1]["ended"]:
        return f"  wanted: {wanting.to_text(want['counts'][-1])}"
    numbers = [f"{want[kind]:,} {kind}" for kind in wanting.KINDS if want[kind]]
    most = want["most"]
    price = "price unknown" if most["usd"] is None else f"${most['usd']:,.2f}"
    so_far = f"{wanting.to_text(want['counts'][-1])}; " if want["counts"] else ""
    return (
        f"  wanted: {so_far}{' and '.join(numbers)} that are kept; this is round {want['round']}, others follow until "
        f"they are there or {most['answers']:,} answers are asked (~{most['tokens']:,} tokens, {price})"
    )


def _downloads(recipe: Recipe, there: Mapping[str, bool], places: Places) -> list[dict[str, Any]]:
    """Named models that a run would fetch: used by a stage that is to be made, and not here."""
    used = [
        *((table.weights, "completions") for table in recipe.teachers),
        *((spec, stage) for spec in (recipe.student.init,) for stage in ("tokens", "student")),
        (recipe.quality.embedding, "quality"),
        (recipe.decontaminated.encoder, "decontaminated"),
        (recipe.soft_targets.teacher, "soft-targets"),
    ]
    models = {spec: named(spec) for spec, stage in used if not there.get(stage, True)}
    return [
        {"name": model.name, "bytes": model.bytes, "licence": model.licence}
        for model in models.values()
        if model is not None and located(model, places.models) is None
    ]


def _soft_targets(recipe: Recipe, corpus_tokens: int, training_tokens: int, models: Path) -> dict[str, Any] | None:
    """What a white-box teacher takes: FLOPs of its forward passes, and bytes on disk where its targets are kept.

    bytes: at most, as if every token of the corpus carried loss; 0 online. flops: None for a teacher that is not here,
    whose size is not known. The student's own samples are not counted: they replace text of about their length.
    """
    from pipeline.models.sizes import size_of
    from pipeline.stages.soft_targets.costs import bytes_needed, forward_flops

    table = recipe.soft_targets
    if not table.teacher:
        return None
    size = size_of(table.teacher, models)
    parameters, vocabulary = (size.parameters, size.vocabulary) if size else (0, 0)
    cached = table.mode == "cached"
    tokens = min(corpus_tokens, recipe.tokens.max_documents * requests.DOCUMENT_TOKENS or corpus_tokens)
    read = tokens if cached else training_tokens
    return {
        "mode": table.mode,
        "teacher": table.teacher,
        "teacher_parameters": parameters or None,
        "tokens": read,
        "flops": forward_flops(parameters, read) if parameters else None,
        "bytes": bytes_needed(read, read, table.top_k, vocabulary) if cached else 0,
    }


def table(estimated: dict[str, Any]) -> str:
    """The estimate for a person."""
    lines = [f"  {stage['name']:<15} {stage['key'][:12]}  {stage['state']}" for stage in estimated["stages"]]
    teacher, student = estimated["teacher"], estimated["student"]
    lines.append("")
    named = [one for one in teacher["teachers"] if one["in_all"]["requests"] or not teacher["judge"]]
    lines += [_asked_line("teacher", one) for one in named]
    there = {stage["name"]: stage["state"] == "stored" for stage in estimated["stages"]}
    if there.get("completions"):
        lines.append("  the completions are stored: nothing more to pay for them")
    lines += [_asked_line("solutions of", one) for one in teacher["solutions"]]
    lines += [_asked_line("other words of", one) for one in teacher["rewordings"]]
    if teacher["judge"]:
        lines.append(_asked_line("judge", teacher["judge"]))
        if not teacher["judge"]["to_make"]:
            lines.append("  the annotations are stored: nothing more to pay for them")
    if teacher["usd_online"] != teacher["usd_batch"]:
        online, batch = f"${teacher['usd_online']:,.2f}", f"${teacher['usd_batch']:,.2f}"
        lines.append(f'  all teachers: {online} with mode = "online", {batch} with mode = "batch"')
    if estimated["want"]:
        lines.append(_wanted_line(estimated["want"]))
    if estimated["budget"]:
        lines.append(remaining.budget_line(estimated["budget"], teacher["tokens"], teacher["usd"]))
    lines.append(
        f"  student: {student['parameters']:,} parameters, {student['training_tokens']:,} training tokens, "
        f"{student['flops']:.3g} FLOPs, {hours_text(student['gpu_hours'], 'A100')} at an MFU of {student['mfu']}, "
        f"{student['memory_bytes'] / 2**30:,.1f} GiB"
        " on one device"
    )
    if estimated["machine"]:
        lines += machines.lines(estimated["machine"])
    if estimated["raw_code"]:
        lines.append(raw_code.line(estimated["raw_code"]))
    lines.append(space.line(estimated["disk"]))
    if estimated["soft_targets"]:
        lines.append(_soft_targets_line(estimated["soft_targets"]))
    lines += [
        f"  download: {one['name']}, {one['bytes'] / 1e6:,.0f} MB, {one['licence']}" for one in estimated["downloads"]
    ]
    lines.append("")
    lines.append("  tokens are estimated by length; every answer is taken to be kept")
    return "\n".join(lines)


def _asked_line(role: str, one: dict[str, Any]) -> str:
    price = "price unknown, see data/prices.toml" if one["usd"] is None else f"${one['usd']:,.2f}"
    return (
        f"  {role} {one['name']} ({one['kind']}{', ' + one['model'] if one['model'] else ''}): "
        f"{one['requests']:,} requests, ~{one['tokens']:,} tokens, {price}"
        + (f"; {one['stored']:,} of {one['in_all']['requests']:,} answers are stored" if one["stored"] else "")
    )


def _soft_targets_line(soft: dict[str, Any]) -> str:
    flops = "FLOPs unknown (the teacher is not here)" if soft["flops"] is None else f"{soft['flops']:.3g} FLOPs"
    where = f"at most {soft['bytes'] / 2**20:,.1f} MiB on disk" if soft["mode"] == "cached" else "nothing on disk"
    return f"  soft targets ({soft['mode']}): {soft['teacher']} reads {soft['tokens']:,} tokens, {flops}, {where}"


def _source_tokens(recipe: Recipe) -> int:
    kind = recipe.sources.kind
    known = SOURCE_TOKENS.get(kind, 0)
    return min(known, recipe.sources.limit * 1000) if recipe.sources.limit else known


def _total(parts: Iterable[float | None]) -> float | None:
    """The sum, or None where one part is unknown: a total that leaves a price out would be wrong."""
    amounts = list(parts)
    return None if None in amounts else round(sum(amount for amount in amounts if amount is not None), 4)
