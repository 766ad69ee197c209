"""The checker `regex`: on the strings of the check, on those made from them, and what it says."""

from collections.abc import Iterator

import pytest

from pipeline import checkers
from pipeline.checkers.protocol import Checker, Item, Means, Terms

DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
DAYS = {"match": ["2024-01-05", "1999-12-31"], "no_match": ["2024-13-01", ""]}


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with checkers.named("regex").make(Terms(cpu_seconds=0.5), Means()) as opened:
        yield opened


def rule(checker: Checker, pattern: str, **check):
    (ruling,) = checker.rule([Item("a", "", pattern, check)])
    return ruling


@pytest.mark.parametrize(
    ("pattern", "check", "reason", "detail"),
    [
        (r"\d{4}-0\d-\d\d", DAYS, "no-match", "on '1999-12-31': expected a match, got none"),
        (r".*", DAYS, "over-match", "on '2024-13-01': expected no match, got '2024-13-01'"),
        (r"\d{4}-(0\d|1[0-2])-\d\d", DAYS | {"reference": DAY}, "over-match", "on '"),
        (
            r"(\d+)-(\d+)",
            {"match": [{"text": "1-2", "groups": ["2", "1"]}], "no_match": [""]},
            "wrong-groups",
            "on '1-2': expected ['2', '1'], got ['1', '2']",
        ),
        (
            r"(?P<a>\d+)",
            {"match": [{"text": "1", "groups": {"year": "1"}}], "no_match": [""]},
            "wrong-groups",
            "on '1': expected {'year': '1'}, got {'year': None}",
        ),
        (
            r"\d",
            {"match": [{"text": "a 12", "found": "12"}], "no_match": [""], "mode": "search"},
            "wrong-span",
            "on 'a 12': expected '12', got '1'",
        ),
        (
            r"\d",
            {"match": [{"text": "1 23", "found": ["1", "23"]}], "no_match": [""], "mode": "findall"},
            "wrong-span",
            "on '1 23': expected ['1', '23'], got ['1', '2', '3']",
        ),
        (r"\d+?", {"reference": r"\d+", "mode": "search", "compares": "span"}, "wrong-span", "on '"),
        (r"(?{1})", DAYS, "error", "compiling it: unknown extension ?{ at position 1"),
        (r"(a+)+", {"match": ["a"], "no_match": ["b"]}, "timeout", "on 'aaaaaaaaaa"),
        ("a\ud800", {"match": ["a"], "no_match": [""]}, "no-match", "on 'a': expected a match, got none"),
        ("[a\ud800]", {"match": ["a"], "reference": "a"}, "over-match", "on '\\ud800'"),
        ("a" * 5_001, DAYS, "too-large", "expected at most 5,000 characters, got 5,001"),
    ],
)
def test_a_wrong_pattern_is_told_with_the_string(checker: Checker, pattern, check, reason: str, detail: str) -> None:
    ruling = rule(checker, pattern, **check)
    assert (ruling.state, ruling.reason) == ("wrong", reason), ruling
    assert ruling.detail.startswith(detail)


@pytest.mark.parametrize(
    ("pattern", "check"),
    [
        (r"[0-9]{4}-(?:0[1-9]|1[012])-(?:0[1-9]|1\d|2\d|3[01])" "\n", DAYS | {"reference": DAY}),
        (r"^[a-z]+$", {"reference": r"(?i)[A-Z]+", "flags": ["IGNORECASE"]}),
        (r"(?:ß|ss)\w*", {"match": ["ssa", "ßa"], "reference": r"(ß|ss)[a-zA-Z0-9_ß]*"}),
        (r"\d+", {"match": [{"text": "a1b22", "found": ["1", "22"]}], "reference": r"[0-9]+", "mode": "findall"}),
    ],
)
def test_a_right_pattern_may_be_written_otherwise(checker: Checker, pattern: str, check) -> None:
    ruling = rule(checker, pattern, **check)
    assert ruling.state == "right", ruling


def test_a_reference_that_does_not_hold_says_nothing_of_the_pattern(checker: Checker) -> None:
    details = {
        r"\d{4}-.*": "the reference on '2024-13-01': expected no match, got '2024-13-01'",
        "(": "the reference does not compile, or takes too long: missing ), unterminated subpattern at position 0",
    }
    for reference, detail in details.items():
        ruling = rule(checker, DAY, **DAYS, reference=reference)
        assert (ruling.state, ruling.reason, ruling.detail) == ("unscored", "bad-check", detail)
    assert "it used up its CPU time" in rule(checker, "a", reference="(a+)+").detail


def test_faults_come_all_at_once() -> None:
    kind = checkers.named("regex")
    assert kind.faults({"match": ["a"]}) == [
        "there is neither a string in 'no_match' nor a 'reference': .* would be right"
    ]
    assert kind.faults({"match": [1, {"text": "a", "found": ["a"]}], "no_match": [2], "flags": ["X"]}) == [
        "'flags' has 'X'; known are ASCII, DOTALL, IGNORECASE, MULTILINE, VERBOSE",
        "'no_match' has 2, which is no text",
        "'match' 1: should be text or a table, got 1",
        "'match' 2: 'found' should be text, got ['a']",
    ]
