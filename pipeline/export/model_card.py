"""The card of an exported student."""

from collections.abc import Sequence
from typing import Any

from pipeline.export import cards
from pipeline.export.cards import Told, rate, table
from pipeline.recipe import Recipe
from pipeline.report.card import compact, duration
from pipeline.report.scoring import ModelScore

STUDENT = "after"
"""The student's name among the models that a run scores."""


def card(told: Told, recipe: Recipe | None, dataset: str = "") -> str:
    """The whole README.md; scores of a part of a benchmark stay out of its front matter.

    dataset: where the corpus lies on the hub, "" where it does not.
    """
    from huggingface_hub import EvalResult, ModelCardData

    own = [score for score in told.summary.scores if score.model == STUDENT]
    scores = [score for score in own if score.overall.value is not None and not score.partial]
    results = [
        EvalResult(
            task_type="text-generation",
            dataset_type=score.benchmark,
            dataset_name=score.benchmark,
            metric_type="pass@1",
            metric_value=round(score.overall.value or 0.0, 4),
            metric_name=f"pass@1 of {score.overall.scored} problems",
        )
        for score in scores
    ]
    base = (
        recipe.student.init if recipe and "/" in recipe.student.init and recipe.student.init[0] not in "./~" else None
    )
    data = ModelCardData(
        model_name=told.summary.run,
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["hornbook"],
        base_model=base,
        datasets=[dataset] if dataset else None,
        eval_results=results or None,
        **cards.hub_licences(told.own, [one for one in told.origins if not one.documents]),
    )
    blocks = (
        [f"# {told.summary.run}", "", cards.line(told.summary.description)],
        _what(told, recipe),
        ["## What it was made from", "", *cards.origins_table(told)] if told.origins else [],
        ["## Data", "", *cards.funnel(told)],
        _training(told, recipe),
        _scores(told, recipe),
        _contamination(told.summary.scores),
        _limits(told, recipe),
        cards.made_by(told),
    )
    return cards.page(data, blocks)


def _what(told: Told, recipe: Recipe | None) -> list[str]:
    facts = told.summary.student
    rows: list[Sequence[object]] = []
    if facts.parameters:
        rows.append(("parameters", f"{facts.parameters:,}"))
    if recipe is not None:
        scratch = recipe.student.init == "scratch"
        rows.append(("began as", f"{recipe.student.architecture}, random weights" if scratch else recipe.student.init))
    rows.append(("artifact", f"student/{told.key}"))
    return [
        *table(("", ""), rows),
        "",
        "```python",
        "from transformers import AutoModelForCausalLM, AutoTokenizer",
        "",
        'model = AutoModelForCausalLM.from_pretrained("FOLDER")',
        'tokenizer = AutoTokenizer.from_pretrained("FOLDER")',
        "```",
    ]


def _training(told: Told, recipe: Recipe | None) -> list[str]:
    facts, tokens = told.summary.student, told.summary.tokens
    rows: list[Sequence[object]] = []
    if tokens.documents:
        rows.append(("documents", f"{tokens.documents:,}, and {tokens.held_out_documents or 0:,} held out"))
    if facts.tokens:
        rows.append(("tokens with loss that were read", compact(facts.tokens)))
    for name, value in (("steps", facts.steps), ("arithmetic", facts.precision)):
        if value:
            rows.append((name, value))
    if facts.held_out_loss is not None:
        before = f", {facts.held_out_loss_before:.3f} before" if facts.held_out_loss_before is not None else ""
        rows.append(("held-out loss, nats a token", f"{facts.held_out_loss:.3f}{before}"))
    if facts.seconds:
        rows.append(("training took", duration(facts.seconds)))
    if recipe is not None:
        for phase in recipe.student.phases:
            rows.append(
                (f"phase {phase.name}", f"{phase.data} documents, batch {phase.batch}, learning rate {phase.lr}")
            )
        if recipe.soft_targets.teacher:
            own = recipe.soft_targets
            rows.append(("soft targets", f"{own.teacher}, {own.divergence}, T {own.temperature}, alpha {own.alpha}"))
    return ["## Training", "", *table(("", ""), rows)] if rows else []


def _scores(told: Told, recipe: Recipe | None) -> list[str]:
    summary = told.summary
    rows = []
    for score in summary.scores:
        of = f"{score.overall.scored:,}"
        of += f" of {score.total:,}: partial" if score.partial and score.total else ""
        rows.append((score.benchmark, score.model, rate(score.overall.value, score.overall.interval), of))
        rows += [("", f"{score.model}, {name}", rate(part.value, part.interval), f"{part.scored:,}")
                 for name, part in score.groups.items()]  # fmt: skip
    if not rows:
        return ["## Scores", "", "None was made."]
    lines = ["## Scores", "", *table(("benchmark", "model", "pass@1, 95% interval", "problems"), rows), ""]
    lines += ['"before" are the weights that training began from, "after" is this model.']
    if recipe is not None:
        own = recipe.evaluation
        how = "greedy" if own.temperature == 0 else f"temperature {own.temperature}"
        lines.append(
            f"Protocol: samples of each problem: {own.samples}, {how}, at most {own.max_new_tokens} tokens, "
            f"prompt form `{own.prompt_form}`; programs had {own.cpu_seconds} CPU seconds in a sandbox."
        )
    digests = [f"{one['name']} `{str(one['digest'])[:12]}`" for one in summary.benchmarks if one.get("digest")]
    lines += [f"Data of the benchmarks: {', '.join(digests)}."] if digests else []
    return lines + [f"- {comparison.benchmark}: {comparison.sentence()}" for comparison in summary.comparisons]


def _contamination(scores: Sequence[ModelScore]) -> list[str]:
    rows: list[Any] = []
    for score in scores:
        for split in score.splits if score.model == STUDENT else ():
            similar, others = split.similar, split.others
            rows.append((score.benchmark, split.tau, f"{rate(similar.value, similar.interval)} of {similar.problems:,}",
                         f"{rate(others.value, others.interval)} of {others.problems:,}"))  # fmt: skip
    head = (
        "Problems that the training corpus has something like (a syntax tree that matches at tau or more), and others:"
    )
    heads = ("benchmark", "tau", "similar", "others")
    return ["## Similar problems in the corpus", "", head, "", *table(heads, rows)] if rows else []


def _limits(told: Told, recipe: Recipe | None) -> list[str]:
    lines = []
    if any(score.partial for score in told.summary.scores):
        lines.append("- A score marked as partial is of a part of its benchmark, and no score of the whole.")
    lines += [f"- {one.benchmark}: no rise over the weights it began from is shown."
              for one in told.summary.comparisons if one.claim != "rise"]  # fmt: skip
    if recipe is not None and "held-out" in recipe.evaluation.named:
        lines.append("- `held-out` asks what the same teacher asked; it is no measure of anything else.")
    return ["## Limitations", "", *lines] if lines else []
