"""The checker `json-schema`: documents, schemas, and checks that say nothing."""

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline import checkers
from pipeline.checkers.json_schema.child import _equal, parsed, twins
from pipeline.checkers.protocol import Checker, Item, Means, Terms

PERSON = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {"name": {"type": "string", "minLength": 1}, "age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}
ANN = {"name": "Ann", "age": 3}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    with checkers.named("json-schema").make(Terms(cpu_seconds=1.0), Means()) as opened:
        yield opened


def rule(checker: Checker, solution: str, **check):
    (ruling,) = checker.rule([Item("a", "", solution, check)])
    return ruling


@pytest.mark.parametrize(
    ("solution", "check", "reason", "detail"),
    [
        ('{"name": "Ann"}', {"schema": PERSON}, "invalid", "'age' is a required property"),
        ('{"name": "", "age": 1}', {"schema": PERSON}, "invalid", "at name: '' "),
        ('{"a": NaN}', {"schema": PERSON}, "no-json", "NaN is no JSON"),
        ('{"a": 1, "a": 2}', {"schema": PERSON}, "no-json", "the name 'a' stands twice in one object"),
        ("[" * 50_000, {"schema": PERSON}, "no-json", "maximum recursion depth exceeded"),
        (
            json.dumps(ANN),
            {"schema": PERSON, "equals": {"name": "Bob", "age": 3}},
            "not-equal",
            'expected {"name": "Bob", "age": 3}, got {"name": "Ann", "age": 3}',
        ),
        ("true", {"valid": [ANN], "invalid": [{}]}, "accepts-invalid", "expected {} is refused, got it is valid"),
        (
            json.dumps(PERSON | {"additionalProperties": True}),
            {"valid": [ANN], "reference": PERSON},
            "accepts-invalid",
            'expected {"name": "Ann", "age": 3, "unexpected": 1} is refused (Additional properties are not allowed',
        ),
        (
            json.dumps(PERSON | {"required": ["name", "age", "x"]}),
            {"valid": [ANN], "reference": PERSON},
            "refuses-valid",
            'expected {"name": "Ann", "age": 3} is valid, got \'x\' is a required property',
        ),
        ('{"type": "x"}', {"valid": [ANN], "invalid": [{}]}, "no-schema", "at type: 'x' is not valid"),
        ('{"$ref": "http://a.example/b"}', {"valid": [1], "invalid": [{}]}, "no-schema", "the reference 'http://a.ex"),
        ('{"pattern": "(a+)+$"}', {"valid": ["a" * 40 + "!"], "invalid": [1]}, "timeout", "the program used more than"),
        (" " * 100_001, {"schema": PERSON}, "too-large", "expected at most 100,000 characters, got 100,001"),
        *(
            (one, {"valid": [ANN], "invalid": [{}]}, "no-schema", f"{one} is neither an")
            for one in ("null", "5", '"a"')
        ),
        ("9" * 4_000, {"valid": [ANN], "invalid": [{}]}, "no-schema", "9999"),
        ('{"$schema": ["a"]}', {"valid": [ANN], "invalid": [{}]}, "no-schema", 'at $schema: ["a"] is no text'),
        ('{"$ref": "#"}', {"valid": [ANN], "invalid": [{}]}, "no-schema", "no document can be held against it: Recurs"),
        *((n, {"schema": {"multipleOf": 0.5}}, "too-large", "it cannot be held") for n in ("1e400", "9" * 4_000)),
        ("-" + "9" * 4_298, {"schema": PERSON}, "invalid", ""),
    ],
)
def test_a_wrong_answer_is_told(checker: Checker, solution: str, check, reason: str, detail: str) -> None:
    ruling = rule(checker, solution, **check)
    assert (ruling.state, ruling.reason) == ("wrong", reason), ruling
    assert ruling.detail.startswith(detail)


@pytest.mark.parametrize(
    ("solution", "check"),
    [
        ('{"age": 3.0, "name": "Ann"}', {"schema": PERSON, "equals": ANN}),
        (json.dumps(ANN), {"schema": PERSON, "invalid": [{}, {"name": 1, "age": 1}]}),
        (json.dumps(PERSON), {"valid": [ANN], "reference": PERSON}),
        ("-" + "9" * 400, {"schema": {"type": "integer", "maximum": 5}}),
        (json.dumps(PERSON | {"title": "a person"}), {"valid": [ANN], "invalid": [{}], "reference": PERSON}),
    ],
)
def test_a_right_answer_is_right(checker: Checker, solution: str, check) -> None:
    assert rule(checker, solution, **check).state == "right"


@pytest.mark.parametrize(
    ("check", "detail"),
    [
        ({"schema": {}}, "the schema refuses none of 35 documents made from the answer: it says nothing"),
        ({"schema": {"type": "objec"}}, "'schema' is none: at type: 'objec' is not valid"),
        ({"schema": PERSON, "invalid": [{"name": "B", "age": 1}]}, "'invalid' 1 is valid by the schema: {"),
        ({"valid": [{}], "reference": PERSON}, "the reference refuses 'valid' 1: 'name' is a required property"),
        ({"valid": [ANN], "invalid": [ANN], "reference": PERSON}, "the reference accepts 'invalid' 1: {"),
    ],
)
def test_a_check_that_does_not_hold_says_nothing_of_the_answer(checker: Checker, check, detail: str) -> None:
    ruling = rule(checker, json.dumps(ANN), **check)
    assert (ruling.state, ruling.reason) == ("unscored", "bad-check"), ruling
    assert ruling.detail.startswith(detail)


def test_faults_come_all_at_once() -> None:
    faults = checkers.named("json-schema").faults
    assert faults({}) == [
        "one of 'schema' (the answer is a document) and 'valid' (it is a schema) is needed, and not both"
    ]
    assert faults({"valid": [], "equals": 1}) == [
        "'valid' is empty",
        "there is neither a document in 'invalid' nor a 'reference': the schema true would be right",
        "'equals' goes with 'schema'",
    ]


@given(document=JSON)
def test_a_twin_is_another_document(document) -> None:
    assert not any(_equal(document, twin) for twin in twins(document))
    assert _equal(document, parsed(json.dumps(document)))
