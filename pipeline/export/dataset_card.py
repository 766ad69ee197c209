"""The card of an exported corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import walk
from pipeline.export import cards
from pipeline.export.cards import Told, table
from pipeline.export.records import TEST
from pipeline.recipe import Recipe
from pipeline.report.corpus import Diversity
from pipeline.stages.decontaminated.facts import DecontaminatedFacts
from pipeline.stages.decontaminated.split import TAUS


@dataclass(frozen=True, slots=True)
class Contents:
    """What was written. splits: rows by split; dropped: rows dropped by the stage. templates: prompt template, digest
    and how many of the rows answer it. closest: of the stage `decontaminated`. features: the columns as the datasets
    library declares them. patterns: files by configuration and split."""

    splits: Mapping[str, int]
    dropped: int
    templates: Mapping[tuple[str, str], int]
    closest: DecontaminatedFacts
    diversity: Diversity | None
    features: Mapping[str, Any]
    patterns: Mapping[str, Mapping[str, str]]
    load: str

    @property
    def rows(self) -> int:
        return sum(self.splits.values())


def card(told: Told, recipe: Recipe | None, contents: Contents) -> str:
    """The whole README.md."""
    from huggingface_hub import DatasetCardData

    configs = [
        {"config_name": name, **({"default": True} if not number else {}),
         "data_files": [{"split": split, "path": path} for split, path in splits.items()]}
        for number, (name, splits) in enumerate(contents.patterns.items())
    ]  # fmt: skip
    info = [{"config_name": name, "features": features} for name, features in contents.features.items()]
    declared: dict[str, Any] = {"configs": configs, "dataset_info": info} if configs else {}
    data = DatasetCardData(
        pretty_name=told.summary.run,
        size_categories=_size(contents.rows),
        tags=["hornbook", *(["synthetic"] if any(one.what.startswith("teacher") for one in told.origins) else [])],
        **cards.hub_licences(told.own, told.origins),
        **declared,
    )
    blocks = (
        [f"# {told.summary.run}", "", cards.line(told.summary.description)],
        _counts(told, contents),
        ["## Who wrote it", "", *cards.origins_table(told)] if told.origins else [],
        _prompts(contents),
        ["## What was dropped on the way", "", *cards.funnel(told)],
        _validation(told, recipe),
        _decontamination(told, recipe, contents.closest),
        _personal(told, recipe),
        _diversity(told, contents.diversity),
        cards.costs(told),
        _limits(told, contents),
        cards.made_by(told),
    )
    return cards.page(data, blocks)


def _size(rows: int) -> str:
    """The hub's word for how many rows there are."""
    sizes = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
    return next((name for end, name in sizes if rows < end), "1M<n<10M" if rows < 10_000_000 else "n>10M")


def _counts(told: Told, contents: Contents) -> list[str]:
    about = {TEST: " (problems held out of the corpus)"}
    rows = [(name + about.get(name, ""), f"{count:,}") for name, count in contents.splits.items()]
    rows += [("dropped (configuration of its own)", f"{contents.dropped:,}")] if contents.dropped else []
    caption = walk.named(told.stage).caption if told.stage in walk.names() else told.stage
    return [
        f"Records that the stage `{told.stage}` kept ({caption}), `{told.stage}/{told.key}` of the store.",
        "",
        *table(("split", "rows"), rows),
        "",
        "```python",
        *contents.load.splitlines(),
        "```",
        "",
        "`text` is what a student reads. Of an exercise it is `prompt` and `solution`; `test` is never part of it.",
    ]


def _prompts(contents: Contents) -> list[str]:
    rows = [(name, f"`{digest[:12]}`", f"{count:,}") for (name, digest), count in sorted(contents.templates.items())]
    return ["## Prompts", "", *table(("template", "digest", "rows"), rows)] if rows else []


