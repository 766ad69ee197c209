"""`sqlite`: a query's result on the shown data, and on data made from it."""

from typing import Any

from pipeline.checkers.protocol import (
    BAD_CHECK,
    BAD_CHECK_MEANS,
    Blind,
    Check,
    Item,
    Kind,
    Means,
    Ruling,
    Terms,
)
from pipeline.checkers.running import Executing, Work, calling, oversize, ruled
from pipeline.checkers.shapes import Key, malformed
from pipeline.checkers.sqlite.databases import KINDS
from pipeline.checkers.sqlite.opening import LONGEST
from pipeline.languages.sql.order import keyed
from pipeline.sandbox import Limits, Program, Sandbox

_KEYS = {
    "schema": Key(str, "statements that make the tables, and may fill them", required=True),
    "rows": Key(dict, "rows by table, each a list in the order of its columns, or a table by column"),
    "reference": Key(str, "a right query; without one the answer is judged on the shown data alone"),
    "expected": Key(list, "the rows that a right query returns on the shown data, each a list, or a table by column"),
    "ordered": Key(bool, "whether the order of rows counts; rows that the reference's ORDER BY ties may swap"),
    "columns": Key(
        str, "what counts of the columns: nothing, their order, or their names", one_of=("any", "ordered", "named")
    ),
    "within": Key(float, "how far apart two numbers may be; floats may differ in the eighth digit anyway"),
    "data": Key(list, f"how data are made from the shown: of {', '.join(KINDS)}; all if left out, none if empty"),
}
_REASONS = {
    "wrong-rows": "the rows are not those of a right query",
    "wrong-order": "the rows are right and their order is not",
    "wrong-columns": "the number, the order or the names of the columns are not what the task fixes",
    "wrong-on-other-data": "it is right on the shown data and not on data made from it",
    "constant": "it returns the same whatever the data",
    "no-rows": "it returns no row, where nothing else is known of a right query",
    "error": "the query is refused by SQLite",
    "no-query": "it is not one query that returns rows",
    "forbidden": "it does what no query may: write, attach, load, set",
    "too-large": "the query, a value, its memory or its rows are over a limit",
    "timeout": "it used up its CPU time",
    BAD_CHECK: BAD_CHECK_MEANS,
}
_MODULE = "pipeline.checkers.sqlite.child"


def _faults(check: Check) -> list[str]:
    faults = malformed(check, _KEYS)
    if faults:
        return faults
    kinds = check.get("data", KINDS)
    faults += [f"'data' has {kind!r}; known are {', '.join(KINDS)}" for kind in _list(kinds) if kind not in KINDS]
    for table, rows in _dict(check.get("rows", {})).items():
        if not isinstance(rows, list) or not all(isinstance(row, list | dict) for row in rows):
            faults.append(f"'rows.{table}' should be a list of rows, each a list or a table")
        elif not all(map(_plain, rows)):
            faults.append(f"'rows.{table}' has a value that is no text, number, true, false or null")
    expected = _list(check.get("expected", []))
    if not all(isinstance(row, list | dict) for row in expected):
        faults.append("'expected' should be a list of rows, each a list or a table")
    elif not all(map(_plain, expected)):
        faults.append("'expected' has a value that is no text, number, true, false or null")
    elif len({len(row) for row in expected}) > 1:
        faults.append(f"the rows of 'expected' differ in length: {sorted({len(row) for row in expected})}")
    if (
        check.get("columns") == "named"
        and not check.get("reference")
        and not all(isinstance(r, dict) for r in expected)
    ):
        faults.append("'columns' = \"named\" needs a reference, or rows of 'expected' that name their columns")
    return faults


def _list(value: Any) -> list[Any]:
    return list(value)


def _dict(value: Any) -> dict[str, Any]:
    return dict(value)


def _plain(row: Any) -> bool:
    values = row.values() if isinstance(row, dict) else row
    return all(value is None or isinstance(value, str | int | float) for value in values)


def _program(seconds: float, item: Item) -> Program | Ruling:
    check = item.check
    if len(item.solution) > LONGEST:
        return oversize(item, item.solution, LONGEST)
    reference = str(check.get("reference", ""))
    order = keyed(reference) if reference else None
    rules = {
        "ordered": check.get("ordered", False),
        "columns": check.get("columns", "any"),
        "within": check.get("within", 0.0),
    }
    return calling(
        item,
        _MODULE,
        script=check["schema"],
        rows=check.get("rows", {}),
        query=item.solution,
        reference=reference,
        keyed=order._asdict() if order else None,
        expected=check.get("expected"),
        rules=rules,
        kinds=check.get("data", list(KINDS)),
        seconds=seconds,
    )


def _make(terms: Terms, means: Means) -> Executing:
    limits = Limits(cpu_seconds=terms.cpu_seconds + 1.0, memory_mb=terms.memory_mb)
    sandbox = Sandbox(limits, workers=means.workers, mode=means.mode, modules=(_MODULE,))
    return Executing(KIND.name, Work(_faults, lambda item: _program(terms.cpu_seconds, item), ruled), sandbox)


def _alone(check: Check, solution: str) -> Check:
    """Some row, and another result on other data."""
    return {key: value for key, value in check.items() if key not in ("expected", "reference")}


def _against(check: Check, solution: str) -> Check:
    return {**_alone(check, solution), "reference": solution}


KIND = Kind(
    name="sqlite",
    language="sql",
    version=2,
    what="a query's result on the shown data, and on data made from it",
    reasons=_REASONS,
    keys={name: key.meaning for name, key in _KEYS.items()},
    faults=_faults,
    make=_make,
    blind=Blind(_alone, _against),
)
