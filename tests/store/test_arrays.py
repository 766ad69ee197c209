"""Arrays made without pandas are those that Arrow itself makes."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.store.arrays import numbers, texts, truths


@given(st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_numbers(values: list[int]) -> None:
    assert numbers(values).equals(pa.array(values, pa.int64()))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_texts(values: list[str]) -> None:
    assert texts(values).equals(pa.array(values, pa.string()))


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 64, 100])
@pytest.mark.parametrize("value", [True, False])
def test_truths(value: bool, count: int) -> None:
    assert truths(value, count).equals(pa.array([value] * count, pa.bool_()))


def test_pandas_is_not_imported() -> None:
    code = "import sys; from pipeline.store.arrays import *; numbers([1]), texts(['a']), truths(True, 3)\n"
    code += "assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
