"""The names and operators of Python code: what is neither string nor comment."""

import io
import tokenize

from pipeline.core.syntax import parse


def bare(code: str) -> list[tuple[int, int]]:
    """Character ranges of the tokens of `code` that are neither string nor comment; [] where it is no Python."""
    if parse(code) is None:
        return []
    quoted = {tokenize.STRING, tokenize.COMMENT, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
    lines = [0]
    for line in io.StringIO(code):
        lines.append(lines[-1] + len(line))
    ranges = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(code).readline):
            if token.type not in quoted and token.string.strip():
                start = lines[token.start[0] - 1] + token.start[1]
                ranges.append((start, start + len(token.string)))
    except (tokenize.TokenError, IndentationError):
        return []
    return ranges
