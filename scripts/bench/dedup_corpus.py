"""Real functions from the installed packages and the standard library, with duplicates planted among them.

The planted changes are a ladder of edits (words replaced, lines dropped or doubled, at a given rate) and the changes
that leave the program the same (new names, new comments, new docstring). All randomness is from one seed.
"""

import ast
import random
import re
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WORD = re.compile(r"\w+")
SHINGLE = 5
MIN_WORDS = 20
MAX_CHARACTERS = 20_000
RATES = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
CLONES = ("renamed", "comments", "docstring")


@dataclass(frozen=True, slots=True)
class Planted:
    """document `copy` was made from document `original` by `change` ("edit 0.10", "renamed", ...)."""

    original: int
    copy: int
    change: str


@dataclass(frozen=True, slots=True)
class Corpus:
    """texts in random order, no two equal, and what was planted."""

    texts: list[str]
    planted: list[Planted]


def resident_mb(*, reset: bool = False) -> float:
    """Largest resident memory of this process since the last reset (Linux); `ru_maxrss` would hold the parent's too."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024  # type: ignore[union-attr]


def functions() -> Iterator[str]:
    """Source of every function and method of the installed packages, then of the standard library, dedented."""
    roots = [Path(sysconfig.get_path("purelib")), Path(sysconfig.get_path("stdlib"))]
    for root in roots:
        for path in sorted(root.rglob("*.py")):
            if root != roots[0] and "site-packages" in path.parts:
                continue
            try:
                source = path.read_text(encoding="utf-8")
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    tree = ast.parse(source)
            except (OSError, SyntaxError, ValueError, RecursionError):
                continue
            lines = source.splitlines(keepends=True)
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef):
                    indent = node.col_offset
                    body = lines[node.lineno - 1 : node.end_lineno]
                    text = "".join(line[indent:] if not line[:indent].strip() else line for line in body)
                    if len(text) <= MAX_CHARACTERS and len(WORD.findall(text)) >= MIN_WORDS:
                        yield text


def edited(text: str, rate: float, draw: random.Random) -> str:
    """`text` with about `rate` of its words replaced by other words, in place."""
    return WORD.sub(lambda m: f"{m.group()[::-1]}_{draw.randrange(100)}" if draw.random() < rate else m.group(), text)


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.names.get(node.id, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.arg = self.names.get(node.arg, node.arg)
        self.generic_visit(node)
        return node


def renamed(text: str, draw: random.Random) -> str | None:
    """`text` with its function, parameters and local variables renamed; None where it is not simple enough to rename.

    Written by `ast.unparse`, so comments go and the layout changes, as with any model's paraphrase.
    """
    function = ast.parse(text).body[0]
    if not isinstance(function, ast.FunctionDef) or any(
        isinstance(
            n, ast.Global | ast.Nonlocal | ast.FunctionDef | ast.Lambda | ast.ClassDef | ast.Import | ast.ImportFrom
        )
        or (isinstance(n, ast.ExceptHandler) and n.name)
        for child in function.body
        for n in ast.walk(child)
    ):
        return None
    own = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    own |= {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names = {name: f"{name[:1]}{draw.randrange(10_000)}" for name in sorted(own)}
    if len(set(names.values())) < len(names) or len(names) < 2:
        return None
    function.name = f"fn_{draw.randrange(10_000)}"
    return ast.unparse(_Renamer(names).visit(function)) + "\n"


def commented(text: str, draw: random.Random) -> str | None:
    """`text` with a comment of six words above each second statement; None where it holds a triple quote inside."""
    if '"""' in text or "'''" in text or "\\\n" in text:
        return None
    out: list[str] = []
    depth = 0
    for line in text.splitlines(keepends=True):
        if out and depth == 0 and line.strip() and draw.random() < 0.7:
            words = " ".join(f"note{draw.randrange(1000)}" for _ in range(6))
            out.append(f"{line[: len(line) - len(line.lstrip())]}# {words}\n")
        out.append(line)
        depth += sum(line.count(c) for c in "([{") - sum(line.count(c) for c in ")]}")
    return "".join(out)


def documented(text: str, draw: random.Random) -> str | None:
    """`text` with another docstring, as long as the code; None where the function has no body of its own."""
    function = ast.parse(text).body[0]
    if not isinstance(function, ast.FunctionDef):
        return None
    if ast.get_docstring(function) is not None:
        function.body = function.body[1:]
    if not function.body:
        return None
    words = " ".join(f"word{draw.randrange(1000)}" for _ in range(len(WORD.findall(text)) // 2 + 10))
    function.body.insert(0, ast.Expr(ast.Constant(words)))
    return ast.unparse(ast.fix_missing_locations(function)) + "\n"


def corpus(documents: int, share: float = 0.15, seed: int = 0) -> Corpus:
    """`documents` texts, `share` of them planted copies: five sixths edits, one sixth clones."""
    draw = random.Random(seed)
    wanted = round(documents * (1 - share))
    texts: list[str] = []
    seen: set[str] = set()
    for text in functions():
        if len(texts) >= wanted:
            break
        if text not in seen:
            seen.add(text)
            texts.append(text)
    makers = {"renamed": renamed, "comments": commented, "docstring": documented}
    planted: list[tuple[int, str, str]] = []
    copies = documents - wanted
    tries = 0
    while len(planted) < copies and tries < 20 * copies:
        tries += 1
        original = draw.randrange(len(texts))
        if draw.random() < 5 / 6:
            rate = draw.choice(RATES)
            change, copy = f"edit {rate:.2f}", edited(texts[original], rate, draw)
        else:
            change = draw.choice(CLONES)
            try:
                made = makers[change](texts[original], draw)
            except (SyntaxError, ValueError, RecursionError):
                continue
            if made is None:
                continue
            copy = made
        if copy not in seen:
            seen.add(copy)
            planted.append((original, copy, change))
    everything = texts + [copy for _, copy, _ in planted]
    order = list(range(len(everything)))
    draw.shuffle(order)
    place = {number: position for position, number in enumerate(order)}
    return Corpus(
        [everything[number] for number in order],
        [Planted(place[o], place[len(texts) + i], change) for i, (o, _, change) in enumerate(planted)],
    )


def shingles(text: str) -> frozenset[str]:
    """Word 5-grams of `text` in plain Python: the yardstick, independent of any tool."""
    words = WORD.findall(text)
    return frozenset(" ".join(words[i : i + SHINGLE]) for i in range(max(1, len(words) - SHINGLE + 1)))


def similarity(a: str, b: str) -> float:
    """Exact Jaccard similarity of two texts' word 5-grams."""
    x, y = shingles(a), shingles(b)
    return len(x & y) / len(x | y)
