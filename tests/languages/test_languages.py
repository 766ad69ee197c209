"""What all languages promise: solutions are found, forms do not see layout and names, answers end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import RecipeError
from pipeline.languages.base import Found, match_rate
from pipeline.languages.finding import LANGUAGES, named

EVERY = pytest.mark.parametrize("language", LANGUAGES.values(), ids=list(LANGUAGES))


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(RecipeError) as raised:
        named("cobol")
    assert str(raised.value) == "there is no language 'cobol'\n  languages are python, sql, regex, text"


@pytest.mark.parametrize(
    ("language", "answer", "solution"),
    [
        ("sql", "Sure!\n```sql\nSELECT a\nFROM t;\n```\nor\n```sql\nSELECT b FROM t\n```", "SELECT a\nFROM t;\n"),
        ("sql", "```sql\nCREATE TABLE t (a);\n```\n\n```sql\nSELECT a FROM t;\n```", "SELECT a FROM t;\n"),
        ("sql", "SELECT a FROM t WHERE x = 1;\nThis query does it.", "SELECT a FROM t WHERE x = 1;\n"),
        (
            "sql",
            "As follows:\n\nWITH x AS (SELECT 1) SELECT * FROM x\n\nDone",
            "WITH x AS (SELECT 1) SELECT * FROM x\n",
        ),
        ("sql", "<think>SELECT 2</think>\n```\nselect 1\n```", "select 1\n"),
        ("regex", "```regex\n^\\d+$\n```", "^\\d+$\n"),
        ("regex", "The pattern is `^a+$`, for it is short.", "^a+$\n"),
        ("regex", "```python\nimport re\nre.compile(r'\\d{3}')\n```", "\\d{3}\n"),
        ("regex", "/^a\\/b$/i", "(?i)^a/b$\n"),
        ("regex", "^\\w+$", "^\\w+$\n"),
        ("text", 'Here:\n```json\n{"a": 1}\n```', '{"a": 1}\n'),
        ("text", " 42 km \n", "42 km\n"),
        ("python", "```python\ndef f():\n    return 1\n```\nDone.", "def f():\n    return 1\n"),
    ],
)
def test_a_solution_is_found_in_an_answer(language: str, answer: str, solution: str) -> None:
    found = named(language).solution(answer)
    assert isinstance(found, Found)
    assert found.text == solution


@pytest.mark.parametrize(
    ("language", "answer", "reason", "detail"),
    [
        ("sql", "Select what you like. It is easy.", "no-code", "0 fenced blocks"),
        ("sql", "```python\nx = 1\n```", "no-code", "0 SQL blocks of 1 (python)"),
        ("sql", "```sql\nSELECT 1", "unclosed-fence", "the fence opened on line 1 is not closed"),
        ("regex", "a\nb", "no-code", "0 fenced blocks"),
        ("text", "", "no-code", "0 characters"),
        ("python", "no", "no-code", "0 Python blocks and no line that starts a definition"),
        ("python", "```python\ndef f(:\n```", "unparsable", "block 1 of 1: line 1: invalid syntax"),
    ],
)
def test_an_answer_without_a_solution_says_why(language: str, answer: str, reason: str, detail: str) -> None:
    assert tuple(named(language).solution(answer)) == (reason, detail)


@pytest.mark.parametrize(
    ("language", "one", "other"),
    [
        (
            "sql",
            "SELECT c.name, COUNT(*) AS n FROM customers c GROUP BY c.id",
            "select  x.NAME, count( * ) as cnt from Customers as x -- hi\ngroup by x.id;",
        ),
        ("sql", "WITH q AS (SELECT 1 AS z) SELECT z FROM q", "WITH r AS (SELECT 1 AS y) SELECT (y) FROM r"),
        ("sql", "MERGE THIS  'a' nonsense", "merge this 'a' NONSENSE -- x"),
        ("regex", "(?P<x>[0-9]+)", "(\\d+)"),
        ("regex", "(?:a|b)", "[ba]"),
        ("text", "Ein Satz,  der endet.", "ein Satz der endet"),
        ("python", "def f(a):\n    return a + 1\n", "def g(b):  # x\n    return b + 1\n"),
    ],
)
def test_clones_have_one_form(language: str, one: str, other: str) -> None:
    forms = named(language)
    assert forms.normal_form(one) == forms.normal_form(other) != b""
    assert forms.normal_form(one, constants=False) == forms.normal_form(other, constants=False)


@pytest.mark.parametrize(
    ("language", "one", "other", "only_constants"),
    [
        ("sql", "SELECT a FROM t WHERE a > 1", "SELECT a FROM t WHERE a > 2", True),
        ("sql", "SELECT a FROM t ORDER BY a", "SELECT a FROM t ORDER BY a DESC", False),
        ("sql", "SELECT a FROM t", "SELECT DISTINCT a FROM t", False),
        ("sql", "SELECT a FROM t JOIN u ON 1", "SELECT a FROM t LEFT JOIN u ON 1", False),
        ("sql", "SELECT a FROM t UNION SELECT b FROM u", "SELECT a FROM t UNION ALL SELECT b FROM u", False),
        ("regex", "abc", "abd", True),
        ("regex", "a+", "a+?", False),
        ("regex", "[^a]", "[^b]", False),
        ("regex", "(ab)*c", "(abc)*", False),
        ("text", "in 1999", "in 2001", True),
        ("python", "x = f(1)\n", "x = f(2)\n", True),
    ],
)
def test_what_differs_has_another_form(language: str, one: str, other: str, only_constants: bool) -> None:
    forms = named(language)
    assert forms.normal_form(one) != forms.normal_form(other)
    same = forms.normal_form(one, constants=False) == forms.normal_form(other, constants=False)
    assert same == only_constants


@pytest.mark.parametrize(
    ("language", "text", "kept"),
    [
        ("sql", "SELECT 'a;b' FROM t; SELECT 2", "SELECT 'a;b' FROM t;"),
        ("sql", "\nSELECT 1\n\nMore", "\nSELECT 1"),
        ("sql", "SELECT 1 -- a;b\n, 2; x", "SELECT 1 -- a;b\n, 2;"),
        ("sql", "SELECT 'it''s;' /* ; */ ;x", "SELECT 'it''s;' /* ; */ ;"),
        ("sql", "SELECT 'a", None),
        ("sql", "SELECT 1\n```\nx", "SELECT 1"),
        ("regex", "a+\nb", "a+"),
        ("regex", "\na+", None),
        ("text", "one\ntwo\n\nthree", "one\ntwo"),
        ("python", "    return 1\nprint(2)\nx", "    return 1"),
    ],
)
def test_an_answer_ends(language: str, text: str, kept: str | None) -> None:
    place = named(language).stop("def f():\n")(text)
    assert (None if place is None else text[:place]) == kept


@pytest.mark.parametrize(
    ("language", "text", "flaw"),
    [
        ("sql", "SELECT a FROM", "line 1: Expected table name"),
        ("sql", "selec a", "'selec AS a' is no statement"),
        ("sql", "", "there is no statement"),
        ("sql", "(" * 5_000, ""),
        ("regex", "(", "missing ), unterminated subpattern at position 0"),
        ("regex", "(" * 3_000, "it is nested too deeply"),
        ("regex", "a" * 5_001, "5,001 characters > 5,000"),
        ("text", " ", "there is no text"),
        ("python", "def", "it is no Python"),
    ],
)
def test_a_flaw_is_told(language: str, text: str, flaw: str) -> None:
    found = named(language).flaw(text)
    assert found
    assert found.startswith(flaw)


@EVERY
@given(text=st.text(max_size=200))
def test_no_text_is_too_strange(language, text: str) -> None:
    language.solution(text)
    language.flaw(text)
    shape = language.shape(text)
    assert language.normal_form(text) == language.normal_form(text)
    assert match_rate(shape, shape) == (1.0 if shape else 0.0)
    place = language.stop("")(text)
    assert place is None or 0 <= place <= len(text)
    ranges = language.bare(text)
    assert all(0 <= start < stop <= len(text) for start, stop in ranges)
    assert ranges == sorted(ranges)


@EVERY
def test_an_endpoint_takes_the_stop_strings(language) -> None:
    assert 1 <= len(language.stop_strings) <= 4


@given(one=st.lists(st.sampled_from("abc"), max_size=8), other=st.lists(st.sampled_from("abc"), max_size=8))
def test_a_match_rate_is_symmetric_and_within_bounds(one: list[str], other: list[str]) -> None:
    assert 0 <= match_rate(one, other) == match_rate(other, one) <= 1
