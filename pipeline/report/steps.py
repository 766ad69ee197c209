"""The walk of one record as a tree of steps, and its two forms: JSON and indented text."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

TEXT_LINES = 14
"""Lines of a step's text that `trace_text` prints."""

REPEATED_SHARE = 0.2
"""Share of a text that the text above it must make up to be referred to, not printed again."""


@dataclass(frozen=True, slots=True)
class Step:
    """One place of a walk, and where it leads to.

    what: "score", "sample", "checkpoint", "tokens", "span", "document", "completion", "prompt", "seed", "problem",
    "dropped", "kept", "weights" or "remark". stage, key: the artifact that holds it, "" for a remark. note: one line
    for a person. text: what the record says, "" where that is shown elsewhere. facts: numbers for programs.
    """

    what: str
    id: str = ""
    stage: str = ""
    key: str = ""
    note: str = ""
    text: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    next: tuple["Step", ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The step and all that follow it."""
        return {
            "what": self.what,
            "id": self.id,
            "stage": self.stage,
            "key": self.key,
            "note": self.note,
            "text": self.text,
            "facts": dict(self.facts),
            "next": [step.to_json() for step in self.next],
        }

    def walk(self) -> Iterator["Step"]:
        """This step and all that follow it, parents first."""
        yield self
        for step in self.next:
            yield from step.walk()


def chain(steps: Sequence[Step]) -> Step:
    """One step after the other; what the last one leads to is kept. Raises ValueError for none."""
    if not steps:
        raise ValueError("a chain needs at least one step")
    linked = steps[-1]
    for step in reversed(steps[:-1]):
        linked = replace(step, next=(*step.next, linked))
    return linked


@dataclass(frozen=True, slots=True)
class Trace:
    """What an identifier led to. here: the record itself; back: to the seed; forward: to the tokens or the drop."""

    run: str
    identifier: str
    here: Step
    back: tuple[Step, ...] = ()
    forward: tuple[Step, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """What `hornbook trace --json` prints."""
        return {
            "run": self.run,
            "identifier": self.identifier,
            "here": self.here.to_json(),
            "back": [step.to_json() for step in self.back],
            "forward": [step.to_json() for step in self.forward],
        }


def trace_text(trace: Trace) -> str:
    """The walk for a person: each step one line and its text below; an arrow leads on, a branch is indented."""
    lines = _step_lines(trace.here, "", "")
    for title, steps in (("back", trace.back), ("forward", trace.forward)):
        if steps:
            lines += ["", title]
            for step in steps:
                lines += _step_lines(step, "→ ", "  ", trace.here.text)
    return "\n".join(lines)


def _step_lines(step: Step, head: str, body: str, above: str = "") -> list[str]:
    """head: what stands before the step's own line; body: before the lines below it; above: the last text shown."""
    where = f"{step.stage} {step.key[:12]}".strip()
    name = "" if step.what == "remark" else f"{step.what} {step.id}".strip()
    parts = [name, step.note, f"[{where}]" if where else ""]
    lines = [head + "  ".join(" ".join(part.split()) for part in parts if part)]
    rail = "│" if len(step.next) > 1 else " "
    lines += [f"{body}{rail}     {line}".rstrip() for line in _shown(step.text, above)]
    shown = step.text or above
    if len(step.next) == 1:
        arrow = body.removesuffix("  ") + "→ " if body else "→ "
        return lines + _step_lines(step.next[0], arrow, body or "  ", shown)
    for number, following in enumerate(step.next):
        last = number == len(step.next) - 1
        branch, below = ("└ ", "    ") if last else ("├ ", "│   ")
        lines += _step_lines(following, body + branch, body + below, shown)
    return lines


def _shown(text: str, above: str) -> list[str]:
    """Lines to print of a text: not all of a long one, and not again what the step above it has shown."""
    repeated = above.strip()
    if repeated and repeated in text and len(repeated) >= REPEATED_SHARE * len(text):
        return [f"(the text above, in {len(text):,} characters)"] if text.strip() != repeated else []
    lines = text.strip("\n").rstrip().splitlines()
    more = [f"... {len(lines) - TEXT_LINES} more lines"] if len(lines) > TEXT_LINES else []
    return lines[:TEXT_LINES] + more
