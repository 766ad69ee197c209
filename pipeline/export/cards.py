"""What both cards share: front matter by the hub's own classes, and text from a run's summary.

A card says what manifests say and nothing else. What the exported records have not been through is not claimed of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import walk
from pipeline.core.money import dollars
from pipeline.export.licences import Origin
from pipeline.report.card import compact, duration
from pipeline.report.summary import StageLine, Summary

_HUB_LICENCES = frozenset(
    {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "isc", "mpl-2.0", "gpl-2.0", "gpl-3.0", "lgpl-2.1",
     "lgpl-3.0", "agpl-3.0", "cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "unlicense", "zlib", "bsl-1.0", "0bsd"}
)  # fmt: skip
"""Licences that the hub knows by these names; any other is "other" there."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a card is made of. stage, key: what is exported; origins: of it. own: the licence that the user gives it."""

    summary: Summary
    stage: str
    key: str
    origins: Sequence[Origin]
    own: str = ""

    def line(self, name: str) -> StageLine | None:
        """The finished stage of that name, where the records have come from it; None else."""
        names = walk.names()
        line = self.summary.line(name)
        within = self.stage not in names or names.index(name) <= names.index(self.stage)
        return line if line is not None and line.counted and within else None


def page(data: Any, blocks: Iterable[Sequence[str]]) -> str:
    """A card: front matter (CardData of huggingface_hub), then the blocks that are not empty."""
    body = "\n\n".join("\n".join(block) for block in blocks if block)
    return f"---\n{data.to_yaml(line_break=None)}\n---\n\n{body}\n"


def cell(text: object) -> str:
    """Text in a cell of a Markdown table: one line, and nothing that ends the cell or begins HTML."""
    shown = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    return shown or "-"


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """A Markdown table, empty where it has no row."""
    lines = [f"| {' | '.join(map(cell, row))} |" for row in rows]
    return [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads), *lines] if lines else []


def hub_licences(own: str, origins: Sequence[Origin]) -> dict[str, Any]:
    """The front matter's keys on the licence: what the user says, else those of the origins, else none."""
    names = [own] if own else sorted({one.licence for one in origins if one.licence not in ("", "no model")})
    if not names or (not own and any(not one.licence for one in origins)):
        return {}
    known = [name.lower() for name in names if name.lower() in _HUB_LICENCES]
    if len(known) == len(names):
        return {"license": known[0] if len(known) == 1 else known}
    return {"license": "other", "license_name": " AND ".join(names).lower().replace(" ", "-")}


def made_by(told: Told) -> list[str]:
    """Where the run was made, and how to make it again."""
    summary, found = told.summary, told.summary.provenance
    lines = ["## How to make it again", "", "`recipe.toml` beside this card is the whole recipe:", "", "```",
             f"hornbook run recipe.toml{f' --until {told.stage}' if told.stage else ''}", "```", ""]  # fmt: skip
    said = [f"Hornbook {found['hornbook']}"] if found.get("hornbook") else []
    said += [f"commit `{found['commit']}`"] if found.get("commit") else []
    said += [f"Python {found['python']}"] if found.get("python") else []
    said += [f"seed {found['seed']}"] if "seed" in found else []
    said += [f"finished {summary.finished[:10]}"] if summary.finished else []
    lines.append(f"Run `{summary.run}` of the recipe `{summary.recipe}`: {', '.join(said)}.")
    lines.append("The same recipe gives the same keys; a teacher that is asked anew may answer otherwise.")
    return lines


def origins_table(told: Told) -> list[str]:
    """Who wrote what, and under which licence."""
    rows = []
    for one in told.origins:
        much = f"{one.documents:,}" if one.documents else ""
        licence = {"": "not known", "no model": "none needed: no model in it"}.get(one.licence, one.licence)
        rows.append((one.what, one.model, much, licence, one.says))
    return table(("what", "model", "documents", "licence", "who says so"), rows)


def funnel(told: Told) -> list[str]:
    """Counts of each stage up to the exported one."""
    rows = []
    for line in filter(None, map(told.line, walk.corpus())):
        ordered = sorted(line.dropped.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in ordered)
        rows.append((line.name, f"{line.entered:,}", f"{line.kept:,}", reasons))
    return table(("stage", "in", "kept", "dropped, by reason"), rows)


def costs(told: Told) -> list[str]:
    """What the teachers cost and how long the run took."""
    cost = told.summary.cost()
    earlier = f", and earlier runs {dollars(cost['reused_usd'])}" if cost["reused_usd"] else ""
    lines = [
        f"The teachers read and wrote {compact(cost['tokens'])} tokens; this run paid {dollars(cost['usd'])}{earlier}."
    ]
    if cost["usd_per_kept_document"]:
        lines.append(f"That is ${cost['usd_per_kept_document']:.6f} for each document of the final corpus.")
    lines.append(f"The run took {duration(told.summary.seconds)}.")
    return ["## Costs", "", *lines]


def rate(value: float | None, interval: Any) -> str:
    """ "56.7% [48.3, 65.8]", "not scored"."""
    if value is None:
        return "not scored"
    ends = f" [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]" if interval is not None else ""
    return f"{100 * value:.1f}%{ends}"


def line(text: str) -> str:
    """Text of a recipe as one line of Markdown, without HTML in it."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
