"""Solutions that try to get out, to write, or to take more than they may: all refused in time, and nothing is left."""

from pathlib import Path

import pytest

from pipeline import checkers
from pipeline.checkers.protocol import Item, Means, Terms

SCHEMA = "CREATE TABLE t (a INTEGER, b TEXT); INSERT INTO t VALUES (1, 'x'), (2, 'y');"
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) "
SQL = {
    "ATTACH '{place}' AS other": {"forbidden"},
    "ATTACH ':memory:' AS other; SELECT 1": {"forbidden", "no-query"},
    "SELECT load_extension('{place}')": {"forbidden"},
    "VACUUM INTO '{place}'": {"forbidden"},
    "SELECT writefile('{place}', 'x')": {"error", "forbidden"},
    "SELECT readfile('/etc/passwd')": {"error", "forbidden"},
    "PRAGMA writable_schema = ON": {"forbidden"},
    "PRAGMA journal_mode = WAL": {"forbidden"},
    "SELECT * FROM pragma_database_list": {"forbidden", "wrong-columns", "constant"},
    "INSERT INTO t VALUES (3, 'z') RETURNING a": {"forbidden"},
    "UPDATE t SET a = 0": {"forbidden"},
    "DROP TABLE t": {"forbidden"},
    "CREATE TEMP TABLE u AS SELECT 1": {"forbidden"},
    "CREATE VIRTUAL TABLE u USING fts5(a)": {"forbidden", "error"},
    "BEGIN EXCLUSIVE": {"forbidden"},
    "PRAGMA query_only = OFF": {"forbidden"},
    "PRAGMA temp_store_directory = '{place}'": {"forbidden"},
    "DETACH main": {"forbidden"},
    "ALTER TABLE t RENAME TO u": {"forbidden"},
    "REPLACE INTO t VALUES (1, 'z')": {"forbidden"},
    "WITH x AS (SELECT 1) DELETE FROM t RETURNING a": {"forbidden"},
    "CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1; END": {"forbidden"},
    "SELECT fts3_tokenizer('x', x'0102030405060708')": {"forbidden", "error"},
    "SELECT t.a FROM t; ATTACH '{place}' AS other": {"no-query", "forbidden"},
    "SELECT randomblob(2000000000)": {"too-large"},
    "SELECT zeroblob(1 << 40)": {"too-large"},
    "SELECT printf('%.*c', 2000000000, 'x')": {"too-large", "timeout"},
    f"{ENDLESS}SELECT count(*) FROM c": {"timeout"},
    f"{ENDLESS}SELECT n FROM c": {"too-large"},
    f"{ENDLESS}SELECT group_concat(hex(zeroblob(100000))) FROM c": {"timeout", "too-large"},
    f"{ENDLESS}SELECT n FROM c ORDER BY randomblob(1000)": {"timeout", "too-large"},
    "SELECT 1 WHERE '" + "a" * 50_000 + "' LIKE '" + "%a" * 99 + "b'": {
        "timeout",
        "too-large",
        "wrong-rows",
        "wrong-columns",
    },
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000: {"error", "too-large"},
    "SELECT 1" + " UNION ALL SELECT 1" * 5_000: {"too-large", "error"},
    "SELECT '" + "x" * 10_000_000 + "'": {"too-large"},
}
REGEX = {
    "(?{ open('x', 'w') })": {"error"},
    "(?C1)a": {"error"},
    "(?R)?a": {"error"},
    "(*FAIL)a|(*ACCEPT)": {"error"},
    "(?#" + "a" * 1_000_000 + ")": {"too-large"},
    "a" * 10_000_000: {"too-large"},
    "(" * 2_400 + ")" * 2_400: {"error", "no-match"},
    "(?:" * 1_200 + "a" + "){1,9}" * 200: {"error", "timeout", "no-match"},
    "a{65535}{65535}": {"error"},
    "(?:a{60000}){60000}": {"no-match", "timeout", "too-large"},
    "(?:(?:(?:a{1,999}){1,999}){1,999}){1,999}b": {"no-match", "timeout", "too-large", "over-match"},
    "(a{99999999999999999999})": {"error"},
    "(.+)*\\1{40}x": {"no-match", "timeout"},
}


@pytest.mark.parametrize("name", ["sqlite", "regex"])
def test_nothing_gets_out_and_nothing_hangs(name: str, tmp_path: Path) -> None:
    place = tmp_path / "left.db"
    sets = {"sqlite": SQL, "regex": REGEX}
    check = (
        {"schema": SCHEMA, "reference": "SELECT a FROM t"}
        if name == "sqlite"
        else {"match": ["ab", "b"], "no_match": ["c", ""], "reference": "a*b"}
    )
    solutions = [text.replace("{place}", str(place)) for text in sets[name]]
    kind = checkers.named(name)
    terms = Terms(cpu_seconds=0.3, memory_mb=256)
    rulings = list(kind.make(terms, Means()).rule(Item(s, "", s, check) for s in solutions))
    unexpected = [
        (ruling.id[:60], ruling.state, ruling.reason, ruling.detail[:80])
        for ruling, reasons in zip(rulings, sets[name].values(), strict=True)
        if ruling.state != "wrong" or ruling.reason not in reasons
    ]
    assert unexpected == []
    assert {ruling.reason for ruling in rulings} <= set(kind.reasons)
    assert list(tmp_path.iterdir()) == []
    assert len(SQL) + len(REGEX) >= 40
