"""What stands in for the function's result when a test is itself tested: a test that no result fails is no test.

A `Sentinel` goes along with whatever a test does to it (arithmetic, attributes, calls, iteration, unpacking) and gives
another sentinel, so that it reaches the comparison; there it answers as the one or the other `Kind` does. Plain values
follow, for tests of what a sentinel cannot lie about (`is not None`, `isinstance`).
"""

import dis
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

_BUDGET = 20_000
"""Operations on sentinels in one run: a loop that waits for another result would not end."""
_UNPACK = dis.opmap["UNPACK_SEQUENCE"]


class Spent(BaseException):
    """A test went on with sentinels for too long. It does depend on the result: no other one would keep it so."""


class Kind(NamedTuple):
    """How sentinels answer. equal: `==`, and every order. true: `bool`. length: of `len` and of an iteration."""

    equal: bool
    true: bool
    length: int


class Mutant:
    """One sentinel run: makes the function that returns sentinels, or `value` where the kind is None."""

    def __init__(self, kind: Kind | None, value: Any = None) -> None:
        self.kind = kind
        self.value = value
        self.left = _BUDGET
        self.called = 0

    def spend(self) -> None:
        """Count an operation. Raises Spent when there were too many."""
        self.left -= 1
        if self.left < 0:
            raise Spent

    @property
    def spent(self) -> bool:
        """Whether the budget was used up."""
        return self.left < 0

    def result(self) -> Any:
        """What the function returns."""
        return Sentinel(self) if self.kind is not None else self.value

    def function(self, *_: Any, **__: Any) -> Any:
        """In the function's place."""
        self.called += 1
        self.spend()
        return self.result()


def mutants() -> list[Mutant]:
    """All mutants, those first that decide most tests."""
    kinds = [Mutant(Kind(False, True, 3)), Mutant(Kind(True, False, 0))]
    return [*kinds, *(Mutant(None, value) for value in (None, "", 0))]


_AGAIN = """
abs add and call divmod enter floordiv getitem invert lshift matmul mod mul neg next or pos pow radd rand rdivmod
rfloordiv rlshift rmatmul rmod rmul ror round rpow rrshift rshift rsub rtruediv rxor sub truediv xor await
"""


class Sentinel:
    """Stands for a result; see the module's docstring."""

    def __init__(self, mutant: Mutant) -> None:
        object.__setattr__(self, "_mutant", mutant)

    _mutant: Mutant

    def _kind(self) -> Kind:
        self._mutant.spend()
        assert self._mutant.kind is not None
        return self._mutant.kind

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        self._mutant.spend()
        return Sentinel(self._mutant)

    def __setattr__(self, name: str, value: Any) -> None:
        self._mutant.spend()

    def __setitem__(self, key: Any, value: Any) -> None:
        self._mutant.spend()

    def __delitem__(self, key: Any) -> None:
        self._mutant.spend()

    def __eq__(self, other: object) -> bool:
        return self._kind().equal

    def __ne__(self, other: object) -> bool:
        return not self._kind().equal

    def __lt__(self, other: Any) -> bool:
        return self._kind().equal

    __le__ = __gt__ = __ge__ = __contains__ = __lt__

    def __hash__(self) -> int:
        return 918273

    def __bool__(self) -> bool:
        return self._kind().true

    def __len__(self) -> int:
        return self._kind().length

    def __iter__(self) -> Iterator[Any]:
        count = _unpacked(sys._getframe(1))
        return iter([Sentinel(self._mutant) for _ in range(self._kind().length if count is None else count)])

    def __exit__(self, *_: Any) -> None:
        return None

    def __index__(self) -> int:
        return 0 if self._kind().equal else 1

    def __int__(self) -> int:
        return -918273

    def __float__(self) -> float:
        return -918273.25

    def __complex__(self) -> complex:
        return -918273.25j

    def __repr__(self) -> str:
        return "<any result>"

    def __format__(self, _: str) -> str:
        return repr(self)


def _again(self: Sentinel, *_: Any, **__: Any) -> Any:
    self._mutant.spend()
    return Sentinel(self._mutant)


def _awaited(self: Sentinel) -> Any:
    yield from ()
    return _again(self)


for _name in _AGAIN.split():
    _method: Callable[..., Any] = _awaited if _name == "await" else _again
    setattr(Sentinel, f"__{_name}__", _method)


def _unpacked(frame: Any) -> int | None:
    """How many values the statement that iterates unpacks (`a, b = f(1)`), None where it does something else."""
    code, at = frame.f_code.co_code, frame.f_lasti
    return code[at + 1] if code[at] == _UNPACK else None
