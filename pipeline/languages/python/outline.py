"""A compiled lexer of Python that answers one question: can two texts be renamed clones of each other?

`outlines` hashes what a renaming, a new docstring, new comments, new annotations and another formatter leave as they
are: operators, keywords, attributes, keyword arguments, whole numbers, plain strings, and of the other names, between
one `def` and the next, which are the same. Texts with different outlines cannot have equal normal forms
(`clones.normal_form`), so only texts that share an outline are parsed: a twentieth of the cost of parsing all.

Known exceptions, which cost a clone its detection and never a document: an annotation without a value; a statement
that begins with a name `match` or `case`; a name that is used in two scopes within one function, and renamed in one.
"""

import keyword
from typing import Any

import numpy as np

from pipeline.core.shingles import EMPTY, SHINGLE_PRIME, WORD_PRIME, compiled, mix, word_table

_NAME = np.uint64(0xA24BAED4963EE407)
_NUMBER = np.uint64(0x9FB21C651E98DF25)
_STRING = np.uint64(0xD6E8FEB86659FD93)
_LARGE = np.uint64(1 << 56)


def _word_hash(word: str) -> int:
    h = int(EMPTY)
    for byte in word.encode():
        h = ((h ^ byte) * int(WORD_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return h


KEYWORD_HASHES = np.array(sorted(_word_hash(word) for word in keyword.kwlist), dtype=np.uint64)
NAMES = 1 << 10
"""Slots for the names of one function; where three quarters are taken, further names are all alike."""
_DEF, _LAMBDA, _ELIF, _ELSE, _IF, _PASS = (
    np.uint64(_word_hash(word)) for word in ("def", "lambda", "elif", "else", "if", "pass")
)


@compiled
def string_end(data: Any, at: int, stop: int) -> Any:
    """Index after the string literal that opens at `at` (a quote); an unclosed one ends with its line."""
    quote = data[at]
    triple = at + 2 < stop and data[at + 1] == quote and data[at + 2] == quote
    at += 3 if triple else 1
    while at < stop:
        b = data[at]
        if b == 92:  # backslash
            at += 2
        elif triple and b == quote and at + 2 < stop and data[at + 1] == quote and data[at + 2] == quote:
            return at + 3
        elif not triple and b == quote:
            return at + 1
        elif not triple and b == 10:
            return at
        else:
            at += 1
    return stop


@compiled
def plain_string(data: Any, begin: int, at: int, end: int, h: Any) -> tuple[Any, Any]:
    """(plain, hash): the hash `h` of the string run before, carried over the contents of the literal data[begin:end].

    Plain are contents that every way of quoting writes in the same way: printable ASCII without quotes and backslashes,
    and neither bytes nor an f-string. at: of the opening quote.
    """
    for k in range(begin, at):
        prefix = data[k] | 32
        if prefix != 114 and prefix != 117:  # r, u
            return False, h
    quotes = 3 if end - at >= 6 and data[at + 1] == data[at] and data[at + 2] == data[at] else 1
    for k in range(at + quotes, end - quotes):
        b = data[k]
        if b < 32 or b > 126 or b == 34 or b == 39 or b == 92:
            return False, h
        h = (h ^ np.uint64(b)) * WORD_PRIME
    return True, h


@compiled
def whole_number(data: Any, begin: int, end: int) -> Any:
    """uint64 mark of the number data[begin:end]: of its value where that is whole and below 2^56, else one for all."""
    base = 10
    if end - begin > 2 and data[begin] == 48:
        letter = data[begin + 1] | 32
        base = 16 if letter == 120 else 8 if letter == 111 else 2 if letter == 98 else 10
    value = np.uint64(0)
    for k in range(begin if base == 10 else begin + 2, end):
        b = data[k]
        if b == 95:
            continue
        digit = b - 48 if b <= 57 else (b | 32) - 87
        if b < 48 or 57 < b < 65 or digit >= base or value >= _LARGE:
            return _NUMBER
        value = value * np.uint64(base) + np.uint64(digit)
    return mix(value + _NUMBER) if value < _LARGE else _NUMBER


@compiled
def folded(state: Any, mark: Any) -> Any:
    """The outline `state` after one more token."""
    state = (state ^ mark) * SHINGLE_PRIME
    return state ^ (state >> np.uint64(32))


@compiled
def name_number(h: Any, names: Any, stamps: Any, numbers: Any, stamp: int, used: int) -> Any:
    """Number of the name with the hash `h` among those with this `stamp`: its own, or `used` where it is new; -1 where
    there is no room."""
    slot = h & np.uint64(len(names) - 1)
    while stamps[slot] == stamp:
        if names[slot] == h:
            return numbers[slot]
        slot = (slot + np.uint64(1)) & np.uint64(len(names) - 1)
    if 4 * used >= 3 * len(names):
        return -1
    names[slot], stamps[slot], numbers[slot] = h, stamp, used
    return used


@compiled
def outline(
    data: Any, start: int, stop: int, keywords: Any, is_word: Any, names: Any, stamps: Any, numbers: Any, stamp: int
) -> tuple[Any, int]:
    """(outline, stamp): uint64 outline of the text data[start:stop], 0 where it holds no token; the last stamp used.

    names, stamps, numbers: (NAMES,) uint64, int64 and int64 scratch; stamp: larger than all of `stamps`.
    """
    state = EMPTY
    used = 0  # names of this function
    run = EMPTY  # of the string literals that follow one another
    run_plain = True
    tokens = 0
    depth = 0
    at = start
    fresh = True  # at the start of a statement
    keyword_first = False  # the statement begins with a keyword, so that ":" opens a block
    annotation_depth = -1  # inside an annotation that began at this depth; tokens are skipped
    def_depth = -1  # the depth at which a def waits for its parameters and colon
    def_name = False  # the next name is that of a function
    lambdas = 0
    last_string = False
    after_dot = False
    while at < stop:
        b = data[at]
        if b == 35:  # comment
            while at < stop and data[at] != 10:
                at += 1
            continue
        if b == 92:  # line continuation
            at += 2
            continue
        if b == 10 or b == 59:
            at += 1
            if depth == 0 or b == 59:
                if last_string:
                    state = folded(state, run if run_plain else _STRING)
                    tokens += 1
                fresh = True
                keyword_first = False
                annotation_depth = -1
                def_depth = -1
                lambdas = 0
                after_dot = False
                last_string = False
            continue
        if b <= 32:
            at += 1
            continue
        emit = np.uint64(0)
        if is_word[b] or b == 34 or b == 39:
            begin = at
            h = EMPTY
            while at < stop and is_word[data[at]]:
                h = (h ^ np.uint64(data[at])) * WORD_PRIME
                at += 1
            string = at < stop and (data[at] == 34 or data[at] == 39) and at - begin <= 2
            if last_string and not string:
                state = folded(state, run if run_plain else _STRING)
                tokens += 1
                last_string = False
            if string:
                quote_at = at
                at = string_end(data, at, stop)
                if fresh and depth == 0:  # a statement of its own: a docstring
                    ahead = at
                    while ahead < stop and (data[ahead] == 32 or data[ahead] == 9 or data[ahead] == 13):
                        ahead += 1
                    if ahead >= stop or data[ahead] == 10 or data[ahead] == 59 or data[ahead] == 35:
                        continue
                if annotation_depth < 0:
                    if not last_string:
                        run, run_plain = EMPTY, True
                    if run_plain:
                        run_plain, run = plain_string(data, begin, quote_at, at, run)
                    last_string = True
            elif 48 <= b <= 57:
                while at < stop and (is_word[data[at]] or data[at] == 46):
                    at += 1
                emit = _NUMBER if after_dot else whole_number(data, begin, at)
            else:
                k = np.searchsorted(keywords, h)
                if k < len(keywords) and keywords[k] == h and not after_dot:
                    emit = h
                    if fresh:
                        keyword_first = True
                    if h == _DEF:
                        def_depth = depth
                        def_name = True
                    elif h == _LAMBDA:
                        lambdas += 1
                    elif h == _PASS:
                        emit = np.uint64(0)
                    elif h == _ELIF:
                        state = folded(state, _ELSE)
                        emit = _IF
                elif after_dot:
                    emit = h
                elif def_name:  # of the scope outside: what follows is the function's own
                    def_name = False
                    stamp += 1
                    used = 0
                    emit = _NAME
                elif annotation_depth < 0:
                    ahead = at
                    while ahead < stop and (data[ahead] == 32 or data[ahead] == 9):
                        ahead += 1
                    given = ahead + 1 < stop and data[ahead] == 61 and data[ahead + 1] != 61
                    if given and depth > 0 and def_depth < 0 and lambdas == 0:
                        emit = h  # a keyword argument
                    else:
                        number = name_number(h, names, stamps, numbers, stamp, used)
                        used += number == used
                        emit = mix(_NAME + np.uint64(number + 1))
            after_dot = False
            fresh = False
        else:
            if last_string:
                state = folded(state, run if run_plain else _STRING)
                tokens += 1
                last_string = False
            if b == 40 or b == 91 or b == 123:
                depth += 1
                emit = np.uint64(b) if b != 40 else np.uint64(0)
            elif b == 41 or b == 93 or b == 125:
                depth = max(depth - 1, 0)
                emit = np.uint64(b) if b != 41 else np.uint64(0)
                if annotation_depth > depth:
                    annotation_depth = -1
            elif b == 44:
                if annotation_depth == depth:
                    annotation_depth = -1
            elif b == 58:
                if lambdas > 0 and annotation_depth < 0:
                    lambdas -= 1
                elif def_depth >= 0 and depth == def_depth + 1:
                    annotation_depth = depth
                elif def_depth >= 0 and depth == def_depth:
                    annotation_depth = -1
                    def_depth = -1
                    fresh = True
                    keyword_first = False
                    at += 1
                    continue
                elif depth == 0 and keyword_first:
                    fresh = True
                    keyword_first = False
                    at += 1
                    continue
                elif depth == 0 and not fresh:
                    annotation_depth = 0
            elif b == 45 and at + 1 < stop and data[at + 1] == 62:  # "->"
                at += 1
                annotation_depth = depth
            elif b == 46:
                after_dot = True
                at += 1
                fresh = False
                continue
            elif b == 61 and annotation_depth == depth:
                annotation_depth = -1
                emit = np.uint64(b)
            else:
                emit = np.uint64(b)
            after_dot = False
            fresh = False
            at += 1
        if emit != 0 and annotation_depth < 0:
            state = folded(state, emit)
            tokens += 1
    if last_string:
        state = folded(state, run if run_plain else _STRING)
        tokens += 1
    return (mix(state) if tokens else np.uint64(0)), stamp


@compiled
def outlines(data: Any, starts: Any, keywords: Any) -> Any:
    """(documents,) uint32 outlines of the texts data[starts[i]:starts[i + 1]]; 0 for texts without a token."""
    is_word = word_table()
    out = np.zeros(len(starts) - 1, dtype=np.uint32)
    names = np.zeros(NAMES, dtype=np.uint64)
    stamps = np.zeros(NAMES, dtype=np.int64)
    numbers = np.zeros(NAMES, dtype=np.int64)
    stamp = 0
    for d in range(len(starts) - 1):
        h, stamp = outline(data, starts[d], starts[d + 1], keywords, is_word, names, stamps, numbers, stamp + 1)
        if h != 0:
            out[d] = np.uint32(h >> np.uint64(32)) | np.uint32(1)
    return out
