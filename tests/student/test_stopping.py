"""Where a function's body ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.student.stopping import code_stop, string_stop


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


@given(st.text(alphabet="ab\n", max_size=20), st.text(alphabet="ab\n", min_size=1, max_size=2))
def test_string_stop_leaves_no_stop_string(text: str, string: str) -> None:
    place = string_stop([string])(text)
    assert string not in text[:place]
    assert (place is None) == (string not in text)
