"""Code blocks in prose, and the `>>>` examples in them."""

from pipeline.sandbox.examples import passage_examples, passage_program, python_blocks
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
