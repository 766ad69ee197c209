"""In the sandbox: a pattern on the strings of its check, on near-misses, and on strings that make it backtrack."""

import random
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from pipeline.checkers.regex.strings import PRINTABLE, Drawn, in_context, near_misses

Answer = dict[str, Any]
"""`fault`: why the check does not hold; or `reason` ("" for right), `expected`, `found` and `where`."""
_MOST = 600
"""Made strings on which both patterns are tried."""
_DRAWN = 60


class _Late(Exception):
    """A pattern used up its time."""


class _Wrong(Exception):
    """The pattern is wrong on a string."""

    def __init__(self, reason: str, expected: str, found: str, where: str) -> None:
        self.answer: Answer = {"reason": reason, "expected": expected, "found": found, "where": where}


class _Fault(Exception):
    """The check does not hold."""


def _ring(number: int, frame: object) -> None:
    raise _Late


class Pattern:
    """A compiled pattern whose uses together take at most `seconds`. Raises re.error and its like."""

    def __init__(self, text: str, flags: int, mode: str, seconds: float) -> None:
        signal.signal(signal.SIGVTALRM, _ring)
        self.text = text
        self.mode = mode
        self.left = seconds
        self.compiled: re.Pattern[str] = self._timed(lambda: re.compile(text, flags))

    def _timed(self, do: Callable[[], Any]) -> Any:
        started = time.process_time()
        signal.setitimer(signal.ITIMER_VIRTUAL, max(self.left, 0.001))
        try:
            return do()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
            self.left -= time.process_time() - started

    def on(self, string: str) -> list[re.Match[str]]:
        """Its matches: none, one, or for `findall` all of them. Raises _Late."""
        if self.mode == "findall":
            found: list[re.Match[str]] = self._timed(lambda: list(self.compiled.finditer(string)))
            return found
        match = self._timed(lambda: getattr(self.compiled, self.mode)(string))
        return [] if match is None else [match]


def answer(
    pattern: str,
    reference: str | None,
    flags: Sequence[str],
    mode: str,
    compares: str,
    match: list[Any],
    no_match: list[str],
    tried: list[str],
    seconds: float,
) -> Answer:
    """Judge one pattern. reference: None for none. seconds: of CPU time for each of the two."""
    bits = 0
    for flag in flags:
        bits |= re.RegexFlag[flag]
    right = None
    if reference is not None:
        try:
            right = Pattern(reference, bits, mode, seconds)
            _on_given(right, match, no_match)
            _pumped(right, bits)
        except _Wrong as wrong:
            found = wrong.answer
            wanted = f"expected {found['expected']}, got " if found["expected"] else ""
            return {"fault": f"the reference {found['where']}: {wanted}{found['found']}"}
        except (re.error, RecursionError, OverflowError, _Late) as error:
            return {"fault": f"the reference does not compile, or takes too long: {error}"}
    where = "compiling it"
    try:
        given = Pattern(pattern, bits, mode, seconds)
        where = ""
        _on_given(given, match, no_match)
        if right is not None:
            texts = [item if isinstance(item, str) else item["text"] for item in match]
            _against(given, right, _strings(given, right, bits, [*texts, *no_match, *tried]), compares)
        _pumped(given, bits)
    except _Wrong as wrong:
        return wrong.answer
    except _Fault as fault:
        return {"fault": str(fault)}
    except _Late:
        return {"reason": "timeout", "expected": "", "found": f"it used up its {seconds:g} CPU s", "where": where}
    except (re.error, RecursionError, OverflowError) as error:
        return {"reason": "error", "expected": "", "found": str(error) or type(error).__name__, "where": where}
    return {"reason": ""}


def _on(pattern: Pattern, string: str) -> list[re.Match[str]]:
    """Its matches; the string on which it runs out of time is told."""
    try:
        return pattern.on(string)
    except _Late:
        raise _Wrong("timeout", "", "it used up its CPU time", _quoted(string)) from None


