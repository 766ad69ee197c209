"""Databases made from the shown one, on which a query that is right by accident is not (after the distilled test suites
of Zhong, Yu and Klein 2020, "Semantic Evaluation for Text-to-SQL").

They are valid by the schema: rows that break NOT NULL, UNIQUE, CHECK or REFERENCES are left out. So what a task takes
for granted has to stand in its schema; a column that may be NULL will be. Text is the shown data's and that of the
literals in both queries, and one text more where no value of a column comes twice, so that it is no enumeration;
numbers and days are those too, and their neighbours. All of it is drawn from `seed`.
"""

import random
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NamedTuple

Row = tuple[Any, ...]
KINDS = ("reversed", "emptied", "dropped", "new", "doubled", "nulls", "swapped", "boundaries", "ties", "renewed")
_MOST_ROWS = 60
"""Rows of a table that made data begin with."""
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(.*)", re.DOTALL)
_LITERAL = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])(\d+(?:\.\d+)?)(?![\w.])")
_FORMAT = re.compile(r"%[a-zA-Z]")


@dataclass(frozen=True, slots=True)
class Table:
    """name; columns that can be written; which of them may be NULL; which are in a key of the table; keys: (column,
    table, column) that it refers to; rows: of these columns."""

    name: str
    columns: tuple[str, ...]
    nullable: tuple[bool, ...]
    unique: tuple[bool, ...]
    refers: tuple[tuple[int, str, str], ...]
    rows: tuple[Row, ...]

    def values(self, column: int) -> list[Any]:
        """Distinct values of a column but NULL, in the order of the rows."""
        return list(dict.fromkeys(row[column] for row in self.rows if row[column] is not None))


class Made(NamedTuple):
    """name: what was done, in words. tables: with other rows than those shown."""

    name: str
    tables: tuple[Table, ...]


def definitions(connection: sqlite3.Connection) -> list[str]:
    """The statements that make the schema, but for triggers."""
    rows = connection.execute("SELECT type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
    order = ("table", "index", "view")
    return [sql for wanted in order for kind, sql in rows if kind == wanted and "sqlite_sequence" not in sql]


def read(connection: sqlite3.Connection) -> tuple[Table, ...]:
    """The tables with their rows, a table before those that refer to it where that can be."""
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid"
        )
    ]
    found = {name: _table(connection, name) for name in names}
    ordered: list[str] = []

    def put(name: str, above: tuple[str, ...] = ()) -> None:
        if name in ordered or name in above or name not in found:
            return
        for _, other, _ in found[name].refers:
            put(next((known for known in found if known.lower() == other.lower()), other), (*above, name))
        ordered.append(name)

    for name in names:
        put(name)
    return tuple(found[name] for name in ordered)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _table(connection: sqlite3.Connection, name: str) -> Table:
    info = connection.execute(f"PRAGMA table_xinfo({quoted(name)})").fetchall()
    info = [column for column in info if column[6] == 0]  # neither generated nor hidden
    columns = tuple(str(column[1]) for column in info)
    places = {column.lower(): place for place, column in enumerate(columns)}
    unique = {str(column[1]) for column in info if column[5]}
    for _, index, is_unique, *_ in connection.execute(f"PRAGMA index_list({quoted(name)})").fetchall():
        if is_unique:
            unique |= {str(row[2]) for row in connection.execute(f"PRAGMA index_info({quoted(index)})")}
    refers = []
    for _, _, other, here, there, *_ in connection.execute(f"PRAGMA foreign_key_list({quoted(name)})").fetchall():
        if str(here).lower() in places:
            refers.append((places[str(here).lower()], str(other), str(there or "")))
    rows = connection.execute(f"SELECT {', '.join(map(quoted, columns))} FROM {quoted(name)}").fetchall()
    return Table(
        name,
        columns,
        tuple(not column[3] and not column[5] for column in info),
        tuple(column in unique for column in columns),
        tuple(refers),
        tuple(rows),
    )


def fill(connection: sqlite3.Connection, tables: Sequence[Table]) -> None:
    """Insert what the schema allows of the rows; what it refuses is left out, and what refers to nothing."""
    connection.execute("BEGIN")
    connection.execute("PRAGMA defer_foreign_keys=ON")
    for table in tables:
        marks = ", ".join("?" * len(table.columns))
        names = ", ".join(map(quoted, table.columns))
        statement = f"INSERT OR IGNORE INTO {quoted(table.name)} ({names}) VALUES ({marks})"
        for row in table.rows:
            try:
                connection.execute(statement, row)
            except sqlite3.IntegrityError:
                continue
    while broken := connection.execute("PRAGMA foreign_key_check").fetchall():
        for name, rowid, *_ in broken:
            connection.execute(f"DELETE FROM {quoted(name)} WHERE rowid = ?", (rowid,))
    connection.execute("COMMIT")


