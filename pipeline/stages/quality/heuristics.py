"""What a text shows about its worth without a model: measures of the text, and limits with their sources."""

import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

MIN_ALPHANUMERIC = 0.15
"""Smallest share of letters and digits among the characters. CodeParrot (Tunstall et al. 2022) and The Stack have 0.25;
of 157,000 functions of installed packages the one below that is a test of plots drawn in characters, at 0.18."""
MAX_UNBROKEN = 1_000
MAX_UNBROKEN_SHARE = 0.2
"""Largest share of the characters in runs of over `MAX_UNBROKEN` characters without white space. CodeParrot limits
lines to 1,000 characters; a paragraph of a textbook is one line, so what is limited is what cannot be prose: minified
code, base64, tables of numbers (The Stack v2, Lozhkov et al. 2024, looks for encoded data over 1,024 characters). One
long literal in a long file is no reason to drop it."""
ORDINARY_LINES = 100
ORDINARY_CHARACTERS = 200
"""So many lines that are not longer make a text code that has data in it, and no data file: as sympy's test_complex.py,
of which 60% are six lines of whole numbers. Of the data files in installed packages none has more than 93."""
MIN_ALPHABETIC = 0.25
"""Share of letters (any script's) below which a text is a table of numbers, as in The Stack v2. By itself no reason to
drop it: tests of numerical code are below it."""
MIN_COMPRESSED = 0.06
"""Smallest ratio of zlib-compressed to plain size: below it a text repeats itself within its lines, which the share of
repeated lines does not see. Set so that no function of the standard library is below it."""
MIN_COMPRESSED_BYTES = 1_000
"""Texts shorter than this are not judged by compression: zlib's ratio depends on length there."""
LOREM_IPSUM = re.compile(r"\blorem ipsum dolor\b", re.IGNORECASE)
LOREM_IPSUM_CHARACTERS = 1_000
"""C4 (Raffel et al. 2020, 2.2) drops pages with placeholder text. Only shorter texts without code are dropped here: in
a long one and in code it is sample data."""
_CODE = re.compile(r"^\s*(?:async |class |def |from |import |assert |return )", re.MULTILINE)

CONTEXT_LINES = 4
"""Lines before a line that must recur with it, where it is in no loop, for it to count as repeated."""

_WORD = re.compile(r"\w")
_SENTENCE_END = re.compile(r"[\s\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+")
_ALPHANUMERIC = bytes(b for b in range(128) if chr(b).isalnum())
_LETTERS = bytes(b for b in range(128) if chr(b).isalpha())
_SPACE = bytes(b for b in range(128) if chr(b).isspace())


def repeated_line_fraction(text: str, least: float = 0.0) -> float:
    """Share of lines that repeat what stands before them in `text`, in [0, 1]; after Rae et al. 2021, table A1.

    A line counts where it goes on with a block of lines that is said over again at once (the loops of a model), or
    where it and the `CONTEXT_LINES` before it stood in this order before (copied blocks); in tables of numbers it
    counts where it and the one before it did.

    Departs from Gopher, which counts every line that occurred before: in good code single lines recur (`else:`,
    `return None`), and in tests and overloads a few in a row do. Lines without a letter or digit (blank, brackets,
    rules) do not count. least: a share below it may be given as 0.0, which is much faster.
    """
    lines = [line.strip() for line in text.splitlines() if _WORD.search(line)]
    pairs = list(pairwise(["", *lines]))
    twice = len(pairs) - len(set(pairs))
    if not twice or 2 * twice < least * len(lines):  # a loop has one line more than pairs that recur
        return 0.0
    counts = Counter(pairs)
    if alphabetic_fraction(text) < MIN_ALPHABETIC:
        return 1 - len(counts) / len(lines)
    repeated = set(_looped(pairs))
    padded = [""] * CONTEXT_LINES + lines
    seen: set[tuple[str, ...]] = set()
    for place, pair in enumerate(pairs):
        if counts[pair] > 1:
            block = tuple(padded[place : place + CONTEXT_LINES + 1])
            if block in seen:
                repeated.add(place)
            seen.add(block)
    return len(repeated) / len(lines)


