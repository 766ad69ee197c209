"""What a query orders its rows by, as columns of its result."""

from functools import lru_cache
from typing import NamedTuple


class Keyed(NamedTuple):
    """A query that shows its order.

    query: the query without its LIMIT, with `extra` further columns at the end. keys: numbers of the columns that it is
    ordered by, those from -extra on counted from the end. offset, limit: of the LIMIT taken off; None for none.
    """

    query: str
    extra: int
    keys: tuple[int, ...]
    offset: int
    limit: int | None


@lru_cache(maxsize=256)
def keyed(query: str) -> Keyed | None:
    """None where the query has no ORDER BY, or one whose terms are not plain expressions of it."""
    import sqlglot
    from sqlglot import exp

    try:
        tree = sqlglot.parse_one(query, dialect="sqlite")
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError):
        return None
    order = tree.args.get("order")
    if order is None or not isinstance(tree, exp.Select | exp.SetOperation):
        return None
    plain = isinstance(tree, exp.Select) and not tree.args.get("distinct")
    try:
        limit, offset = _number(tree.args.get("limit")), _number(tree.args.get("offset"))
    except ValueError:
        return None
    names = [expression.alias_or_name.lower() for expression in tree.selects]
    starred = any(expression.is_star for expression in tree.selects)
    keys: list[int] = []
    extra: list[exp.Expression] = []
    for term in order.expressions:
        wanted = term.this
        if isinstance(wanted, exp.Collate):
            return None
        if isinstance(wanted, exp.Literal) and not wanted.is_string:
            keys.append(int(wanted.this) - 1)
        elif isinstance(wanted, exp.Column) and not wanted.table and wanted.name.lower() in names and not starred:
            keys.append(names.index(wanted.name.lower()))
        elif plain:
            keys.append(-len(order.expressions) + len(extra))
            extra.append(wanted.copy())
        else:
            return None
    keys = [key + len(order.expressions) - len(extra) if key < 0 else key for key in keys]
    tree.set("limit", None)
    tree.set("offset", None)
    if isinstance(tree, exp.Select):
        for number, wanted in enumerate(extra):
            tree = tree.select(exp.alias_(wanted, f"order_key_{number}"), copy=False)
    return Keyed(tree.sql(dialect="sqlite"), len(extra), tuple(keys), offset or 0, limit)


def _number(clause: object) -> int | None:
    """The whole number of a LIMIT or OFFSET; None for no clause. Raises ValueError for what is no literal."""
    if clause is None:
        return None
    value = getattr(clause, "expression", None)
    if value is None or not value.is_int:
        raise ValueError
    return int(value.this)