class _Draw:
    """Draws values for columns. literals: of the queries."""

    def __init__(self, random: random.Random, tables: Sequence[Table], literals: Sequence[Any]) -> None:
        self.random = random
        self.tables = {table.name.lower(): table for table in tables}
        self.literals = literals
        self.pools: dict[tuple[str, int], list[Any]] = {}
        self.fresh_number = 0

    def pool(self, table: Table, column: int) -> list[Any]:
        """What a column may be drawn from: its values, literals like them, and their neighbours."""
        key = (table.name, column)
        if key not in self.pools:
            given = sum(row[column] is not None for row in table.rows)
            self.pools[key] = _pool(table.values(column), self.literals, given)
        return self.pools[key]

    def value(self, table: Table, column: int) -> Any:
        """A value for a column: of what it refers to, where it does."""
        for place, other, there in table.refers:
            if place == column and (target := self.tables.get(other.lower())) is not None:
                names = [name.lower() for name in target.columns]
                at = names.index(there.lower()) if there.lower() in names else 0
                known = target.values(at) or table.values(column)
                return self.random.choice(known) if known else None
        pool = self.pool(table, column)
        return self.random.choice(pool) if pool else None

    def fresh(self, table: Table, column: int) -> Any:
        """A value for a column of a key that no row has."""
        if any(place == column for place, _, _ in table.refers):
            return self.value(table, column)
        known = table.values(column)
        self.fresh_number += 1
        if known and all(isinstance(value, int) for value in known):
            return max(known) + self.fresh_number
        if known and all(isinstance(value, str) and _DATE.fullmatch(value) for value in known):
            return _moved(str(max(known)), self.fresh_number)
        sample = self.random.choice(known) if known else ""
        return f"{sample}{self.fresh_number}" if isinstance(sample, str) else self.fresh_number

    def row(self, table: Table, like: Row | None = None) -> Row:
        """A new row, or a copy of one under a key of its own."""
        places = range(len(table.columns))
        if like is not None:
            return tuple(self.fresh(table, place) if table.unique[place] else like[place] for place in places)
        return tuple(self.fresh(table, p) if table.unique[p] else self.value(table, p) for p in places)

    def some(self, share: float) -> bool:
        return self.random.random() < share


def literals(*queries: str) -> list[Any]:
    """Numbers and texts that stand in queries, patterns of LIKE as texts that they match."""
    found: dict[Any, None] = {}
    for text, number in _LITERAL.findall("\n".join(queries)):
        if number:
            found[float(number) if "." in number else int(number)] = None
        elif not _FORMAT.search(text) or "%" in text.strip("%"):
            plain = text.replace("''", "'")
            found[plain.replace("%", "").replace("_", "a")] = None
            if "%" in plain:
                found[plain.replace("%", "x").replace("_", "b")] = None
    return list(found)


def _pool(known: list[Any], literals: Sequence[Any], given: int) -> list[Any]:
    """given: how many rows have a value; 0 for no neighbours but the literals'. Text is invented only where no value
    comes twice: others may be all there are."""
    if not known:
        return []
    if all(isinstance(value, int | float) for value in known):
        if set(known) <= {0, 1}:
            return [0, 1]
        near = [value for value in literals if isinstance(value, int | float)]
        whole = all(isinstance(value, int) for value in known)
        steps: tuple[float, ...] = (-1, 0, 1) if whole else (-1, -0.01, 0, 0.01, 1)
        numbers = [value + step for value in [*near, *(known[:10] if given else ())] for step in steps] + [0, 1]
        if whole:
            numbers = [int(value) for value in numbers if value == int(value)]
        lowest = min([0, *known, *near])
        return list(dict.fromkeys([*known, *(round(n, 6) for n in numbers if n >= lowest)]))
    texts = [value for value in literals if isinstance(value, str)]
    if all(isinstance(value, str) and _DATE.fullmatch(value) for value in known):
        rest = _DATE.fullmatch(str(known[0]))
        suffix = rest[4] if rest else ""
        days = [text[:10] for text in texts if _DATE.fullmatch(text)]
        days += [f"{text}-01" for text in texts if re.fullmatch(r"\d{4}-\d\d", text)]
        days += [f"{n}-{day}" for n in literals for day in ("01-01", "12-31") if _is_year(n)]
        beside = [_moved(day + suffix, step) for day in days for step in (-1, 0, 1)]
        beside += [_moved(str(value), step) for value in known[:10] if given for step in (-1, 31)]
        return list(dict.fromkeys([*known, *beside]))
    if any(isinstance(value, bytes) for value in known):
        return list(known)
    invented = [f"{known[0]}{known[-1]}"] if 2 < given == len(known) else []
    return list(dict.fromkeys([*known, *texts, *invented]))


def _is_year(value: Any) -> bool:
    return re.fullmatch(r"(19|20)\d\d", str(value)) is not None


