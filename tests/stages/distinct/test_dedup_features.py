import random
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core import shingles as kernels
from pipeline.languages.python import outline as lexer
from pipeline.languages.python.normal_form import normal_form
from pipeline.recipe import DistinctTable
from pipeline.stages.distinct.features import features, joined, permutations


def outline(text: str) -> int:
    return int(lexer.outlines(*joined([text]), lexer.KEYWORD_HASHES)[0])


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "b", "Ab", "x1", "_", "é"]), min_size=5, max_size=30), st.integers(2, 5), st.data()
)
def test_shingles_are_the_word_ngrams(words: list[str], n: int, data: st.DataObject) -> None:
    separators = [data.draw(st.sampled_from([" ", "\n", ", ", " = ", "("])) for _ in words]
    text = "".join(word + separator for word, separator in zip(words, separators, strict=True))
    hashes, bounds = kernels.shingle(*joined([text]), n, False)
    found = re.findall(r"\w+", text)
    assert len(hashes) == bounds[1] == len({tuple(found[i : i + n]) for i in range(len(found) - n + 1)})
    assert (np.diff(hashes.astype(object)) > 0).all()


def test_folding_case_and_batches_do_not_change_hashes() -> None:
    texts = ["One two THREE four five six", "", "one two three four five six", "x"]
    plain, bounds = kernels.shingle(*joined(texts), 5, True)
    assert list(plain[bounds[0] : bounds[1]]) == list(plain[bounds[2] : bounds[3]])
    alone, _ = kernels.shingle(*joined([texts[2]]), 5, True)
    assert list(alone) == list(plain[bounds[2] : bounds[3]])
    assert bounds[1] == bounds[2]


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40), st.integers(1, 6))
def test_any_text_can_be_shingled(text: str, n: int) -> None:
    hashes, bounds = kernels.shingle(*joined([text, text]), n, False)
    assert list(hashes[: bounds[1]]) == list(hashes[bounds[1] :])
    assert (bounds[1] > 0) == bool(text.strip(" \t\n\r\x0b\x0c"))
    lexer.outlines(*joined([text]), lexer.KEYWORD_HASHES)


def test_jaccard_agrees_with_sets() -> None:
    draw = random.Random(3)
    for _ in range(50):
        a, b = ({draw.randrange(30) for _ in range(draw.randrange(20))} for _ in range(2))
        x, y = (np.array(sorted(s), dtype=np.uint64) for s in (a, b))
        assert kernels.jaccard(x, y) == pytest.approx(len(a & b) / len(a | b) if a | b else 0.0)


def exact_jaccard(a: str, b: str, shingle: int) -> float:
    """Exact Jaccard similarity of the word `shingle`-gram sets of two texts, in [0, 1]; see `kernels.shingle`."""
    hashes, bounds = kernels.shingle(*joined([a, b]), shingle, False)
    return float(kernels.jaccard(hashes[: bounds[1]], hashes[bounds[1] :]))


def test_signatures_estimate_the_similarity() -> None:
    draw = random.Random(0)
    words = [f"w{i}" for i in range(5_000)]
    base = draw.choices(words, k=600)
    other = base[:450] + draw.choices(words, k=150)
    table = DistinctTable(permutations=4_096, bands=4_096)
    batch = features([" ".join(base), " ".join(other)], table)
    estimate = (batch.bands[0] == batch.bands[1]).mean()
    assert estimate == pytest.approx(exact_jaccard(" ".join(base), " ".join(other), 5), abs=0.04)
    assert (permutations(128)[0] % 2 == 1).all()


CODE = """
@wraps(f)
def parse(items, limit=10, *rest):
    for i, item in enumerate(items):
        if item.name == 'x' and not item.done:
            return {"a": i + 0x10, **rest[0]}
        elif limit < 3:
            total = lambda v: v * 2
    return None
"""


@pytest.mark.parametrize(
    "changed",
    [
        CODE.replace("items", "xs").replace("item", "thing").replace("limit", "most").replace("parse", "scan"),
        CODE.replace("*rest):\n", '*rest):\n    """A docstring: with (brackets\n    and lines."""\n'),
        CODE.replace("    return None", "    # nothing found: so\n    return None  # done"),
        CODE.replace(
            "(items, limit=10, *rest)", "(items: dict[str, list[int]], limit: int = 10, *rest: Any) -> dict[str, int]"
        ),
        CODE.replace("total = lambda", "total: Callable[[int], int] = lambda"),
        CODE.replace("'x'", '"x"').replace("i + 0x10", "(\n i + 16)"),
        CODE.replace(
            "        elif limit < 3:\n            total",
            "        else:\n            if limit < 3:\n                total",
        ),
    ],
)
def test_clones_share_their_outline(changed: str) -> None:
    assert changed != CODE
    assert outline(changed) == outline(CODE) != 0
    if "else:\n" not in changed:
        assert normal_form(changed) == normal_form(CODE)


def test_other_programs_have_other_outlines() -> None:
    assert outline(CODE) != outline(CODE.replace("i + 0x10", "i - 0x10"))
    assert outline(CODE) != outline(CODE.replace("item.done", "item.open"))
    assert outline("") == outline("# only a comment\n") == outline('"""doc"""') == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = .5\n", "x = 0.5\n"),
        ("x = 1_000\n", "y = 1000\n"),
        ("x = 0XfF + 0o17 + 0b11\n", "y = 255 + 15 + 3\n"),
        ("x = 'a' \"b\"\n", 'y = r"""ab"""\n'),
        ("x = ('it' \"'s\")\n", "x = 'it\\'s'\n"),
        ("x = f'{a}'\na = 1\n", "y = f'{b}'\nb = 1\n"),
        ("def size(self, size):\n    return size\n", "def f(s, n):\n    return n\n"),
        (
            "def f(x):\n    return x\ndef g(x):\n    return f(x)\n",
            "def a(b):\n    return b\ndef c(d):\n    return a(d)\n",
        ),
        ("def f(x):\n    return g(x, x=1)\n", "def f(y):\n    return g(y, x=1)\n"),
        ("f = lambda x=1: x\n", "g = lambda y=1: y\n"),
    ],
)
def test_other_ways_of_writing_the_same_share_their_outline(one: str, other: str) -> None:
    assert outline(one) == outline(other) != 0
    assert normal_form(one) == normal_form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a = b + b\n", "a = b + c\n"),
        ("x = f(10)\n", "x = f(11)\n"),
        ("x = f('ab')\n", "x = f('ac')\n"),
        ("f(x=1)\n", "f(y=1)\n"),
        ("def f(a, b):\n    return a - b\n", "def f(a, b):\n    return b - a\n"),
    ],
)
def test_names_numbers_and_strings_tell_programs_apart(one: str, other: str) -> None:
    assert outline(one) != outline(other)
    assert normal_form(one) != normal_form(other)


def test_more_names_than_there_is_room_for_are_all_alike() -> None:
    def many(prefix: str) -> str:
        lines = [f"    {prefix}{i} = {prefix}{i // 2} + 1\n" for i in range(3 * lexer.NAMES)]
        return "def f():\n" + "".join(lines)

    assert outline(many("a")) == outline(many("b")) != 0
