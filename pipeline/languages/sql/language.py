"""SQL as a `Language`. sqlglot parses it, in SQLite's dialect; where that fails a text is its tokens."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from pipeline.languages.base import LONGEST, Found, Missing, Stop, chosen_block, digest, lines_outside
from pipeline.languages.fences import Block

if TYPE_CHECKING:
    from sqlglot import exp

_QUERY = re.compile(r"\s*(?:(?:--[^\n]*\n|/\*.*?\*/)\s*)*\(?\s*(?:select|with|values)\b", re.IGNORECASE | re.DOTALL)
_STARTS = re.compile(r"\s*(?:select|with|values)\b[^.]*$", re.IGNORECASE)
_TOKENS = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\s+|\w+(?:\.\d+)?|<>|[<>!=]=|\|\||.", re.DOTALL
)
_QUOTED = ("'", '"', "--", "/*")
_SPACE = (" ", "\t", "\n", "\r")
_ENDS = re.compile(
    r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*(?:\n|\Z)|/\*.*?(?:\*/|\Z)|['\"]|;|\n[ \t]*\n|\n?```", re.DOTALL
)
_TAGS = """
sql sqlite sqlite3 mysql mariadb postgres postgresql pgsql psql plsql plpgsql tsql duckdb bigquery ansi-sql
"""


class Sql:
    """Queries and scripts."""

    name = "sql"
    tags = frozenset(_TAGS.split())
    stop_strings = (";", "\n\n", "\n```")
    min_alphanumeric = 0.15

    def holds(self, block: Block) -> bool:
        return block.tag in self.tags or (block.tag in ("", "text", "code") and bool(_QUERY.match(block.code)))

    def solution(self, answer: str) -> Found | Missing:
        """The first block that is a query, or the first block of SQL at all, or the query that stands in no block."""
        query, text = chosen_block(answer, lambda block: self.holds(block) and bool(_QUERY.match(block.code)), "SQL")
        if isinstance(query, Found) or query.reason != "no-code":
            return query
        other, _ = chosen_block(answer, self.holds, "SQL")
        if isinstance(other, Found) or other.reason != "no-code":
            return other
        lines = lines_outside(text)
        start = next((number for number, line in enumerate(lines) if _STARTS.match(line)), None)
        if start is None:
            return query
        rest = "\n".join(lines[start:])
        place = self.stop("")(rest + "\n\n")
        return Found(rest[:place].strip() + "\n")

    def flaw(self, text: str) -> str:
        """What sqlglot says: it knows nearly all of SQLite, and SQLite's own word is the checker's."""
        import sqlglot

        if len(text) > LONGEST:
            return f"{len(text):,} characters > {LONGEST:,}"
        try:
            found = [tree for tree in sqlglot.parse(text, dialect="sqlite") if tree is not None]
        except sqlglot.errors.ParseError as error:
            first = error.errors[0] if error.errors else {}
            return f"line {first.get('line', 1)}: {' '.join(str(first.get('description', error)).split())[:200]}"
        except sqlglot.errors.SqlglotError as error:
            return " ".join(str(error).split())[:200]
        except (RecursionError, ValueError):
            return "it is nested too deeply"
        if not found:
            return "there is no statement"
        alone = next((tree for tree in found if isinstance(tree, sqlglot.exp.Condition | sqlglot.exp.Alias)), None)
        return f"{alone.sql(dialect='sqlite')[:60]!r} is no statement" if alone is not None else ""

    def normal_form(self, text: str, *, constants: bool = True) -> bytes:
        trees = _parsed(text)
        if trees is None:
            return digest(token if constants else _kind(token) for token in _tokens(text))
        try:
            return digest(part for tree in trees for part in _written(tree, constants))
        except RecursionError:
            return b""

    def shape(self, text: str) -> tuple[str, ...]:
        trees = _parsed(text)
        if trees is None:
            return tuple(map(_kind, _tokens(text)))
        from sqlglot import exp

        return tuple(
            type(node).__name__
            for tree in trees
            for node in tree.walk(bfs=False)
            if not isinstance(node, exp.Identifier)
        )

    def bare(self, text: str) -> list[tuple[int, int]]:
        """All but literals of text, quoted names and comments."""
        if self.flaw(text):
            return []
        return [found.span() for found in _TOKENS.finditer(text) if not found[0].startswith(_QUOTED + _SPACE)]

    def stop(self, prompt: str) -> Stop:
        """After the first `;` outside of strings and comments, or before a blank line or a fence."""

        def stop(text: str) -> int | None:
            at = len(text) - len(text.lstrip())
            for found in _ENDS.finditer(text, at):
                if found[0] == ";":
                    return found.end()
                if found[0] in ("'", '"'):
                    return None  # a string that is still open
                if found[0].endswith("```") or not found[0].strip():
                    return found.start()
            return None

        return stop


@lru_cache(maxsize=64)
def _parsed(text: str) -> "tuple[exp.Expr, ...] | None":
    """The statements; None for a text that is too long, or that sqlglot does not read."""
    import sqlglot

    if len(text) > LONGEST:
        return None
    try:
        trees = sqlglot.parse(text, dialect="sqlite")
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError):
        return None
    return tuple(tree for tree in trees if tree is not None) or None


def _written(tree: "exp.Expr", constants: bool) -> Iterator[str]:
    """The tree in pre-order: kinds of nodes, names and literals. Names that the text gives are numbered as they come;
    letters' case tells no names apart."""
    from sqlglot import exp

    names = [
        name
        for alias in tree.find_all(exp.TableAlias, exp.Alias)
        for name in [alias.args.get("alias"), alias.args.get("this"), *(alias.args.get("columns") or ())]
    ]
    given = {name.name.lower() for name in names if isinstance(name, exp.Identifier)}
    numbers: dict[str, str] = {}
    for node in tree.walk(bfs=False):
        if isinstance(node, exp.Identifier):
            name = node.name.lower()
            yield numbers.setdefault(name, f"\x01{len(numbers)}") if name in given else name
        elif isinstance(node, exp.Literal):
            yield repr((node.is_string, node.this)) if constants else "K"
        elif isinstance(node, exp.Anonymous):
            yield f"{node.this}".lower()
        elif isinstance(node, exp.Paren):
            continue
        else:
            flags = [
                f"{key}={value}" for key, value in sorted(node.args.items()) if isinstance(value, str | bool) and value
            ]
            yield type(node).__name__ + ",".join(flags)


def _tokens(text: str) -> list[str]:
    found = (token for token in _TOKENS.findall(text[:LONGEST]))
    return [
        token if token[0] in "'\"" else token.lower()
        for token in found
        if not token.isspace() and token[:2] not in ("--", "/*")
    ]


_KEYWORDS = """
select from where group by having order limit offset join left right inner outer full cross on using union all
intersect except with recursive as and or not in is null like glob between exists case when then else end distinct
over partition rows range asc desc values cast count sum avg min max
"""
_WORDS = frozenset(_KEYWORDS.split())


def _kind(token: str) -> str:
    if token in _WORDS or not (token[0].isalnum() or token[0] in "_'\""):
        return token
    return "literal" if token[0] == "'" or token[0].isdigit() else "name"
