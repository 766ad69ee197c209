"""Code blocks and `>>>` examples in prose."""

from pipeline.sandbox.examples import docstring_examples, doctests, passage_examples, passage_program, python_blocks
from pipeline.sandbox.types import Example

PASSAGE = """# Title

```python
x = 1
```

- item

  ~~~py
  y = x + 1
  ~~~

```text
not code
```

```python
>>> y
2
```
"""


def test_only_python_blocks_are_taken_without_their_list_indent() -> None:
    assert python_blocks(PASSAGE) == ["x = 1\n", "y = x + 1\n", ">>> y\n2\n"]


def test_a_passage_is_one_program_of_its_blocks() -> None:
    expected = (Example("x = 1\n"), Example("y = x + 1\n"), Example("y\n", "2\n"))
    assert passage_examples(PASSAGE) == expected
    program = passage_program("p", PASSAGE)
    assert program is not None
    assert program.examples == expected
    assert passage_program("p", "only prose") is None


def test_docstring_examples_are_those_of_the_entry_point() -> None:
    prompt = (
        'import math\n\ndef g():\n    """\n    >>> g()\n    1\n    """\n'
        '    return 1\n\ndef f(x):\n    """Twice.\n\n    >>> f(2)\n    4\n    """\n'
    )
    assert docstring_examples(prompt, "f") == (Example("f(2)\n", "4\n"),)
    assert docstring_examples("def f(:\n", "f") == ()


def test_malformed_examples_are_none() -> None:
    assert doctests(">>>f(1)\n1\n") == ()
