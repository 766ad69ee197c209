"""A table from content digests to integers that stays small: a million entries take about 20 MB, not 150."""

from array import array

_EMPTY = 0xFFFFFFFFFFFFFFFF
_FULL = 0.8
_GROWTH = 1.5


class Table:
    """Open addressing over two flat arrays: 64 bits of the digest, 64 bits of value.

    Keys are given as hex digits, of which the first 16 count: two of a million keys agree in them with a chance of
    3e-8, and readers that must not be wrong compare the whole key afterwards.
    """

    __slots__ = ("_keys", "_values", "count")

    def __init__(self) -> None:
        self.count = 0
        self._keys = array("Q", [_EMPTY]) * 64
        self._values = array("Q", [0]) * 64

    def get(self, key: bytes | str) -> int | None:
        """Value of `key`, or None."""
        slot = self._slot(int(key[:16], 16))
        return self._values[slot] if self._keys[slot] != _EMPTY else None

    def put(self, key: bytes | str, value: int) -> None:
        """Set the value of `key`, 0 <= value < 2^64."""
        number = int(key[:16], 16)
        slot = self._slot(number)
        if self._keys[slot] == _EMPTY:
            if self.count >= _FULL * len(self._keys):
                self._grow()
                slot = self._slot(number)
            self._keys[slot] = number if number != _EMPTY else 0
            self.count += 1
        self._values[slot] = value

    def _slot(self, number: int) -> int:
        keys = self._keys
        size = len(keys)
        if number == _EMPTY:
            number = 0
        slot = number % size
        while keys[slot] != number and keys[slot] != _EMPTY:
            slot += 1
            if slot == size:
                slot = 0
        return slot

    def _grow(self) -> None:
        keys, values = self._keys, self._values
        size = int(len(keys) * _GROWTH) | 1
        self._keys = array("Q", [_EMPTY]) * size
        self._values = array("Q", [0]) * size
        for key, value in zip(keys, values, strict=True):
            if key != _EMPTY:
                slot = self._slot(key)
                self._keys[slot] = key
                self._values[slot] = value
