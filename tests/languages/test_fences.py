"""Finding fenced code: CommonMark's rules, what models write in place of them, and no input that takes long."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.languages.fences import code_blocks, open_string, runnable
from pipeline.languages.normalise import normalised

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
    assert time.process_time() - start < 60  # in proportion to the square it would be hours


PYTHON_INFOS = [
    "python", "Python", "PYTHON", "py", "py3", "python2", "python3", "python3.11", "python 3.11", "ipython", "ipython3",
    "{.python}", "{.python .numberLines startFrom='1'}", "{python}", "{python, echo=TRUE}", "python,editable",
    "python:a.py", "python:src/a.py", "python title='a.py'", "python{1,3}", "python=", "language-python", "lang=python",
    "{code-cell} ipython3", "{code-block} python", "cpython", "main.py", "src/app.py", "12:20:src/app.py", ".python",
    "jupyter-python", "pypy3", "python-3", "'python'",
    "#!python", "python#1", "{ .python }", "python (3.11)", "python|run", "PY", "python;", "code:python",
]  # fmt: skip


@pytest.mark.parametrize("info", PYTHON_INFOS)
@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_info_strings_that_mean_python(fence: str, info: str) -> None:
    [block] = code_blocks(f"{fence}{info}\nx = 1\n{fence}\n")
    assert (block.is_python, block.language, block.code) == (True, "python", "x = 1\n")


@pytest.mark.parametrize(
    "info",
    ["bash", "text", "output", "pyret", "pytb", "pyproject", "json", "c++", "text:a", "a.pyx", "toml", "out.txt"],
)
def test_info_strings_that_do_not(info: str) -> None:
    [block] = code_blocks(f"```{info}\nx = 1\n```\n")
    assert (block.is_python, block.language) == (False, "other")


WRAPPED = [
    ("1. Do:\n\n   ", "   "),
    ("- ", "  "),
    ("1.  Do:\n    ", "    "),
    ("10. Do:\n\n    ", "    "),
    ("- a\n  - b\n\n    ", "    "),
    ("> ", "> "),
    ("> - ", ">   "),
    ("\t", "\t"),
    ("Do:\n\t", "\t"),
    ("Do:\n    ", "    "),
    ("1. Do:\n\n\t", "\t"),
    ("* Do:\n\t", "\t"),
    ("1. Do:\n  ", "  "),
    ("<details>\n<summary>Code</summary>\n", ""),
    ("<answer>\n", ""),
    ("| a |\n|---|\n", ""),
    ("Title\n---\n", ""),
    ("[x]: y\n", ""),
]


@pytest.mark.parametrize(("first", "rest"), WRAPPED)
def test_a_block_in_its_container_loses_the_indent(first: str, rest: str) -> None:
    code = ["if x:", "    y = 1", "", "    z = 2"]
    lines = ["```python", *code, "```"]
    text = first + lines[0] + "\n" + "".join((rest + line).rstrip() + "\n" for line in lines[1:])
    [block] = code_blocks(text + "\nafter\n")
    assert block.code == "\n".join(code) + "\n"
    assert block.closed
    assert text.split("\n")[block.line - 1].endswith("```python")


def test_code_indented_less_than_its_list_item() -> None:
    assert codes("1. Do:\n   ```python\nx = 1\n   ```\n2. And:\n   ```python\n   y = 1\n   ```\n") == [
        ("python", "x = 1\n", True),
        ("python", "y = 1\n", True),
    ]
    assert codes("1. Do:\n   ```python\n   x = 1\n\n2. And:\n   ```python\n   y = 1\n   ```\n") == [
        ("python", "x = 1\n\n", False),
        ("python", "y = 1\n", True),
    ]


def test_blocks_of_a_markdown_block_stand_for_it() -> None:
    text = "Here:\n\n````markdown\n# T\n\n```python\nx = 1\n```\n````\n```python\ny = 1\n```\n"
    assert [(block.tag, block.code, block.line) for block in code_blocks(text)] == [
        ("python", "x = 1\n", 6),
        ("python", "y = 1\n", 10),
    ]
    assert codes("```markdown\nplain\n```\nx") == [("markdown", "plain\n", True)]


def test_a_fence_with_info_in_a_docstring_and_a_block_after_it() -> None:
    source = (
        'def f():\n    """Use:\n\n    ```python\n    f()\n    ```\n    """\n\n\ndef g():\n    """\n```\ng()\n```\n"""\n'
    )
    assert codes(f"```python\n{source}```\n\n```python\nf()\n```\n") == [
        ("python", source, True),
        ("python", "f()\n", True),
    ]


@pytest.mark.parametrize(
    ("code", "language"),
    [
        ("import os\n", "python"),
        ("def f():\n    return 1\n", "python"),
        ("for x in y:\n    print(x)\n", "python"),
        (">>> x\n1\n", "session"),
        ("\n>>> x\n", "session"),
        ("x = 1\n", "unsure"),
        ("print(1)\n", "unsure"),
        ("Point(x=1, y=2)\n", "unsure"),
        ("5\n", "other"),
        ("[1, 2]\nTrue\n", "other"),
        ("hello\n", "other"),
        ("Hello, world!\n", "other"),
        ("x = 1 apples\n", "other"),
        ("return x\n", "other"),
        ("await f()\n", "other"),
        ("$ ls\n", "other"),
        ("", "other"),
    ],
)
def test_an_untagged_block_is_what_its_content_is(code: str, language: str) -> None:
    [block] = code_blocks(f"```\n{code}```\n")
    assert block.language == language


@pytest.mark.parametrize("tag", ["", "pycon", "python", "doctest", "text", "console", "python-repl", "py", "ipython3"])
def test_a_session_is_one_whatever_its_tag(tag: str) -> None:
    [block] = code_blocks(f"```{tag}\n>>> 1 + 1\n2\n```\n")
    assert block.language == "session"


def test_an_untagged_block_runs_where_all_its_names_are_known() -> None:
    untagged = ("q = P()", "name = Alice", "print(q)", "x = f(1)")
    text = "```python\nclass P: ...\n```\n" + "".join(f"```\n{code}\n```\n" for code in untagged)
    assert [block.code for block, _ in runnable(code_blocks(text))] == ["class P: ...\n", "q = P()\n", "print(q)\n"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_matter(newline: str) -> None:
    text = "a\n\n```python\nx = 1\n```\n".replace("\n", newline)
    assert [(b.code, b.line, b.closed) for b in code_blocks(text)] == [("x = 1\n", 3, True)]


@given(st.lists(st.sampled_from(["x = 1", "", "    y", "`", "~~", "# c", "é"]), max_size=6), st.sampled_from("`~"),
       st.integers(3, 6), st.sampled_from(WRAPPED), st.sampled_from(PYTHON_INFOS))  # fmt: skip
def test_what_is_fenced_is_read_back(lines: list[str], character: str, length: int, wrapped, info: str) -> None:
    first, rest = wrapped
    if not any(line.strip() for line in lines) or not lines[0]:
        lines = ["x = 1", *lines]
    fence = character * length
    body = "".join((rest + line).rstrip() + "\n" for line in [*lines, fence])
    [block] = code_blocks(f"{first}{fence}{info}\n{body}\nafter")
    assert block.code == "".join(line + "\n" for line in lines)
    assert (block.closed, block.is_python) == (True, True)
