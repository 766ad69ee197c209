"""Queries that are right by accident, queries that are right and written otherwise, and queries that try to get out."""

import tomllib
from pathlib import Path

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Ruling, Terms

DATA = Path(__file__).parents[1] / "data"
SET = tomllib.loads((DATA / "sqlite.toml").read_text(encoding="utf-8"))


def check(case, **more):
    return {
        "schema": SET["schemas"][case["schema"]],
        "reference": case["reference"],
        "ordered": case.get("ordered", False),
    } | more


def ruled(kind: str, **more) -> list[tuple[str, Ruling]]:
    items = [
        Item(f"{number}", "", query, check(case, **more))
        for number, case in enumerate(SET["case"])
        for query in case[kind]
    ]
    rulings = checkers.named("sqlite").make(Terms(cpu_seconds=10.0), Means()).rule(items)
    return [(item.solution, ruling) for item, ruling in zip(items, rulings, strict=True)]


def test_queries_that_are_right_by_accident_are_refused_on_other_data() -> None:
    shown, made = ruled("wrong", data=[]), ruled("wrong")
    assert len(made) >= 40
    assert [(query, ruling.detail) for query, ruling in shown if ruling.state != "right"] == []
    assert [query for query, ruling in made if ruling.reason != "wrong-on-other-data"] == []


def test_right_queries_pass_however_they_are_written() -> None:
    found = ruled("right")
    assert len(found) >= 40
    assert [(query, ruling.reason, ruling.detail) for query, ruling in found if ruling.state != "right"] == []
