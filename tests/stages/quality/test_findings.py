"""Where a finding counts: in strings, comments and prose, not in the operators and names of Python code."""

import pytest

from pipeline.languages.finding import named
from pipeline.stages.quality.findings import Finding, in_words

ADDRESS = "weights@layer.bias"


def counted(text: str, language: str = "python") -> int:
    """How many of the occurrences of `ADDRESS` count."""
    places = [at for at in range(len(text)) if text.startswith(ADDRESS, at)]
    assert places
    return len(
        list(in_words(text, [Finding("e-mail address", at, at + len(ADDRESS)) for at in places], named(language)))
    )


@pytest.mark.parametrize("info", ["python", "py3", "{.python}", "Python", "python:a.py", "python3.11", ""])
@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
@pytest.mark.parametrize("indent", ["", "   ", "\t", "> "])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_names_in_a_block_of_python_are_no_address(info: str, fence: str, indent: str, newline: str) -> None:
    code = [f"y = {ADDRESS}", "", f"# write to {ADDRESS}", f"z = ({ADDRESS},", f"     'at {ADDRESS} now')"]
    lines = ["Prose é.", "", *(indent + line for line in (fence + info, *code, fence)), "", f"Ask {ADDRESS} for it."]
    assert counted(newline.join(lines)) == 3


def test_elsewhere_they_are() -> None:
    assert counted(f"```text\ny = {ADDRESS}\n```\n") == 1
    assert counted(f"Mail {ADDRESS}\n") == 1
    assert counted(f"```python\ny = ({ADDRESS}\n```\n") == 1


def test_python_with_a_fence_in_its_docstring_is_python_as_a_whole() -> None:
    assert counted(f'def f():\n    """\n    ```python\n    f()\n    ```\n    """\n    return {ADDRESS}\n') == 0