def _moved(text: str, days: int) -> str:
    found = _DATE.fullmatch(text)
    try:
        assert found is not None
        moved = date(int(found[1]), int(found[2]), int(found[3])) + timedelta(days=days)
    except (ValueError, OverflowError, AssertionError):
        return text
    return moved.isoformat() + found[4]


def made(tables: Sequence[Table], queries: Sequence[str], seed: str, kinds: Sequence[str]) -> Iterator[Made]:
    """The databases, the cheapest first."""
    whole = tuple(tables)
    small = tuple(replace(table, rows=table.rows[:_MOST_ROWS]) for table in tables)
    found = literals(*queries)

    def draw(name: str) -> _Draw:
        return _Draw(random.Random(f"{seed} {name}"), small, found)

    if "reversed" in kinds:
        yield Made("the same rows stored in reverse", tuple(replace(t, rows=t.rows[::-1]) for t in whole))
    if "emptied" in kinds:
        for empty in small[:5]:
            yield Made(f"{empty.name} emptied", tuple(replace(t, rows=()) if t is empty else t for t in small))
        yield Made("all tables empty", tuple(replace(t, rows=()) for t in small))
    for kind, change, times in _CHANGES:
        if kind in kinds:
            for number in range(times):
                yield Made(_WORDS[kind], _changed(small, change, draw(f"{kind} {number} {change.__name__}")))


Change = Callable[[Table, _Draw], Sequence[Row]]


def _changed(tables: Sequence[Table], change: Change, draw: _Draw) -> tuple[Table, ...]:
    """Each table changed, in turn: a table that refers to others is drawn after them and from what they are now."""
    done = []
    for table in tables:
        changed = replace(table, rows=tuple(change(table, draw)))
        draw.tables[table.name.lower()] = changed
        done.append(changed)
    return tuple(done)


def _dropped(table: Table, draw: _Draw) -> Sequence[Row]:
    return [row for row in table.rows if draw.some(0.6)]


def _doubled(table: Table, draw: _Draw) -> Sequence[Row]:
    return [*table.rows, *(draw.row(table, row) for row in table.rows)]


def _new(table: Table, draw: _Draw) -> Sequence[Row]:
    """Further rows beside the old ones: many of them are referred to by nothing."""
    return [*table.rows, *(draw.row(table) for _ in range(max(4, min(len(table.rows), 12))))] if table.rows else ()


def _renewed(table: Table, draw: _Draw) -> Sequence[Row]:
    """Every column drawn anew but those of keys."""
    free = [not unique for unique in table.unique]
    return [
        tuple(draw.value(table, p) if free[p] and draw.some(0.8) else row[p] for p in range(len(row)))
        for row in table.rows
    ]


def _nulls(table: Table, draw: _Draw, share: float = 0.3) -> Sequence[Row]:
    return [
        tuple(None if table.nullable[p] and draw.some(share) else value for p, value in enumerate(row))
        for row in table.rows
    ]


def _mostly_nulls(table: Table, draw: _Draw) -> Sequence[Row]:
    return _nulls(table, draw, 0.75)


def _swapped(table: Table, draw: _Draw) -> Sequence[Row]:
    columns = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    for place, values in enumerate(columns):
        if not table.unique[place]:
            draw.random.shuffle(values)
    return list(zip(*columns, strict=True))


def _boundaries(table: Table, draw: _Draw) -> Sequence[Row]:
    """Values beside the literals of the queries, in every other place."""
    rows = []
    for row in table.rows:
        values = list(row)
        for place, value in enumerate(row):
            refers = any(place == here for here, _, _ in table.refers)
            if not table.unique[place] and not refers and draw.some(0.5):
                known = table.values(place)
                news = [other for other in _pool(known, draw.literals, 0) if other not in known]
                values[place] = draw.random.choice(news) if news else value
        rows.append(tuple(values))
    return rows


def _ties(table: Table, draw: _Draw) -> Sequence[Row]:
    """Two values a column."""
    pools = [draw.random.sample(values, min(2, len(values))) for values in map(table.values, range(len(table.columns)))]
    return [
        tuple(
            value if table.unique[place] or not pools[place] else draw.random.choice(pools[place])
            for place, value in enumerate(row)
        )
        for row in table.rows
    ]


_CHANGES: tuple[tuple[str, Change, int], ...] = (
    ("dropped", _dropped, 2),
    ("new", _new, 3),
    ("doubled", _doubled, 1),
    ("nulls", _nulls, 2),
    ("nulls", _mostly_nulls, 1),
    ("swapped", _swapped, 2),
    ("boundaries", _boundaries, 3),
    ("ties", _ties, 2),
    ("renewed", _renewed, 2),
)
_WORDS = {
    "dropped": "some rows dropped",
    "new": "new rows added",
    "doubled": "rows doubled under other keys",
    "nulls": "some values NULL",
    "swapped": "values swapped between rows",
    "boundaries": "values beside those in the queries",
    "ties": "few values, many times each",
    "renewed": "other values in every row",
}
