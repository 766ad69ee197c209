"""Arrow arrays of Python values, made without pandas.

`pa.array` and `pa.scalar`, and every kernel that is given a Python value, import pandas to ask whether the value is one
of its own, where it is installed: a quarter of a second at the first page that somebody looks at, and 60 MB.
"""

from array import array
from collections.abc import Iterable, Sequence
from itertools import accumulate

import pyarrow as pa


def numbers(values: Iterable[int]) -> pa.Int64Array:
    """Whole numbers."""
    held = array("q", values)
    return pa.Int64Array.from_buffers(pa.int64(), len(held), [None, pa.py_buffer(held)])


def texts(values: Sequence[str]) -> pa.StringArray:
    """Texts that UTF-8 can hold; 2 GB together at most."""
    encoded = [value.encode() for value in values]
    ends = array("i", accumulate(map(len, encoded), initial=0))
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def truths(value: bool, count: int) -> pa.BooleanArray:
    """One truth value `count` times."""
    bits = (b"\xff" if value else b"\0") * ((count + 7) // 8)
    return pa.BooleanArray.from_buffers(pa.bool_(), count, [None, pa.py_buffer(bits)])