def _validation(told: Told, recipe: Recipe | None) -> list[str]:
    if recipe is None or told.line("validated") is None:
        return []
    rows = [("CPU seconds of a program", recipe.validated.cpu_seconds), ("memory, MiB", recipe.validated.memory_mb)]
    lines = ["## How code was checked", "", "Exercises were run with their tests, passages with their examples.", ""]
    lines += table(("limit", "value"), rows)
    lines += ["", *(f"- {one.to_text()}" for one in told.summary.strength)] if told.summary.strength else []
    if told.summary.unexecuted:
        lines += ["", f"{told.summary.unexecuted:,} passages were kept of which no code was executed."]
    return lines


def _decontamination(told: Told, recipe: Recipe | None, facts: DecontaminatedFacts) -> list[str]:
    line = told.line("decontaminated")
    if recipe is None or line is None:
        return ["## Overlap with benchmarks", "", "These records were not compared with any benchmark."]
    own = recipe.decontaminated
    if not own.benchmarks:
        return ["## Overlap with benchmarks", "", "The recipe names no benchmark, so none was compared with."]
    rows = []
    for name in own.benchmarks:
        known = (facts.closest or {}).get(name)
        rates = [match[0] for match in known["matches"].values()] if known else []
        near = [f"{sum(rate >= tau for rate in rates):,}" if known else "not known" for tau in TAUS]
        rows.append((name, f"`{known['digest'][:12]}`" if known else "", *near))
    encoder = f", hidden states at a cosine of {own.embedding}" if own.embedding < 1 else ""
    return [
        "## Overlap with benchmarks",
        "",
        f"Removed: {sum(line.dropped.values()):,} of {line.entered:,} documents, by {own.ngram} words in a row, and "
        f"syntax trees that match at {own.tree}{encoder}. Of each benchmark, the problems with a document left whose "
        "syntax tree matches the solution at tau or more:",
        "",
        *table(("benchmark", "data", *(f"tau {tau}" for tau in TAUS)), rows),
    ]


def _personal(told: Told, recipe: Recipe | None) -> list[str]:
    line = told.line("quality")
    head = ["## Credentials and personal data", ""]
    if recipe is None or line is None:
        return [*head, "These records were searched neither for credentials nor for personal data."]
    said = {"drop": "were searched for; what holds some was dropped", "mask": "were searched for and masked",
            "off": "were not searched for"}  # fmt: skip
    return [
        *head,
        f"Credentials {said[recipe.quality.secrets]}. E-mail addresses, public IP addresses and telephone numbers "
        f"{said[recipe.quality.personal_data]}. Dropped for either: {line.dropped.get('secret', 0):,}.",
    ]


def _diversity(told: Told, found: Diversity | None) -> list[str]:
    rows: list[Sequence[object]] = []
    if found is not None:
        rows = [
            ("exercises", f"{found.exercises:,}"),
            ("passages", f"{found.passages:,}"),
            ("topics", f"{found.topics:,}"),
            ("effective topics (exp of the entropy)", found.effective_topics),
            *([("audiences", f"{found.audiences:,}")] if found.audiences else ()),
            *([("names of functions", f"{found.function_names:,}")] if found.function_names else ()),
            (f"distinct word 4-grams, of {found.sampled:,} texts", found.distinct_4grams),
            (f"size over compressed size, of {found.sampled:,} texts", found.compression),
        ]
    vendi = next((one for one in told.summary.stages_diversity if one.stage == told.stage), None)
    if vendi is not None:
        rows.append((f"Vendi score of {vendi.sampled:,} texts (hashed words and word pairs)", vendi.vendi))
    return ["## Diversity", "", *table(("measure", "value"), rows)] if rows else []


def _limits(told: Told, contents: Contents) -> list[str]:
    lines = []
    for one in told.origins:
        if one.licence == "no model":
            lines.append(f"- {one.documents:,} texts are composed by a program from fragments; no model wrote them.")
        elif not one.licence:
            lines.append(f"- Under which licence {one.documents:,} texts of {one.what} may be used is not known.")
    if told.line("validated") is not None:
        lines.append("- That a test passes says that code does what the test asks, not what its docstring says.")
    if told.summary.state != "done":
        lines.append(f"- The run is not complete: {told.summary.state}.")
    if told.line("decontaminated") is not None:
        lines.append("- Overlap was looked for with the benchmarks named above, and with no other.")
    return ["## Limitations", "", *lines] if lines else []
