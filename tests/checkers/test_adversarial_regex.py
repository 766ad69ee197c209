"""Patterns that are right by accident, patterns that are right and written otherwise, and patterns without end."""

import tomllib
from pathlib import Path

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Ruling, Terms

SET = tomllib.loads((Path(__file__).parents[1] / "data" / "regex.toml").read_text(encoding="utf-8"))
KEYS = ("match", "no_match", "mode")


def ruled(items: list[Item], seconds: float = 10.0) -> list[tuple[str, Ruling]]:
    rulings = checkers.named("regex").make(Terms(cpu_seconds=seconds), Means()).rule(items)
    return [(item.solution, ruling) for item, ruling in zip(items, rulings, strict=True)]


def items(kind: str, *keys: str) -> list[Item]:
    return [
        Item(pattern, "", pattern, {key: case[key] for key in keys if key in case})
        for case in SET["case"]
        for pattern in case[kind]
    ]


def test_patterns_that_are_right_by_accident_are_refused_on_made_strings() -> None:
    shown = ruled(items("wrong", *KEYS))
    made = ruled(items("wrong", *KEYS, "reference"))
    assert len(made) >= 40
    assert [(pattern, ruling.detail) for pattern, ruling in shown if ruling.state != "right"] == []
    assert [(pattern, ruling.state) for pattern, ruling in made if ruling.state != "wrong"] == []


def test_right_patterns_pass_however_they_are_written() -> None:
    found = ruled(items("right", *KEYS, "reference"))
    assert len(found) >= 40
    assert [(pattern, ruling.detail) for pattern, ruling in found if ruling.state != "right"] == []


def test_patterns_that_backtrack_without_end_are_found() -> None:
    patterns = SET["catastrophic"]["patterns"]
    assert len(patterns) >= 20
    given = [Item(pattern, "", pattern, {"reference": pattern}) for pattern in patterns]
    found = ruled(given, 0.1)
    assert [(pattern, ruling) for pattern, ruling in found if "CPU" not in ruling.detail or ruling.passed] == []
