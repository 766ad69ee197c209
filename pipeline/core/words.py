"""What a word is: one definition for deduplication, decontamination and the measures of quality.

In ASCII text a word is a run of letters, digits and underscores. In other text it is what Unicode takes for one (UAX 29
word boundaries over NFKC text): a run of letters, numbers, connectors and their combining marks in any script, so that
"naïve" is one word in either normal form and a no-break space, an em dash or «» divide. Two departures. Apostrophes and
full stops always divide, as they do in ASCII text, where code has them between words. Where a script puts no space
between words (Chinese, Japanese, Thai, Lao, Khmer, Myanmar and others of UAX 14's classes ID and SA), every letter with
its marks is a word, because finding words there takes a dictionary. Characters that show nothing (soft hyphen,
zero-width space and joiners, byte order mark, variation selectors) are no part of a text.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

DIVIDES, JOINS, ALONE, MARK, UNSEEN = range(5)
"""Classes of characters: between words; part of one; a word by itself; part of the word before it; not to be seen."""

_ALONE = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF)),
    *((0x1B00, 0x1B7F), (0x2E80, 0x2FDF), (0x3005, 0x303C), (0x3040, 0x312F), (0x3190, 0x31FF)),
    *((0x3400, 0x4DBF), (0x4E00, 0xA4CF), (0xA980, 0xA9FF), (0xAA60, 0xAADF), (0xF900, 0xFAFF)),
    *((0xFF66, 0xFF9F), (0x16FE0, 0x18DFF), (0x1AFF0, 0x1B2FF), (0x20000, 0x3FFFD)),
)
"""Blocks of scripts without spaces: Thai and Lao, Myanmar, Khmer, Tai Le and New Tai Lue, Tai Tham, Balinese, the
radicals, marks, kana, Bopomofo and ideographs of Chinese and Japanese, Yi, Javanese, Tai Viet, Tangut, Nushu."""
_UNSEEN = (
    *((0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x3164, 0x3164), (0xFE00, 0xFE0F)),
    *((0xFFA0, 0xFFA0), (0xE0000, 0xE0FFF)),
)
"""Code points that show nothing (Unicode's Default_Ignorable_Code_Point), beside those of the category Cf."""
_ASCII = bytes(range(128))
_FEW = 64
_ASCII_WORD = re.compile(r"[0-9A-Za-z_]+")
_ASCII_WORD_OR_SIGNS = re.compile(r"\w+|[^\w\s]+")


@lru_cache(maxsize=1)
def classes() -> Array:
    """(0x110000,) uint8: the class of every character."""
    table = np.zeros(0x110000, dtype=np.uint8)
    kinds = [unicodedata.category(chr(code)) for code in range(0x20000)]
    table[: len(kinds)] = [
        JOINS if kind[0] in "LN" or kind == "Pc" else MARK if kind[0] == "M" else UNSEEN if kind == "Cf" else DIVIDES
        for kind in kinds
    ]
    for first, last in _ALONE:
        letters = [kind[0] == "L" or kind == "Nl" for kind in kinds[first : last + 1]]
        table[first : last + 1][np.array(letters) if letters else slice(None)] = ALONE
    for first, last in _UNSEEN:
        table[first : last + 1] = UNSEEN
    return table


def _codes(text: str) -> Array:
    """(characters,) uint32 code points."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)


def normalised(text: str, *, fold: bool = False) -> str:
    """`text` in the form in which its words are compared: NFKC, without characters that show nothing.

    fold: case folded too, but for ASCII characters, which are left to whoever splits it. A text in which nothing can
    be seen is left as it is.
    """
    if text.isascii():
        return text
    other = text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    plain = _replaced(text, other, fold) if len(other) <= _FEW else ""
    if not plain:
        unseen = classes()[_codes(other)] == UNSEEN
        as_it_is = not fold and unicodedata.is_normalized("NFKC", text) and not unseen.any()
        plain = text if as_it_is else _plain(text, fold)
    return plain if plain.strip() else text


def _plain(text: str, fold: bool) -> str:
    """`normalised`, with the case of ASCII letters folded too."""
    codes = _codes(text)
    for code in set(codes[classes()[codes] == UNSEEN].tolist()):
        text = text.replace(chr(code), "")
    plain = unicodedata.normalize("NFKC", text)
    if not fold:
        return plain
    folded = (
        plain.casefold().replace("i\u0307", "i").replace("\u0131", "i")
    )  # Turkish, whichever way it was capitalised
    return unicodedata.normalize("NFKC", folded)


@lru_cache(maxsize=1 << 12)
def _plain_character(character: str, fold: bool) -> str:
    return _plain(character, fold)


def _replaced(text: str, other: str, fold: bool) -> str:
    """`_plain` but for the case of ASCII letters, where it changes a few characters, each by itself; else "".

    Most English text has some dashes, quotes and an accent, and replacing those takes a tenth of the time. other: the
    characters of `text` beyond ASCII. Those before Devanagari that are no marks, and the signs of U+2000 to U+2FFF,
    compose with none beside them.
    """
    characters = set(other)
    for character in characters:
        if unicodedata.combining(character) or not (character < "\u0900" or "\u2000" <= character < "\u3000"):
            return ""
    for character in characters:
        instead = _plain_character(character, fold)
        if instead != character:
            text = text.replace(character, instead)
    return text


def split(text: str, *, fold: bool = False, signs: bool = False) -> list[str]:
    """The words of `text`, in order, the same as `dedup.kernels.shingle` finds.

    fold: case folded. signs: with the runs of other characters between them, white space aside.
    """
    plain = normalised(text, fold=fold)
    if plain.isascii():
        return (_ASCII_WORD_OR_SIGNS if signs else _ASCII_WORD).findall(plain.lower() if fold else plain)
    if fold:  # `bytes.lower` is for ASCII letters alone; the others are folded
        plain = plain.encode("utf-8", "surrogatepass").lower().decode("utf-8", "surrogatepass")
    kinds = classes()[_codes(plain)]
    kinds = np.where(kinds == UNSEEN, DIVIDES, kinds)  # of a text in which nothing else is
    is_sign = np.zeros(len(kinds), dtype=np.bool_)
    if signs:
        is_sign[:] = [kind == DIVIDES and not c.isspace() for kind, c in zip(kinds, plain, strict=True)]
    inside = (kinds != DIVIDES) | is_sign
    before = np.concatenate(([False], inside[:-1]))
    places = np.arange(len(kinds))
    last = np.maximum.accumulate(np.where(kinds == MARK, -1, places))  # what the marks up to here stand on
    stands = np.where(last < 0, DIVIDES, kinds[last])
    after_alone = np.concatenate(([False], stands[:-1] == ALONE))
    changes = np.concatenate(([False], is_sign[1:] != is_sign[:-1]))
    starts = np.flatnonzero(inside & (~before | changes | (kinds == ALONE) | ((kinds == JOINS) & after_alone)))
    divided = np.flatnonzero(~inside)
    ends = np.minimum(
        np.append(starts[1:], len(kinds)),
        np.append(divided, len(kinds))[np.searchsorted(divided, starts)],
    )
    return [plain[start:end] for start, end in zip(starts, ends, strict=True)]


def says_alone(word: str) -> bool:
    """Whether a word is a letter of a script in which every letter is one."""
    return bool(word) and not word.isascii() and classes()[ord(word[0])] == ALONE
