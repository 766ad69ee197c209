"""A compiled lexer of Python that answers one question: can two texts be renamed clones of each other?

`outlines` hashes what a renaming, a new docstring, new comments, new annotations and another formatter leave as they
are. Texts with different outlines cannot have equal normal forms (`clones.normal_form`), so only texts that share an
outline are parsed: a twentieth of the cost of parsing all. Known exceptions, which cost a clone its detection and
never a document: an annotation without a value, and a statement that begins with a name `match` or `case`.
"""

import keyword
from typing import Any

import numpy as np

from pipeline.dedup.kernels import EMPTY, SHINGLE_PRIME, WORD_PRIME, compiled, mix, word_table

_NAME = np.uint64(0xA24BAED4963EE407)
_NUMBER = np.uint64(0x9FB21C651E98DF25)
_STRING = np.uint64(0xD6E8FEB86659FD93)


def _word_hash(word: str) -> int:
    h = int(EMPTY)
    for byte in word.encode():
        h = ((h ^ byte) * int(WORD_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return h


KEYWORD_HASHES = np.array(sorted(_word_hash(word) for word in keyword.kwlist), dtype=np.uint64)
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
def outline(data: Any, start: int, stop: int, keywords: Any, is_word: Any) -> Any:
    """uint64 outline of the text data[start:stop]; 0 where it holds no token."""
    state = EMPTY
    tokens = 0
    depth = 0
    at = start
    fresh = True  # at the start of a statement
    keyword_first = False  # the statement begins with a keyword, so that ":" opens a block
    annotation_depth = -1  # inside an annotation that began at this depth; tokens are skipped
    def_depth = -1  # the depth at which a def waits for its parameters and colon
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
            if at < stop and (data[at] == 34 or data[at] == 39) and at - begin <= 2:
                at = string_end(data, at, stop)
                if fresh and depth == 0:  # a statement of its own: a docstring
                    ahead = at
                    while ahead < stop and (data[ahead] == 32 or data[ahead] == 9 or data[ahead] == 13):
                        ahead += 1
                    if ahead >= stop or data[ahead] == 10 or data[ahead] == 59 or data[ahead] == 35:
                        continue
                if annotation_depth < 0 and not last_string:
                    emit = _STRING
                last_string = True
            elif 48 <= b <= 57:
                while at < stop and (is_word[data[at]] or data[at] == 46):
                    at += 1
                emit = _NUMBER
                last_string = False
            else:
                last_string = False
                k = np.searchsorted(keywords, h)
                if k < len(keywords) and keywords[k] == h and not after_dot:
                    emit = h
                    if fresh:
                        keyword_first = True
                    if h == _DEF:
                        def_depth = depth
                    elif h == _LAMBDA:
                        lambdas += 1
                    elif h == _PASS:
                        emit = np.uint64(0)
                    elif h == _ELIF:
                        state = (state ^ _ELSE) * SHINGLE_PRIME
                        state = state ^ (state >> np.uint64(32))
                        emit = _IF
                elif after_dot:
                    emit = h
                else:
                    emit = _NAME
            after_dot = False
            fresh = False
        else:
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
            state = (state ^ emit) * SHINGLE_PRIME
            state = state ^ (state >> np.uint64(32))
            tokens += 1
    return mix(state) if tokens else np.uint64(0)


@compiled
def outlines(data: Any, starts: Any, keywords: Any) -> Any:
    """(documents,) uint32 outlines of the texts data[starts[i]:starts[i + 1]]; 0 for texts without a token."""
    is_word = word_table()
    out = np.zeros(len(starts) - 1, dtype=np.uint32)
    for d in range(len(starts) - 1):
        h = outline(data, starts[d], starts[d + 1], keywords, is_word)
        if h != 0:
            out[d] = np.uint32(h >> np.uint64(32)) | np.uint32(1)
    return out
