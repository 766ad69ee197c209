"""One definition of a word: what it is in each script, and that the compiled loops and the Python code agree on it."""

import re
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.shingles import shingle
from pipeline.core.words import normalised, says_alone, split
from pipeline.stages.distinct.features import end_to_end, joined

SAMPLES = (
    "abEZ_09 .'-\n\u00e9e\u0301\u00ad\u2026\u200b\u200d\u00a0\u00df\ufb01\u00bd\u4e2d\u6587\u304b\u3099\uff76\uff9e"
    "\u0e01\u0e48\u0e33\u03a3\u03c2\u0130\u212a\ud55c\u1112\u1161\u11ab\u0939\u093f\u094d\u0643\u064e\u0640\u00ab\u00bb"
    "\u2014\U0001f600\U00020000\ud800\ufeff\u3164\u1780\u17d2"
)
TEXTS = st.text(alphabet=st.sampled_from(SAMPLES) | st.characters(), max_size=40)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("don't x_y 3.14 a-b", "don t x_y 3 14 a b"),
        ("na\u00efve caf\u00e9", "na\u00efve caf\u00e9"),
        ("nai\u0308ve cafe\u0301", "na\u00efve caf\u00e9"),
        ("return\u00a0the\u2003sum\u202fnow", "return the sum now"),
        ("ex\u00adam\u200bple\u2060 \ufeffof\u200d words\ufe0f", "example of words"),
        ("\u00abone\u00bb\u201ctwo\u201d\u2014three\u2026four", "one two three four"),
        ("\uff26\uff55\uff4c\uff4c \ufb01ne", "full fine"),
        ("Stra\u00dfe STRASSE", "strasse strasse"),
        ("\u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03cc\u03c2", "\u03bf\u03b4\u03bf\u03c3 \u03bf\u03b4\u03cc\u03c3"),
        (
            "\u0412\u0435\u0440\u043d\u0438 \u0441\u0443\u043c\u043c\u0443",
            "\u0432\u0435\u0440\u043d\u0438 \u0441\u0443\u043c\u043c\u0443",
        ),
        ("\ubaa9\ub85d\uc758 \ud569\uc744", "\ubaa9\ub85d\uc758 \ud569\uc744"),
        (unicodedata.normalize("NFD", "\ubaa9\ub85d\uc758 \ud569\uc744"), "\ubaa9\ub85d\uc758 \ud569\uc744"),
        (
            "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902",
            "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902",
        ),
        ("\u0645\u064e\u062c\u0645\u0648\u0639 \u0643\u0644", "\u0645\u064e\u062c\u0645\u0648\u0639 \u0643\u0644"),
        ("\u8fd4\u56de\u548c\u3002abc\u4e2d", "\u8fd4 \u56de \u548c abc \u4e2d"),
        ("\u308a\u3059\u3068\u306e\u30ea\u30b9\u30c8", "\u308a \u3059 \u3068 \u306e \u30ea \u30b9 \u30c8"),
        ("\uff76\uff9e\u304b\u3099", "\u30ac \u304c"),
        ("\u0e04\u0e37\u0e19\u0e04\u0e48\u0e32", "\u0e04\u0e37 \u0e19 \u0e04\u0e48 \u0e32"),
        ("\u1780\u17d2\u1793\u17bb\u1784", "\u1780\u17d2 \u1793\u17bb \u1784"),
        ("\u1019\u103c\u1014\u103a", "\u1019\u103c \u1014\u103a"),
        ("\u0ea5\u0eb2\u0ea7", "\u0ea5 \u0eb2 \u0ea7"),
        ("\U00020000\U00020001", "\U00020000 \U00020001"),
        ("\U0001f600 \u2192 \u2264", ""),
    ],
)
def test_what_a_word_is(text: str, words: str) -> None:
    assert split(text, fold=True) == words.split()


@given(st.text(alphabet=st.characters(max_codepoint=127)))
def test_in_ascii_text_words_are_runs_of_letters_digits_and_underscores(text: str) -> None:
    assert split(text) == re.findall(r"\w+", text)
    assert split(text, fold=True) == re.findall(r"\w+", text.lower())
    assert split(text, signs=True) == re.findall(r"\w+|[^\w\s]+", text)
    assert normalised(text) is text


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.integers(1, 4), st.booleans())
def test_the_compiled_loops_find_the_same_words(text: str, n: int, fold: bool) -> None:
    words = split(text, fold=fold)
    hashes, _ = shingle(*joined([text], fold=fold), n, fold)
    grams = {" ".join(words[i : i + n]) for i in range(len(words) - n + 1)}
    if grams:
        expected = {
            int(h) for gram in grams for h in shingle(*end_to_end([gram.encode("utf-8", "surrogatepass")]), n, False)[0]
        }
        assert set(map(int, hashes)) == expected
        assert len(expected) == len(grams)
    else:
        assert len(hashes) <= 1


@settings(max_examples=300, deadline=None)
@given(TEXTS, st.booleans())
def test_the_form_of_a_text_does_not_change_its_words(text: str, fold: bool) -> None:
    forms = {form: split(unicodedata.normalize(form, text), fold=fold) for form in ("NFC", "NFD", "NFKC", "NFKD")}
    assert all(words == forms["NFC"] for words in forms.values())
    assert normalised(normalised(text)) == normalised(text)
    signs = split(text, signs=True)
    assert "".join(signs).split() == [] or all(part and not part.isspace() for part in signs)


def test_alone_are_letters_of_scripts_without_spaces() -> None:
    assert [says_alone(word) for word in ("\u4e2d", "\u3042", "\u0e01", "a", "\u03b1", "\ud55c", "", "1")] == [
        *(True, True, True),
        *(False, False, False, False, False),
    ]


def test_texts_that_differ_in_nothing_one_sees_are_alike() -> None:
    text = "Cette m\u00e9thode renvoie la somme des \u00e9l\u00e9ments, tri\u00e9s par ordre croissant."
    for other in (unicodedata.normalize("NFD", text), text.replace(" ", "\u00a0"), text.replace("th", "t\u00adh")):
        hashes, bounds = shingle(*joined([text, other]), 5, False)
        assert hashes[: bounds[1]].tolist() == hashes[bounds[1] :].tolist() != []