def _on_given(pattern: Pattern, match: list[Any], no_match: list[str]) -> None:
    for item in match:
        wanted = item if isinstance(item, dict) else {"text": item}
        text = wanted["text"]
        found = _on(pattern, text)
        if not found and wanted.get("found") != []:
            raise _Wrong("no-match", "a match", "none", _quoted(text))
        if "found" in wanted:
            parts = [one[0] for one in found] if pattern.mode == "findall" else found[0][0]
            if parts != wanted["found"]:
                raise _Wrong("wrong-span", repr(wanted["found"]), repr(parts), _quoted(text))
        if "groups" in wanted:
            groups = _groups(found[0], wanted["groups"])
            if groups != wanted["groups"]:
                raise _Wrong("wrong-groups", repr(wanted["groups"]), repr(groups), _quoted(text))
    for text in no_match:
        found = _on(pattern, text)
        if found:
            raise _Wrong("over-match", "no match", repr(found[0][0]), _quoted(text))


def _groups(match: re.Match[str], like: Any) -> Any:
    """All numbered groups, or those of the names that are wanted."""
    if isinstance(like, dict):
        known = match.groupdict()
        return {name: known.get(name) for name in like}
    return list(match.groups())


def _strings(given: Pattern, right: Pattern, flags: int, texts: list[str]) -> list[str]:
    """What both are tried on, the shortest first; the same whatever the order of the check's strings."""
    texts = sorted(set(texts))
    draw = _drawing(f"{right.text}\n{given.text}")
    alphabet = PRINTABLE + "".join(sorted({one for one in "".join(texts) if one not in PRINTABLE}))
    found: dict[str, None] = {}
    drawn: list[str] = []
    for pattern in (right, given):
        drawn += list(dict.fromkeys(Drawn(pattern.text, flags, alphabet, draw).strings(_DRAWN)))
    found |= dict.fromkeys(drawn)
    near = [*texts, *draw.sample(drawn, min(len(drawn), 6))]
    made = [list(dict.fromkeys(near_misses(text, alphabet, draw))) for text in near]
    share = max(_MOST // max(len(made), 1), 20)
    for strings in made:
        found |= dict.fromkeys(strings if len(strings) <= share else draw.sample(strings, share))
    if right.mode in ("search", "findall"):
        found |= dict.fromkeys(string for text in [*texts, *drawn[:20]] for string in in_context(text, draw))
    plain = "\n" in "".join(texts)
    return sorted((string for string in found if plain or "\n" not in string), key=lambda one: (len(one), one))


def _against(given: Pattern, right: Pattern, strings: list[str], compares: str) -> None:
    names = list(right.compiled.groupindex)
    for string in strings:
        try:
            wanted = right.on(string)
        except _Late:
            raise _Fault(f"the reference {_quoted(string)}: it used up its CPU time") from None
        found = _on(given, string)
        if bool(wanted) != bool(found):
            reason, words = ("no-match", ("a match", "none")) if wanted else ("over-match", ("no match", "a match"))
            raise _Wrong(reason, *words, _quoted(string))
        if compares == "match" and right.mode != "findall":
            continue
        spans, others = [one.span() for one in wanted], [one.span() for one in found]
        if spans != others:
            parts = [[m[0] for m in matches] for matches in (wanted, found)]
            raise _Wrong("wrong-span", repr(parts[0]), repr(parts[1]), _quoted(string))
        if compares == "groups":
            for one, other in zip(wanted, found, strict=True):
                like = dict.fromkeys(names) if names else None
                if _groups(one, like) != _groups(other, like):
                    raise _Wrong("wrong-groups", repr(_groups(one, like)), repr(_groups(other, like)), _quoted(string))


def _pumped(pattern: Pattern, flags: int) -> None:
    """Strings on which a pattern that backtracks without end does so."""
    with suppress(re.error, RecursionError, OverflowError):
        for string in _long(pattern, flags):
            _on(pattern, string)


def _long(given: Pattern, flags: int) -> Iterator[str]:
    draw = _drawing(given.text)
    for pumped in dict.fromkeys(Drawn(given.text, flags, PRINTABLE, draw).pumped()):
        yield pumped
        for end in ("!", "\x00", "a", "0"):
            yield pumped + end
            yield pumped[:-1] + end


def _drawing(text: str) -> random.Random:
    """What is drawn depends on the patterns alone, half of a surrogate pair in them too."""
    return random.Random(text.encode("utf-8", "surrogatepass"))


def _quoted(string: str) -> str:
    text = repr(string)
    return f"on {text}" if len(text) <= 80 else f"on {text[:80]}... ({len(string)} characters)"
