"""What a text shows about its worth without a model: measures of the text, and limits with their sources."""

import re
import zlib
from itertools import pairwise

MIN_ALPHANUMERIC = 0.25
"""Smallest share of letters and digits among the characters (CodeParrot, Tunstall et al. 2022; kept by StarCoder)."""
MAX_UNBROKEN = 1_000
MAX_UNBROKEN_SHARE = 0.2
"""Largest share of the characters in runs of over `MAX_UNBROKEN` characters without white space. CodeParrot limits
lines to 1,000 characters; a paragraph of a textbook is one line, so what is limited is what cannot be prose: minified
code, base64, tables of numbers. One long literal in a long file is no reason to drop it."""
MIN_COMPRESSED = 0.06
"""Smallest ratio of zlib-compressed to plain size: below it a text repeats itself within its lines, which the share of
repeated lines does not see. Set so that no function of the standard library is below it."""
MIN_COMPRESSED_BYTES = 1_000
"""Texts shorter than this are not judged by compression: zlib's ratio depends on length there."""
LOREM_IPSUM = re.compile(r"\blorem ipsum dolor\b", re.IGNORECASE)
LOREM_IPSUM_CHARACTERS = 1_000
"""C4 (Raffel et al. 2020, 2.2) drops pages with placeholder text. Only shorter texts are dropped here: in a long one
it is sample data."""

_WORD = re.compile(r"\w")
_SENTENCE_END = re.compile(r"[\s\u3000-\u303f\uff00-\uff0f\uff1a-\uff20]+")
_ALPHANUMERIC = bytes(b for b in range(128) if chr(b).isalnum())


def repeated_line_fraction(text: str) -> float:
    """Share of lines that occurred before in `text` after the same line, in [0, 1]; after Rae et al. 2021, table A1.

    Departs from Gopher, which counts every line that occurred before: in good code single lines recur (`else:`,
    `return None`), in loops of a model and in copied blocks they recur in order. On the standard library, 0.5 by
    Gopher's count drops 60 hand-written files. Lines without a letter or digit (blank, brackets, rules) do not count.
    """
    lines = [line.strip() for line in text.splitlines() if _WORD.search(line)]
    return 1 - len(set(pairwise(["", *lines]))) / len(lines) if lines else 0.0


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


def unbroken_share(text: str) -> float:
    """Share of `text` in runs of over `MAX_UNBROKEN` characters without white space, in [0, 1].

    Scripts written without spaces count by sentence.
    """
    parts = text.split() if text.isascii() else _SENTENCE_END.split(text)
    return sum(length for length in map(len, parts) if length > MAX_UNBROKEN) / len(text) if text else 0.0


def low_value(text: str) -> str:
    """Why a text is not worth reading, with both numbers; "" where no heuristic objects."""
    share = alphanumeric_fraction(text)
    if share < MIN_ALPHANUMERIC:
        return f"letters and digits {share:.2f} < {MIN_ALPHANUMERIC}"
    share = unbroken_share(text)
    if share > MAX_UNBROKEN_SHARE:
        return f"in runs without a space {share:.2f} > {MAX_UNBROKEN_SHARE}"
    if len(text) < LOREM_IPSUM_CHARACTERS and LOREM_IPSUM.search(text):
        return f"lorem ipsum in {len(text)} < {LOREM_IPSUM_CHARACTERS} characters"
    return ""


def repeated(text: str, max_repeated_lines: float) -> str:
    """Why a text counts as repeating itself, with both numbers; "" where it does not."""
    share = repeated_line_fraction(text)
    if share > max_repeated_lines:
        return f"repeated lines {share:.2f} > {max_repeated_lines}"
    ratio = compressed_ratio(text)
    if ratio < MIN_COMPRESSED:
        return f"compresses to {ratio:.3f} < {MIN_COMPRESSED}"
    return ""
