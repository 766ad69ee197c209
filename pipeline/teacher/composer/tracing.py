"""The worked part of a worked example: what the variables of a loop hold after each round, found by running it."""

import sys
from types import FrameType
from typing import Any

from pipeline.teacher.composer.exercise import load

MOST_ROUNDS = 8
_LONGEST_CELL = 40


def loop_rounds(source: str, entry: str, arguments: str) -> list[dict[str, str]]:
    """Local variables, as source, after each round of the first loop that is not nested in an expression.

    arguments: the call's arguments as source. Empty where the function has no such loop, or more than `MOST_ROUNDS`
    rounds, or values too long for a table.
    """
    lines = source.splitlines()
    header = next((n for n, line in enumerate(lines, 1) if line.startswith(("    for ", "    while "))), 0)
    if not header:
        return []
    function = load(source, entry)
    rows: list[dict[str, str]] = []
    visits = 0

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal visits
        if frame.f_code.co_name != entry:
            return None
        if event == "line" and frame.f_lineno == header:
            visits += 1
            if 1 < visits <= MOST_ROUNDS + 2:
                rows.append({name: repr(value) for name, value in frame.f_locals.items()})
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        eval(f"{entry}({arguments})", {entry: function})  # noqa: S307  (a call that we wrote)
    finally:
        sys.settrace(before)
    if len(rows) > MOST_ROUNDS or any(len(cell) > _LONGEST_CELL for row in rows for cell in row.values()):
        return []
    return rows


def table(rows: list[dict[str, str]]) -> str:
    """The rounds as a Markdown table of the variables that change; "" where fewer than two rounds or nothing "
    "changes."""
    if len(rows) < 2 or any("function" in cell for row in rows for cell in row.values()):
        return ""
    names = [name for name in rows[-1] if len({row.get(name) for row in rows}) > 1]
    if not names:
        return ""
    head = "| round | " + " | ".join(f"`{name}`" for name in names) + " |"
    rule = "|---" * (len(names) + 1) + "|"
    body = [
        f"| {number} | " + " | ".join(row.get(name, "").replace("|", "\\|") for name in names) + " |"
        for number, row in enumerate(rows, 1)
    ]
    return "\n".join([head, rule, *body])
