"""What a sweep would make and what that costs, each artifact and each answer counted once."""

from collections.abc import Sequence
from typing import Any

from pipeline.core.money import hours_text
from pipeline.recipe_images import ImageRecipe
from pipeline.run import costs, image_costs
from pipeline.run.run import planned, stored
from pipeline.stages.reads import looking_once
from pipeline.store.places import Places
from pipeline.sweep.file import Sweep, Trial

ASKED = {"teachers": "completions", "solutions": "solutions", "rewordings": "rewordings"}
"""Parts of an estimate that are asked of teachers, and the stage that asks."""


def plan(sweep: Sweep, places: Places) -> dict[str, Any]:
    """The JSON of `hornbook sweep --plan`: of each arm its runs with the state of their stages ("stored", "to-make", or
    "shared" with a run before), what is left to ask of teachers, and the students' FLOPs; then all together."""
    seen: set[str] = set()
    with looking_once():
        arms = [_arm(sweep, arm.name, places, seen) for arm in sweep.arms]
    return {
        "sweep": sweep.name,
        "description": sweep.table.description,
        "recipe": sweep.recipe,
        "seeds": list(sweep.seeds),
        "arms": arms,
        "total": _sum(arms),
    }


def _arm(sweep: Sweep, name: str, places: Places, seen: set[str]) -> dict[str, Any]:
    """seen: keys of what the runs before have made; those of this arm are added."""
    runs: list[dict[str, Any]] = []
    part = {"requests": 0, "tokens": 0, "usd": 0.0, "flops": 0.0, "gpu_hours": 0.0, "training_tokens": 0}
    estimated: dict[str, Any] = {}
    for trial in sweep.of(name):
        stages = _stages(trial, places, seen)
        fresh = {stage["name"] for stage in stages if stage["state"] == "to-make"}
        if fresh and not estimated:  # seeds differ in training alone, or in what costs the same
            kind = image_costs if isinstance(trial.loaded.recipe, ImageRecipe) else costs
            estimated = kind.estimate(trial.loaded, places, trial.run)
        _add(part, estimated, fresh)
        runs.append({"run": trial.run, "seed": trial.seed, "stages": stages})
    teacher = {key: part.pop(key) for key in ("requests", "tokens", "usd")}
    unit = "images" if any(isinstance(trial.loaded.recipe, ImageRecipe) for trial in sweep.of(name)) else "tokens"
    return {"arm": name, "runs": runs, "teacher": teacher, "student": {**part, "unit": unit}}


def _stages(trial: Trial, places: Places, seen: set[str]) -> list[dict[str, str]]:
    whole = planned(trial.loaded, places, trial.run).plan
    there = stored(whole, places)
    found = []
    for stage in whole.stages:
        state = "stored" if there[stage.name] else "shared" if stage.key in seen else "to-make"
        found.append({"name": stage.name, "key": stage.key, "state": state})
        seen.add(stage.key)
    return found


def _add(part: dict[str, Any], estimated: dict[str, Any], fresh: set[str]) -> None:
    """Add what the stages `fresh` cost."""
    asked: list[dict[str, Any]] = []
    for name, stage in ASKED.items():
        asked += estimated["teacher"][name] if stage in fresh else []
    judge = estimated.get("teacher", {}).get("judge")
    asked += [judge] if judge and "quality" in fresh else []
    for one in asked:
        part["requests"] += one["requests"]
        part["tokens"] += one["tokens"]
        part["usd"] = None if part["usd"] is None or one["usd"] is None else round(part["usd"] + one["usd"], 4)
    networks = [one | {"training_tokens": one["images"]} for one in estimated.get("networks", ())]
    trained = [one for one in networks if one["stage"] in fresh] or (
        [estimated["student"]] if "student" in fresh else []
    )
    for one in trained:
        for name in ("flops", "gpu_hours", "training_tokens"):
            part[name] += one[name]


def _sum(arms: Sequence[dict[str, Any]]) -> dict[str, Any]:
    prices = [arm["teacher"]["usd"] for arm in arms]
    return {
        "runs": sum(len(arm["runs"]) for arm in arms),
        "stages_to_make": sum(_count(arm, "to-make") for arm in arms),
        "requests": sum(arm["teacher"]["requests"] for arm in arms),
        "tokens": sum(arm["teacher"]["tokens"] for arm in arms),
        "usd": None if None in prices else round(sum(prices), 4),
        "training_tokens": sum(arm["student"]["training_tokens"] for arm in arms),
        "flops": sum(arm["student"]["flops"] for arm in arms),
        "gpu_hours": round(sum(arm["student"]["gpu_hours"] for arm in arms), 6),
        "unit": arms[0]["student"]["unit"],
    }


def _count(arm: dict[str, Any], state: str) -> int:
    return sum(stage["state"] == state for run in arm["runs"] for stage in run["stages"])


def text(found: dict[str, Any]) -> str:
    """The plan for a person, a line an arm."""
    width = max(len(arm["arm"]) for arm in found["arms"])
    lines = [f"{found['sweep']}: recipe {found['recipe']}, seeds {', '.join(map(str, found['seeds']))}"]
    for arm in found["arms"]:
        counts = [f"{_count(arm, state)} {state}" for state in ("to-make", "shared", "stored") if _count(arm, state)]
        lines.append(f"  {arm['arm']:<{width}}  stages: {', '.join(counts)}; {_costs(arm['teacher'] | arm['student'])}")
    total = found["total"]
    lines += ["", f"  {total['runs']} runs, {total['stages_to_make']} stages to make; {_costs(total)}"]
    return "\n".join([*lines, "", _NOTE])


_NOTE = (
    "  tokens are estimated by length; every answer is taken to be kept; what several arms of different corpora ask\n"
    "  alike is counted for each of them here, and asked once"
)


def _costs(part: dict[str, Any]) -> str:
    asked = "nothing to ask"
    if part["requests"]:
        price = "price unknown" if part["usd"] is None else f"${part['usd']:,.2f}"
        asked = f"{part['requests']:,} requests, ~{part['tokens']:,} tokens, {price}"
    if not part["training_tokens"]:
        return f"{asked}; nothing to train"
    return (
        f"{asked}; {part['training_tokens']:,} {part['unit']} to train, {part['flops']:.2g} FLOPs, "
        f"{hours_text(part['gpu_hours'], 'A100')}"
    )
