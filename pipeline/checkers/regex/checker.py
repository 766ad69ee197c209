"""`regex`: a pattern of Python's `re` on strings that it must match and must not, and on near-misses of them."""

from typing import Any

from pipeline.checkers.protocol import (
    BAD_CHECK,
    BAD_CHECK_MEANS,
    Blind,
    Check,
    Item,
    Kind,
    Means,
    Ruling,
    Terms,
)
from pipeline.checkers.running import Executing, Work, calling, oversize, ruled
from pipeline.checkers.shapes import Key, malformed
from pipeline.sandbox import Limits, Program, Sandbox

LONGEST = 5_000
"""Characters of a pattern at most."""
_FLAGS = ("ASCII", "DOTALL", "IGNORECASE", "MULTILINE", "VERBOSE")
_KEYS = {
    "match": Key(list, "strings to match, each text, or a table of `text` with `groups` and `found`"),
    "no_match": Key(list, "strings that must not match"),
    "tried": Key(list, "with `reference`: further strings on which both are tried, and of which others are made"),
    "reference": Key(str, "a right pattern; made strings are held against it"),
    "mode": Key(
        str, "how the pattern is used; fullmatch if left out", one_of=("fullmatch", "match", "search", "findall")
    ),
    "flags": Key(list, f"what it is compiled with: of {', '.join(_FLAGS)}"),
    "compares": Key(str, "what has to be the reference's on made strings", one_of=("match", "span", "groups")),
}
_REASONS = {
    "no-match": "it does not match a string that it must",
    "over-match": "it matches a string that it must not",
    "wrong-span": "it matches another part of a string than it must",
    "wrong-groups": "its groups hold something else than they must",
    "error": "it is no pattern of Python's re",
    "too-large": "the pattern or its memory is over a limit",
    "timeout": "it used up its CPU time: it backtracks without end",
    BAD_CHECK: BAD_CHECK_MEANS,
}
_MODULE = "pipeline.checkers.regex.child"


def _faults(check: Check) -> list[str]:
    faults = malformed(check, _KEYS)
    if faults:
        return faults
    match, no_match, tried, flags = (_list(check.get(key, [])) for key in ("match", "no_match", "tried", "flags"))
    faults += [f"'flags' has {flag!r}; known are {', '.join(_FLAGS)}" for flag in flags if flag not in _FLAGS]
    for key, texts in (("no_match", no_match), ("tried", tried)):
        faults += [f"'{key}' has {text!r}, which is no text" for text in texts if not isinstance(text, str)]
    if tried and "reference" not in check:
        faults.append("'tried' goes with 'reference'")
    for number, item in enumerate(match, start=1):
        faults += [f"'match' {number}: {fault}" for fault in _match_faults(item, str(check.get("mode", "")))]
    if not match and not check.get("reference"):
        faults.append("there is neither a string to 'match' nor a 'reference'")
    if not no_match and "reference" not in check:
        faults.append("there is neither a string in 'no_match' nor a 'reference': .* would be right")
    return faults


def _match_faults(item: Any, mode: str) -> list[str]:
    if isinstance(item, str):
        return []
    if not isinstance(item, dict):
        return [f"should be text or a table, got {item!r}"]
    found = list if mode == "findall" else str
    keys = {
        "text": Key(str, "the string", required=True),
        "groups": Key((list, dict), "numbered groups in order, null for one that took no part; or named ones"),
        "found": Key(found, "the part that matches, or for findall all parts"),
    }
    return malformed(item, keys)


def _list(value: Any) -> list[Any]:
    return list(value)


def _program(seconds: float, item: Item) -> Program | Ruling:
    check = item.check
    pattern = item.solution.strip("\n")
    if len(pattern) > LONGEST:
        return oversize(item, pattern, LONGEST)
    return calling(
        item,
        _MODULE,
        pattern=pattern,
        reference=check.get("reference"),
        flags=check.get("flags", []),
        mode=check.get("mode", "fullmatch"),
        compares=check.get("compares", "match"),
        match=check.get("match", []),
        no_match=check.get("no_match", []),
        tried=check.get("tried", []),
        seconds=seconds,
    )


def _make(terms: Terms, means: Means) -> Executing:
    limits = Limits(cpu_seconds=2 * terms.cpu_seconds + 1.0, memory_mb=terms.memory_mb)
    sandbox = Sandbox(limits, workers=means.workers, mode=means.mode, modules=(_MODULE,))
    return Executing(KIND.name, Work(_faults, lambda item: _program(terms.cpu_seconds, item), ruled), sandbox)


def _against(check: Check, solution: str) -> Check:
    """Strings are tried, whichever of them was said to match."""
    strings = [item["text"] if isinstance(item, dict) else item for item in _list(check.get("match", []))]
    strings += [*_list(check.get("no_match", [])), *_list(check.get("tried", []))]
    kept = {key: check[key] for key in ("mode", "flags", "compares") if key in check}
    return {**kept, "tried": sorted(set(strings)), "reference": solution.strip("\n")}


KIND = Kind(
    name="regex",
    language="regex",
    version=1,
    what="a pattern on strings that it must match and must not, and on near-misses of them",
    reasons=_REASONS,
    keys={name: key.meaning for name, key in _KEYS.items()},
    faults=_faults,
    make=_make,
    blind=Blind(_against, _against),
)
