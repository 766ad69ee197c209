"""Where a function's body ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.languages.python.stopping import AnswerEnd, CodeStop, code_stop, program_stop

PROMPT = 'def f(x):\n    """Doc."""'
HELPER = "\n    return helper(x)\n\ndef helper(x):\n    return x"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\n    return 1\n\nprint(f(1))", "\n    return 1\n"),
        ("\n    return 1\ndef g():", "\n    return 1"),
        ("\n# first the sum\n    return 1\nx", "\n# first the sum\n    return 1"),
        ("\n    return 1\n# Example", "\n    return 1"),
        (
            "\n    # a comment is no body\n# nor is this\n    return 1\nx",
            "\n    # a comment is no body\n# nor is this\n    return 1",
        ),
        ("\n    return max(\n)\nx", "\n    return max(\n)"),
        ("\n\n\n    return 1", "\n\n\n    return 1"),
        ("\n    return 1\n", "\n    return 1\n"),
        ("", ""),
    ],
)
def test_code_stop(text: str, kept: str) -> None:
    place = code_stop(text)
    assert text[:place] == kept


@given(st.text(alphabet="a #\n)", max_size=30))
def test_cutting_twice_is_cutting_once(text: str) -> None:
    once = text[: code_stop(text)]
    assert once[: code_stop(once)] == once


BODIES = [
    # Strings, brackets and joined lines are no end, whatever stands at column zero in them.
    ("\n    return '''a\nb\n'''\nprint(1)", "\n    return '''a\nb\n'''"),
    ('\n    return """a\ndef g():\n"""\nprint(1)', '\n    return """a\ndef g():\n"""'),
    ('\n    return rf"""{x}\\\nz"""\nprint(1)', '\n    return rf"""{x}\\\nz"""'),
    ("\n    return [\n1,\n2,\n]\nprint(1)", "\n    return [\n1,\n2,\n]"),
    ("\n    return {\n'(': [\n1,\n]}\nprint(1)", "\n    return {\n'(': [\n1,\n]}"),
    ("\n    return 1 + \\\n1\nz = 1", "\n    return 1 + \\\n1"),
    ("\n    return 'a\\\nb'\nz = 1", "\n    return 'a\\\nb'"),
    # Nor is a comment between lines of the body, or a quote or bracket in one.
    ("\n    y = 1\n# now ( '''\n    return y\nz", "\n    y = 1\n# now ( '''\n    return y"),
    ("\n    s = 'it\\'s ('\n    return s  # don't [\nz = 1", "\n    s = 'it\\'s ('\n    return s  # don't ["),
    # A helper, an import, a constant, a class that the body needs, with what belongs to them.
    (HELPER + "\n\nprint(f(1))", HELPER + "\n"),
    (
        "\n    return helper(x)\n\n# helps\n@staticmethod\nasync def helper(x):\n    pass\n\n# Test\nprint(1)",
        "\n    return helper(x)\n\n# helps\n@staticmethod\nasync def helper(x):\n    pass\n",
    ),
    (
        "\n    return a(x)\ndef a(x):\n    return b\ndef b(): pass\nf",
        "\n    return a(x)\ndef a(x):\n    return b\ndef b(): pass",
    ),
    ("\n    return math.pi\n\nimport math\n\ndef g(): pass", "\n    return math.pi\n\nimport math\n"),
    (
        "\n    return a(x)\n\nfrom m import (\n  a,\n  b,\n)\n\nfoo",
        "\n    return a(x)\n\nfrom m import (\n  a,\n  b,\n)\n",
    ),
    ("\n    return np.e\nimport numpy as np\nz", "\n    return np.e\nimport numpy as np"),
    ("\n    return T[x]\nT = {\n1: 2,\n}\nprint(f(1))", "\n    return T[x]\nT = {\n1: 2,\n}"),
    (
        "\n    return Node(x)\nclass Node:\n    pass\nclass Other:\n    pass",
        "\n    return Node(x)\nclass Node:\n    pass",
    ),
    # What nothing needs: another function, the same one again, a local name, a helper that is cut off.
    ("\n    return 1\n\ndef g():\n    return 2", "\n    return 1\n"),
    ("\n    return f(x - 1)\n\ndef f(x):\n    return 2", "\n    return f(x - 1)\n"),
    ("\n    result = x\n    return result\nresult = f(3)", "\n    result = x\n    return result"),
    ("\n    return helper(x)\n\ndef helper(x):\n    return (x", "\n    return helper(x)\n"),
    ("\n    return helper(x)\n\ndef hel", "\n    return helper(x)\n"),
    ("\n    return helper(x)\nSo much for helper.", "\n    return helper(x)"),
    # A bracket that is never closed ends with the next definition.
    ("\n    return (1\n\ndef g():\n    pass", "\n    return (1\n"),
]


@pytest.mark.parametrize(("text", "kept"), BODIES)
def test_a_body_ends_where_python_says(text: str, kept: str) -> None:
    assert text[: code_stop(text, PROMPT)] == kept


@pytest.mark.parametrize(("text", "kept"), BODIES)
@pytest.mark.parametrize("step", [1, 3])
def test_a_growing_text_ends_at_the_same_place(text: str, kept: str, step: int) -> None:
    stop = AnswerEnd("body").after(PROMPT)
    grown = [stop(text[:size]) for size in range(1, len(text), step)]
    place = next((place for place in grown if place is not None), stop(text, ended=True))
    assert text[:place] == kept


def test_an_answer_without_a_missing_name_ends_at_once() -> None:
    """As soon as the first character after the body is there: what follows costs tokens."""
    stop = AnswerEnd("body").after(PROMPT)
    body = "\n    return x\n"
    assert stop(body) is None
    assert stop(body + "d") == len(body) - 1


@pytest.mark.parametrize(
    ("prompt", "text", "kept"),
    [
        (
            'def f(x):\n    """Doc',
            ' goes on\nat column zero.\n    """\n    return 1\nz',
            ' goes on\nat column zero.\n    """\n    return 1',
        ),
        ("def f(x):\n    return [", "\n1,\n]\nz", "\n1,\n]"),
        ("def helper(): pass\ndef f(x):", "\n    return helper()\ndef helper(): pass", "\n    return helper()"),
        ("import math\ndef f(x):\n", "    return math.pi\nimport math", "    return math.pi"),
    ],
)
def test_the_prompt_is_part_of_the_program(prompt: str, text: str, kept: str) -> None:
    assert text[: code_stop(text, prompt)] == kept


