"""Code blocks in prose, and the `>>>` examples in them."""

from pipeline.languages.python.examples import passage_examples, passage_program
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


def test_a_passage_is_one_program_of_its_blocks() -> None:
    expected = (Example("x = 1\n"), Example("y = x + 1\n"), Example("y\n", "2\n"))
    assert passage_examples(PASSAGE) == expected
    program = passage_program("p", PASSAGE)
    assert program is not None
    assert program.examples == expected
    assert passage_program("p", "only prose") is None


def test_every_fence_that_is_python_is_run() -> None:
    infos = ["py3", "python2", "ipython", "ipython3", "{.python}", "python,editable", "python:a.py", "python3.11"]
    for info in [*infos, "Python", ""]:
        for fence in ("```", "~~~", "````"):
            for indent in ("", "   ", "\t"):
                text = f"Do:\n\n{indent}{fence}{info}\n{indent}def f():\n{indent}    return 1\n{indent}{fence}\n"
                assert passage_examples(text) == (Example("def f():\n    return 1\n"),), text


def test_a_fence_in_a_docstring_is_part_of_its_block() -> None:
    source = 'def f(x):\n    """Use:\n\n```python\nf(1)\n```\n\n    >>> f(1)\n    1\n    """\n    return x\n'
    assert passage_examples(f"```python\n{source}```\n") == (Example(source), Example("f(1)\n", "1\n"))


def test_output_is_not_run() -> None:
    assert passage_examples("```python\nprint(2)\n```\n\n```\n2\n```\n\n```text\nx = y\n```\n") == (
        Example("print(2)\n"),
    )
