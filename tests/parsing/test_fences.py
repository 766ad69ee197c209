"""Finding fenced code: CommonMark's rules, what models write in place of them, and no input that takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.parsing import code_blocks, normalised
from pipeline.parsing.fences import open_string

pieces = st.lists(
    st.sampled_from(
        [
            "```",
            "~~~",
            "```python",
            "````",
            "  ```",
            '"""',
            "'''",
            "\\",
            '"',
            "#",
            "def f():",
            "    x",
            "\t",
            "é",
            "prose",
        ]
    ),
    max_size=30,
)


def codes(text: str) -> list[tuple[str, str, bool]]:
    return [(block.tag, block.code, block.closed) for block in code_blocks(normalised(text))]


@pytest.mark.parametrize("tag", ["python", "py", "Python3", "PYTHON", ""])
@pytest.mark.parametrize("fence", ["```", "~~~", "`````"])
def test_fences_and_tags_of_python(fence: str, tag: str) -> None:
    text = f"before\n{fence}{tag}\nx = 1\n{fence}\nafter"
    assert codes(text) == [(tag.lower(), "x = 1\n", True)]
    assert code_blocks(text)[0].is_python
    assert code_blocks(text)[0].line == 2


@pytest.mark.parametrize(
    ("info", "tag"),
    [
        ("python title='a.py'", "python"),
        (" python ", "python"),
        ("{.python}", "python"),
        ("{python}", "python"),
        ("python:main.py", "python"),
        ("c++", "c++"),
        ("text", "text"),
        ("!?", ""),
    ],
)
def test_the_tag_is_the_first_word(info: str, tag: str) -> None:
    assert codes(f"```{info}\nx\n```")[0][0] == tag


def test_a_block_in_a_list_loses_the_indent() -> None:
    assert codes("1. Do:\n\n   ```python\n   if x:\n       y\n\n   ```\n2. Next")[0][1] == "if x:\n    y\n\n"


def test_a_block_indented_by_a_tab() -> None:
    assert codes("\t```python\n\tx = 1\n\t\ty\n\t```")[0][1] == "x = 1\n\ty\n"


def test_an_unclosed_fence_runs_to_the_end() -> None:
    assert codes("```python\nx = 1\nprose") == [("python", "x = 1\nprose\n", False)]


def test_a_fence_needs_its_own_character_and_length() -> None:
    assert codes("````\n```\n~~~\n````") == [("", "```\n~~~\n", True)]


def test_a_deeply_indented_fence_does_not_close() -> None:
    assert codes('```python\ndef f():\n    """\n    ```\n    f()\n    ```\n    """\n```\nend')[0][1].count("```") == 2


def test_a_fence_inside_a_docstring_does_not_close() -> None:
    source = 'def f():\n    """Use:\n```python\nf()\n```\n    """\n    return 1\n'
    assert codes(f"```python\n{source}```\nend") == [("python", source, True)]


@pytest.mark.parametrize(
    "line", ['x = \'"""\'', "x = \"'''\"", '# """', "x = '\\'\"\"\"'", 'x = ""', 'it\'s """ # odd']
)
def test_quotes_that_open_no_long_string(line: str) -> None:
    assert codes(f"```python\n{line}\n```\nafter")[0][1] == line + "\n"


def test_a_string_that_never_ends_does_not_swallow_the_answer() -> None:
    assert codes('```python\nx = """\n```\nprose\n```python\ny = 1\n```') == [
        ("python", 'x = """\n', True),
        ("python", "y = 1\n", True),
    ]


def test_strings_do_not_matter_outside_python() -> None:
    assert codes('```text\n"""\n```\nx\n```text\n"""\n```') == [("text", '"""\n', True), ("text", '"""\n', True)]


def test_inline_code_is_no_fence() -> None:
    assert codes("```x``` is code\n`` ` ``\n") == []


def test_a_markdown_fence_around_all_is_taken_off() -> None:
    inner = "# T\n\n```python\nx = 1\n```\n\nend"
    assert normalised(f"\n```markdown\n{inner}\n```\n") == inner
    assert codes(f"```md\n{inner}\n```") == [("python", "x = 1\n", True)]


def test_line_endings_and_byte_order_mark() -> None:
    assert normalised("\ufeffa\r\nb\rc") == "a\nb\nc"


def test_reasoning_is_no_part_of_the_answer() -> None:
    assert codes("<think>\n```python\nx\n```\n</think>\n```python\ny\n```") == [("python", "y\n", True)]
    assert normalised("Prose.\n<think> no end") == "Prose.\n"


@pytest.mark.parametrize(
    ("line", "before", "after"),
    [
        ('"""', "", '"""'),
        ('"""', '"""', ""),
        ("'''\"\"\"", "", "'''"),
        ('r"""\\"""', "", '"""'),
        ("# '''", "", ""),
        ('"""a""" + \'\'\'b', "", "'''"),
        ("", "'''", "'''"),
    ],
)
def test_open_string(line: str, before: str, after: str) -> None:
    assert open_string(line, before) == after


@given(st.one_of(st.text(max_size=300), pieces.map("\n".join), pieces.map(" ".join)))
def test_any_text_gives_blocks_that_lie_in_it(text: str) -> None:
    text = normalised(text)
    lines = text.split("\n")
    end = 0
    for block in code_blocks(text):
        assert block.line > end
        end = block.line + block.code.count("\n") + block.closed
        assert end <= len(lines)


@pytest.mark.parametrize(
    "unit",
    [
        '```python\n"""\n```\n',
        '```python\n\\"""\n```\n',
        "```python\n",
        "```\n~~~\n",
        "```python\n'''\n```\n\"\"\"\n",
        "`" * 40 + "x`",
        " " * 50 + "```",
        "'\"" * 20,
        "\t```python {\n",
        "from a.b.c ",
        "def f(",
        "((((",
        "[{",
        "lambda: ",
        "f'{",
        "@x\n",
        "x = \\\n",
    ],
)
def test_long_garbage_takes_time_in_proportion(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    start = time.process_time()
    code_blocks(normalised(text))
    assert time.process_time() - start < 3
