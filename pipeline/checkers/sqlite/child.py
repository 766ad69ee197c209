"""In the sandbox: the reference and the answer on the shown data and on data made from it; the first difference."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pipeline.checkers.sqlite import databases
from pipeline.checkers.sqlite.comparing import Pair, Result, Rules, same, worded
from pipeline.checkers.sqlite.opening import Database, Refused

Answer = dict[str, Any]
"""`fault`: why the check does not hold; or `reason` ("" for right), `expected`, `found` and `where`."""


@dataclass(frozen=True, slots=True)
class _Task:
    """One item. keyed: of the reference, see `languages.sql.order`, as a mapping."""

    query: str
    reference: str
    keyed: dict[str, Any] | None
    rules: Rules


class _Broken(Exception):
    """The check does not hold."""


class _Undecided(Exception):
    """On these data the reference itself has no one answer, or none."""


def answer(
    script: str,
    rows: dict[str, list[Any]],
    query: str,
    reference: str,
    keyed: dict[str, Any] | None,
    expected: list[list[Any]] | None,
    rules: dict[str, Any],
    kinds: Sequence[str],
    seconds: float,
) -> Answer:
    """Judge one item. script, rows: of the shown data. reference: "" for none. seconds: of CPU time for all of it."""
    task = _Task(query, reference, keyed, Rules(**rules))
    deadline = time.process_time() + seconds
    try:
        shown = _opened(deadline, lambda database: _build(database, script, rows))
        try:
            return _judged(task, shown, expected, kinds, deadline)
        finally:
            shown.close()
    except _Broken as broken:
        return {"fault": str(broken)}


def _judged(task: _Task, shown: Database, expected: Any, kinds: Sequence[str], deadline: float) -> Answer:
    pairs: list[Pair] = []
    wanted = None
    if task.reference:
        wanted = _plain(task, shown, "the reference")
        if expected is not None and not same([(_listed(expected, wanted), wanted)], task.rules):
            raise _Broken(f"the reference returns {worded(wanted)}, where {_told(expected)} is expected")
    try:
        found = _found(task, shown)
    except Refused as refused:
        return _wrong(refused.reason, "", str(refused))
    if wanted is None and expected is not None:
        wanted = _listed(expected, found)
    if wanted is None and not found.rows:
        return _wrong("no-rows", "at least 1 row", "0 rows")
    if wanted is not None:
        try:
            pairs.append((_grouped(task, shown, wanted), found))
        except _Undecided:
            pass
        else:
            reason = _difference(pairs[0], task.rules)
            if reason:
                return _wrong(reason, *_worded(pairs[0], reason))
    return _on_others(task, shown, pairs, found, kinds, deadline)


def _on_others(
    task: _Task, shown: Database, pairs: list[Pair], first: Result, kinds: Sequence[str], deadline: float
) -> Answer:
    """On the data made from the shown."""
    shown.connection.set_progress_handler(None, 0)
    statements = ";\n".join(databases.definitions(shown.connection))
    tables = databases.read(shown.connection)
    seed = f"{statements}\n{task.reference}"
    names = [""] * len(pairs)
    differs = False
    for name, changed in databases.made(tables, (task.reference, task.query), seed, kinds):
        database = _opened(deadline, lambda one, rows=changed: _copy(one, statements, rows))  # type: ignore[misc]
        try:
            wanted = _decided(task, database) if task.reference else None
            found = _found(task, database)
        except _Undecided:
            continue
        except Refused as refused:
            if wanted is None:
                continue
            return _wrong(refused.reason, worded(wanted), str(refused), f"with {name}")
        finally:
            database.close()
        differs = differs or not same([(first, found)], Rules())
        if wanted is not None:
            pairs.append((wanted, found))
            names.append(name)
    if task.reference and not pairs:
        raise _Broken("the reference's result depends on the order in which rows are stored, or fails, on all data")
    if not task.reference and tables and kinds and not differs:
        return _wrong("constant", "a result that depends on the data", f"{worded(first)}, whatever the data")
    if not pairs or same(pairs, task.rules):
        return {"reason": "", "databases": len(names)}
    at = next(n for n in range(len(pairs)) if not same(pairs[: n + 1], task.rules))
    reason = "wrong-on-other-data" if names[at] else _difference(pairs[at], task.rules) or "wrong-rows"
    return _wrong(reason, *_worded(pairs[at], reason), f"with {names[at]}" if names[at] else "")


def _opened(deadline: float, build: Callable[[Database], None]) -> Database:
    database = Database(deadline)
    try:
        build(database)
    except BaseException:
        database.close()
        raise
    return database


def _build(database: Database, script: str, rows: dict[str, list[Any]]) -> None:
    try:
        database.build(script)
        for table, lines in rows.items():
            for line in lines:
                names = f" ({', '.join(map(databases.quoted, line))})" if isinstance(line, dict) else ""
                values = list(line.values() if isinstance(line, dict) else line)
                marks = ", ".join("?" * len(values))
                database.connection.execute(f"INSERT INTO {databases.quoted(table)}{names} VALUES ({marks})", values)
    except Refused as refused:
        raise _Broken(f"the schema and its rows cannot be built: {refused}") from None
    except Exception as error:
        raise _Broken(f"the rows cannot be inserted: {error}") from None


def _copy(database: Database, statements: str, tables: Sequence[databases.Table]) -> None:
    database.build(statements)
    databases.fill(database.connection, tables)


def _plain(task: _Task, database: Database, who: str) -> Result:
    try:
        return Result(*database.query(task.reference))
    except Refused as refused:
        raise _Broken(f"{who} does not run: {refused}") from None


def _found(task: _Task, database: Database) -> Result:
    return Result(*database.query(task.query))


def _decided(task: _Task, database: Database) -> Result:
    """The reference's result. Raises _Undecided where it fails, or depends on the order in which rows are stored."""
    try:
        wanted = Result(*database.query(task.reference))
    except Refused:
        raise _Undecided from None
    return _grouped(task, database, wanted)