def _looped(pairs: Sequence[tuple[str, str]]) -> Iterator[int]:
    """Places of lines that say a block over again which ends where they begin; pairs: of each line and that before."""
    last: dict[tuple[str, str], int] = {}
    period = start = 0
    for place, pair in enumerate([*pairs, ("", "")]):
        back = place - last[pair] if pair in last else 0
        last[pair] = place
        if back != period:
            if period and place - start + 1 >= period:  # so many pairs are one line more
                yield from range(start - 1, place)
            period, start = back, place


def compressed_ratio(text: str) -> float:
    """zlib-compressed bytes per byte of `text`; 1.0 for texts under `MIN_COMPRESSED_BYTES`, where it says nothing."""
    data = text.encode("utf-8", "surrogatepass")
    return len(zlib.compress(data, 1)) / len(data) if len(data) >= MIN_COMPRESSED_BYTES else 1.0


def alphanumeric_fraction(text: str) -> float:
    """Share of letters and digits among the characters that are not white space, in [0, 1]; 0 for an empty text."""
    solid = "".join(text.split())
    if not solid:
        return 0.0
    if solid.isascii():
        return 1 - len(solid.encode().translate(None, _ALPHANUMERIC)) / len(solid)
    return sum(map(str.isalnum, solid)) / len(solid)


def alphabetic_fraction(text: str) -> float:
    """Share of letters of any script among the characters that are not white space, in [0, 1]; 0 for an empty text."""
    if text.isascii():
        data = text.encode()
        solid = len(data.translate(None, _SPACE))
        return (len(data) - len(data.translate(None, _LETTERS))) / solid if solid else 0.0
    return sum(map(str.isalpha, text)) / sum(not character.isspace() for character in text)


def unbroken_share(text: str) -> float:
    """Share of `text` in runs of over `MAX_UNBROKEN` characters without white space, in [0, 1].

    Scripts written without spaces count by sentence.
    """
    parts = text.split() if text.isascii() else _SENTENCE_END.split(text)
    return sum(length for length in map(len, parts) if length > MAX_UNBROKEN) / len(text) if text else 0.0


def low_value(text: str, min_alphanumeric: float = MIN_ALPHANUMERIC) -> str:
    """Why a text is not worth reading, with both numbers; "" where no heuristic objects.

    min_alphanumeric: smallest share of letters and digits, which is its language's.
    """
    share = alphanumeric_fraction(text)
    if share < min_alphanumeric:
        return f"letters and digits {share:.2f} < {min_alphanumeric}"
    share = unbroken_share(text)
    if share > MAX_UNBROKEN_SHARE:
        ordinary = sum(0 < len(line.strip()) <= ORDINARY_CHARACTERS for line in text.splitlines())
        if ordinary < ORDINARY_LINES:
            return (
                f"in runs without a space {share:.2f} > {MAX_UNBROKEN_SHARE}, "
                f"lines of ordinary length {ordinary} < {ORDINARY_LINES}"
            )
    if len(text) < LOREM_IPSUM_CHARACTERS and LOREM_IPSUM.search(text) and not _CODE.search(text):
        return f"lorem ipsum in {len(text)} < {LOREM_IPSUM_CHARACTERS} characters"
    return ""


def repeated(text: str, max_repeated_lines: float) -> str:
    """Why a text counts as repeating itself, with both numbers; "" where it does not."""
    share = repeated_line_fraction(text, max_repeated_lines)
    if share > max_repeated_lines:
        return f"repeated lines {share:.2f} > {max_repeated_lines}"
    ratio = compressed_ratio(text)
    if ratio < MIN_COMPRESSED:
        return f"compresses to {ratio:.3f} < {MIN_COMPRESSED}"
    return ""