@given(
    st.lists(
        st.sampled_from(["\n", "    ", "x", "'", '"""', "(", ")", "# ", "def g():", "\\", "return ", "= "]), max_size=24
    )
)
def test_a_stop_does_not_depend_on_how_the_text_came(pieces: list[str]) -> None:
    text = "".join(pieces)
    whole = code_stop(text, PROMPT)
    stop = CodeStop(PROMPT, "body")
    grown = [stop(text[:size]) for size in range(len(text) + 1)]
    found = next((place for place in grown if place is not None), stop(text, ended=True))
    assert found == whole


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("\ndef f():\n    return 1\nassert f()", "\ndef f():\n    return 1"),
        ('\nT = """\nprint(\nassert\n"""\nprint(T)', '\nT = """\nprint(\nassert\n"""'),
        ("\nT = [\nif_,\n]\nif T: pass", "\nT = [\nif_,\n]"),
        ('\ndef f(): pass\n"""Next."""', "\ndef f(): pass"),
        ("\ndef f(): pass\n```\nprose", "\ndef f(): pass"),
        ("\nimport re\ndef f(): pass\nclass A: pass", "\nimport re\ndef f(): pass\nclass A: pass"),
    ],
)
def test_a_program_ends_where_its_definitions_do(text: str, kept: str) -> None:
    assert text[: program_stop(text)] == kept