def _grouped(task: _Task, database: Database, wanted: Result) -> Result:
    """`wanted`, with the runs of rows that the reference's order does not tell apart."""
    if not task.reference:
        return wanted
    wanted = _runs(task, database, wanted)
    database.connection.execute("PRAGMA reverse_unordered_selects=ON")
    try:
        again = Result(*database.query(task.reference))
    except Refused:
        raise _Undecided from None
    finally:
        database.connection.execute("PRAGMA reverse_unordered_selects=OFF")
    if not same([(wanted, again)], Rules(task.rules.ordered and bool(wanted.groups), "ordered", task.rules.within)):
        raise _Undecided
    return wanted


def _runs(task: _Task, database: Database, wanted: Result) -> Result:
    if task.keyed is None:
        return wanted
    try:
        _, rows = database.query(task.keyed["query"])
    except Refused:
        return wanted
    width = len(wanted.names)
    start = task.keyed["offset"]
    stop = len(rows) if task.keyed["limit"] is None else start + task.keyed["limit"]
    if [row[:width] for row in rows[start:stop]] != wanted.rows or (
        rows and len(rows[0]) != width + task.keyed["extra"]
    ):
        return wanted
    keys = [tuple(row[key] for key in task.keyed["keys"]) for row in rows]
    for edge in (start, stop):
        if 0 < edge < len(rows) and keys[edge - 1] == keys[edge] and rows[edge - 1] != rows[edge]:
            raise _Undecided
    return Result(wanted.names, wanted.rows, tuple(len(list(run)) for _, run in groupby(keys[start:stop])))


def _listed(expected: list[list[Any]], like: Result) -> Result:
    """Expected rows as a result; rows that are tables bring the names of their columns."""
    if expected and isinstance(expected[0], dict):
        names = tuple(expected[0])
        return Result(names, [tuple(row.get(name) for name in names) for row in expected])
    rows = [tuple(row) for row in expected]
    width = len(rows[0]) if rows else len(like.names)
    return Result(like.names if width == len(like.names) else ("",) * width, rows)


def _told(expected: list[list[Any]]) -> str:
    return worded(_listed(expected, Result((), [])))


def _difference(pair: Pair, rules: Rules) -> str:
    """The reason for which a result is not the wanted one; "" where it is."""
    if same([pair], rules):
        return ""
    wanted, found = pair
    if len(wanted.names) != len(found.names):
        return "wrong-columns"
    if rules.columns != "any" and same([pair], Rules(rules.ordered, "any", rules.within)):
        return "wrong-columns"
    if rules.ordered and same([pair], Rules(False, rules.columns, rules.within)):
        return "wrong-order"
    return "wrong-rows"


def _worded(pair: Pair, reason: str) -> tuple[str, str]:
    wanted, found = pair
    if reason == "wrong-columns":
        return _columns(wanted), _columns(found)
    one, other = worded(wanted), worded(found)
    if one == other:
        one, other = worded(wanted, 50), worded(found, 50)
    return one, other


def _columns(result: Result) -> str:
    return f"{len(result.names)} column{'' if len(result.names) == 1 else 's'} ({', '.join(result.names)})"


def _wrong(reason: str, expected: str, found: str, where: str = "") -> Answer:
    return {"reason": reason, "expected": expected, "found": found, "where": where}
