"""Beginnings that prompts share: an engine computes their keys and values once, not once a prompt."""

from collections.abc import Sequence
from itertools import pairwise, takewhile

FEWEST_TOKENS = 32
"""Shorter beginnings are not worth a pass of their own."""


def shared_beginnings(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Token sequences that at least two different prompts begin with, longest first; no prompt is wholly one of them.

    In sorted order prompts with a beginning in common stand together, and a group ends where less than half of the
    beginning that it has would be left: one template, one group.
    """
    found: list[list[int]] = []
    group: list[int] = []
    ordered = [list(prompt[:-1]) for prompt in sorted({tuple(prompt) for prompt in prompts})]
    for before, prompt in pairwise(ordered):
        common = _common(group or before, prompt)
        if common < FEWEST_TOKENS or 2 * common < len(group):
            found += [group] if group else []
            group = []
        else:
            group = prompt[:common]
    found += [group] if group else []
    return sorted(found, key=lambda tokens: -len(tokens))


def _common(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
