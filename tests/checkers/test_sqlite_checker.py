"""The checker `sqlite`: on the shown data, on data made from it, and what it says."""

from collections.abc import Iterator

import pytest

from pipeline import checkers
from pipeline.checkers.protocol import Checker, Item, Means, Terms

SCHEMA = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, city TEXT);
CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customers (id),
                     total REAL NOT NULL, placed TEXT NOT NULL);
INSERT INTO customers VALUES (1, 'Ann', 'Paris'), (2, 'Bob', 'Rome'), (3, 'Cy', 'Paris');
INSERT INTO orders VALUES (1, 1, 10.5, '2024-01-05'), (2, 1, 20, '2024-02-01'), (3, 2, 50, '2024-01-31');
"""
BUYERS = "SELECT name FROM customers WHERE id IN (SELECT customer_id FROM orders)"
BY_TOTAL = "SELECT name, total FROM orders JOIN customers c ON c.id = customer_id ORDER BY total DESC"


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with checkers.named("sqlite").make(Terms(cpu_seconds=10.0), Means()) as opened:
        yield opened


def rule(checker: Checker, query: str, **check):
    (ruling,) = checker.rule([Item("a", "", query, {"schema": SCHEMA, **check})])
    return ruling


@pytest.mark.parametrize(
    ("query", "check", "reason", "detail"),
    [
        (
            "SELECT name FROM customers WHERE id < 3",
            {"reference": BUYERS},
            "wrong-on-other-data",
            "with orders emptied: expected 0 rows, got 2 rows: ('Ann'), ('Bob')",
        ),
        (
            "SELECT name FROM customers",
            {"reference": BUYERS},
            "wrong-rows",
            "expected 2 rows: ('Ann'), ('Bob'), got 3 rows: ('Ann'), ('Bob'), ('Cy')",
        ),
        (
            BY_TOTAL.removesuffix(" DESC"),
            {"reference": BY_TOTAL, "ordered": True},
            "wrong-order",
            "expected 3 rows: ('Bob', 50.0), ('Ann', 20.0), ('Ann', 10.5), "
            "got 3 rows: ('Ann', 10.5), ('Ann', 20.0), ('Bob', 50.0)",
        ),
        (
            "SELECT total, name FROM orders JOIN customers c ON c.id = customer_id",
            {"reference": BY_TOTAL, "columns": "ordered"},
            "wrong-columns",
            "expected 2 columns (name, total), got 2 columns (total, name)",
        ),
        (
            "SELECT name AS who FROM customers",
            {"expected": [{"name": "Ann"}, {"name": "Bob"}, {"name": "Cy"}], "columns": "named"},
            "wrong-columns",
            "expected 1 column (name), got 1 column (who)",
        ),
        (
            "SELECT 3",
            {"expected": [[3]]},
            "constant",
            "expected a result that depends on the data, got 1 row: (3), what",
        ),
        ("SELECT name FROM customers WHERE id > 9", {}, "no-rows", "expected at least 1 row, got 0 rows"),
        (
            "SELECT sum(9e999) FROM orders",
            {"reference": "SELECT sum(total) FROM orders"},
            "wrong-rows",
            "expected 1 row",
        ),
        ("SELECT sum(-9e999) FROM orders", {"expected": [[6]]}, "wrong-rows", "expected 1 row: (6), got 1 row: (-inf)"),
        ("SELECT nme FROM customers", {"reference": BUYERS}, "error", "no such column: nme"),
        ("SELECT 1; SELECT 2", {"reference": BUYERS}, "no-query", "it is more than one statement"),
        ("DELETE FROM orders", {"reference": BUYERS}, "forbidden", "DELETE is not allowed"),
        ("x" * 100_001, {"reference": BUYERS}, "too-large", "expected at most 100,000 characters, got 100,001"),
    ],
)
def test_a_wrong_query_is_told_with_both(checker: Checker, query: str, check, reason: str, detail: str) -> None:
    ruling = rule(checker, query, **check)
    assert (ruling.state, ruling.reason) == ("wrong", reason), ruling
    assert ruling.detail.startswith(detail)


@pytest.mark.parametrize(
    ("query", "check"),
    [
        (BUYERS, {}),
        (BUYERS, {"expected": [["Bob"], ["Ann"]]}),
        ("SELECT total, name AS who FROM customers c, orders WHERE customer_id = c.id", {"reference": BY_TOTAL}),
        ("SELECT sum(total) / count(*) FROM orders", {"reference": "SELECT avg(total) FROM orders"}),
        ("SELECT round(avg(total), 1) FROM orders", {"reference": "SELECT avg(total) FROM orders", "within": 0.05}),
        # Rows that the reference's order does not tell apart; a LIMIT that cuts such rows.
        (
            "SELECT name FROM customers ORDER BY city, id DESC",
            {"reference": "SELECT name FROM customers ORDER BY city", "ordered": True},
        ),
        (
            "SELECT id FROM orders ORDER BY total DESC, id DESC LIMIT 1",
            {"reference": "SELECT id FROM orders ORDER BY total DESC LIMIT 1"},
        ),
        ("SELECT total * 9e999 FROM orders", {"reference": "SELECT 9e999 * total FROM orders"}),
        ("SELECT count(*) FROM orders -- all", {"reference": "SELECT count(id) FROM orders;"}),
    ],
)
def test_a_right_query_may_be_written_otherwise(checker: Checker, query: str, check) -> None:
    assert rule(checker, query, **check).state == "right"


def test_a_check_that_does_not_hold_says_nothing_of_the_query(checker: Checker) -> None:
    ruling = rule(checker, BUYERS, reference=BUYERS, expected=[["Ann"]])
    assert (ruling.state, ruling.reason) == ("unscored", "bad-check")
    assert ruling.detail == "the reference returns 2 rows: ('Ann'), ('Bob'), where 1 row: ('Ann') is expected"
    (ruling,) = checker.rule([Item("a", "", BUYERS, {"schema": "CREATE TABEL t (a)"})])
    assert ruling.detail == 'the schema and its rows cannot be built: near "TABEL": syntax error'
    ruling = rule(checker, BUYERS, rows={"nothing": [[1]]})
    assert ruling.detail == "the rows cannot be inserted: no such table: nothing"
    ruling = rule(checker, BUYERS, reference="SELECT random()")
    assert ruling.state == "unscored" or ruling.reason == "wrong-columns" or not ruling.passed


def test_faults_come_all_at_once() -> None:
    faults = checkers.named("sqlite").faults({"scema": "", "ordered": 1, "columns": "x"})
    assert faults == [
        "unknown key 'scema'; did you mean 'schema'?",
        "'schema' is missing: statements that make the tables, and may fill them",
        "'ordered' should be true or false, got 1",
        "'columns' should be one of any, ordered, named, got 'x'",
    ]
    faults = checkers.named("sqlite").faults(
        {"schema": "", "rows": {"t": [1]}, "expected": [[1], [1, 2]], "data": ["no"]}
    )
    assert [fault.split(" should")[0].split(" has")[0] for fault in faults] == [
        "'data'",
        "'rows.t'",
        "the rows of 'expected' differ in length: [1, 2]",
    ]
