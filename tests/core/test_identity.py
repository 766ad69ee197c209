import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.identity import canonical_json, content_id, digest, rng, rng_seed, spelled

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values)
def test_digest_is_a_function_of_the_value(value):
    assert digest(value) == digest(value)
    assert len(digest(value)) == 64


@given(st.dictionaries(st.text(), st.integers(), min_size=2))
def test_order_of_keys_does_not_matter(mapping):
    assert digest(mapping) == digest(dict(reversed(list(mapping.items()))))


def test_nan_has_no_identity():
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_value_without_canonical_form_is_refused():
    with pytest.raises(TypeError, match="object has no canonical JSON form"):
        digest(object())


def test_kind_is_part_of_the_id():
    assert content_id("passage", "x") != content_id("exercise", "x")
    assert len(content_id("passage", "x")) == 24


def test_lone_surrogates_have_an_id():
    assert digest("\ud800") != digest("\ud801")


def test_scopes_are_streams_of_their_own():
    draws = {scope: rng(1, *scope).random() for scope in [("a",), ("b",), ("a", 1), ("a", "1")]}
    assert len(set(draws.values())) == 4
    assert rng(1, "a").random() == draws[("a",)]
    assert rng(2, "a").random() != draws[("a",)]


@given(st.integers(), st.text())
def test_library_seeds_fit_63_bits(seed, scope):
    assert 0 <= rng_seed(seed, scope) < 2**63


@given(st.lists(st.text(st.sampled_from("\\ud8f0\ud800\udfff"), max_size=12), min_size=2, max_size=2, unique=True))
def test_two_texts_are_spelled_as_two(texts: list[str]) -> None:
    one, two = map(spelled, texts)
    assert one != two
    assert (one + two).encode().decode() == one + two
