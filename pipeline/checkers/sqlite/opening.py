"""A database in memory and the one way in which SQL of others is run on it: read-only, and within limits.

What a query cannot do is refused where SQLite compiles it (the authorizer), what it may not cost where it runs: time by
the progress handler, memory by SQLite's own heap limit, sizes by its run-time limits. The sandbox around it holds where
any of these does not.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import Any

LONGEST = 100_000
"""Characters of a query at most."""
MOST_ROWS = 10_000
"""Rows that a query may return."""
_HEAP = 128 << 20
_STEPS = 5_000
"""Virtual machine instructions between two looks at the clock."""
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 1_000_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 200,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 100,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 200,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
    sqlite3.SQLITE_LIMIT_WORKER_THREADS: 0,
}
_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE})
_NEVER = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH, sqlite3.SQLITE_PRAGMA, sqlite3.SQLITE_CREATE_VTABLE})
_REFUSED_FUNCTIONS = frozenset({"load_extension", "fts3_tokenizer", "readfile", "writefile", "edit"})


class Refused(Exception):
    """A query did not run to its end. reason: of the checker's set; the message is for a person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Database:
    """One database in memory. clock: CPU seconds so far; deadline: at which reading of it a query is stopped."""

    def __init__(self, deadline: float, clock: Callable[[], float] = time.process_time) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=0)
        self.denied = ""
        self._late = False
        for limit, most in _LIMITS.items():
            self.connection.setlimit(limit, most)
        for setting in ("foreign_keys=ON", "trusted_schema=OFF", "temp_store=MEMORY", f"hard_heap_limit={_HEAP}"):
            self.connection.execute(f"PRAGMA {setting}").fetchall()

        def look() -> int:
            self._late = clock() > deadline
            return self._late

        self.connection.set_progress_handler(look, _STEPS)

    def close(self) -> None:
        self.connection.close()

    def build(self, script: str) -> None:
        """Run statements that make tables and fill them. Raises Refused."""
        self._guarded(self._built)
        try:
            self.connection.executescript(script)
        except (sqlite3.Error, sqlite3.Warning, MemoryError) as error:
            raise self._refused(error) from None
        finally:
            self.connection.set_authorizer(None)

    def query(self, text: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Names of the columns and rows of a query. Raises Refused."""
        self._guarded(self._read)
        try:
            cursor = self.connection.execute(text)
            if cursor.description is None:
                raise Refused("no-query", "it returns no rows: it is no query")
            rows = cursor.fetchmany(MOST_ROWS + 1)
        except (sqlite3.Error, sqlite3.Warning, MemoryError, ValueError) as error:
            raise self._refused(error) from None
        finally:
            self.connection.set_authorizer(None)
        if len(rows) > MOST_ROWS:
            cursor.close()
            raise Refused("too-large", f"it returns more than {MOST_ROWS:,} rows")
        return tuple(column[0] for column in cursor.description), rows

    def _guarded(self, allowed: Callable[[int, Any], bool]) -> None:
        self.denied = ""

        def authorizer(action: int, first: Any, second: Any, database: Any, trigger: Any) -> int:
            refused = action == sqlite3.SQLITE_FUNCTION and str(second).lower() in _REFUSED_FUNCTIONS
            if refused or not allowed(action, first):
                self.denied = self.denied or str(second if refused else _ACTIONS.get(action, action))
                return sqlite3.SQLITE_DENY
            return sqlite3.SQLITE_OK

        self.connection.set_authorizer(authorizer)

    def _read(self, action: int, first: Any) -> bool:
        return action in _READS

    def _built(self, action: int, first: Any) -> bool:
        return action not in _NEVER or (action == sqlite3.SQLITE_PRAGMA and str(first).lower() == "foreign_keys")

    def _refused(self, error: BaseException) -> Refused:
        message = str(error) or type(error).__name__
        if self.denied:
            return Refused("forbidden", f"{self.denied} is not allowed")
        if self._late:
            return Refused("timeout", "it used up its CPU time")
        if isinstance(error, MemoryError) or "out of memory" in message:
            return Refused("too-large", "it used up its memory")
        if "too big" in message or "too many" in message or "too large" in message or "LIKE or GLOB" in message:
            return Refused("too-large", message)
        if isinstance(error, sqlite3.Warning) or "one statement" in message:
            return Refused("no-query", "it is more than one statement")
        return Refused("error", message)


_ACTIONS = {
    getattr(sqlite3, name): name.removeprefix("SQLITE_").replace("_", " ")
    for name in dir(sqlite3)
    if name.startswith(
        ("SQLITE_CREATE_", "SQLITE_DROP_", "SQLITE_ALTER_", "SQLITE_INSERT", "SQLITE_UPDATE", "SQLITE_DELETE")
    )
    or name in ("SQLITE_ATTACH", "SQLITE_DETACH", "SQLITE_PRAGMA", "SQLITE_TRANSACTION", "SQLITE_REINDEX")
    or name in ("SQLITE_ANALYZE", "SQLITE_SAVEPOINT")
}
"""The authorizer's action codes by number, in words."""
