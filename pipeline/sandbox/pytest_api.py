"""What tests use of pytest, for a sandbox that has no packages: `import pytest` finds this module there.

The marks, fixtures and helpers below mean what they mean in pytest; `cases.py` runs what they mark. Whatever is missing
here is an AttributeError that names it.
"""

import contextlib
import math
import re
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple

from pipeline.sandbox import checks

__version__ = "8.0.0"
_RELATIVE, _ABSOLUTE = 1e-6, 1e-12
"""Tolerances of pytest.approx where it is told none."""


class Skipped(BaseException):
    """The test skips itself, or expects to fail."""


class Parameters(NamedTuple):
    """One set of a parametrisation, as `pytest.param` makes it."""

    values: tuple[Any, ...]
    marks: tuple[Any, ...]


class Mark(NamedTuple):
    """A mark as it stands on a function, class or module."""

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Mark a function or class, or take arguments first."""
        target: Any = args[0] if len(args) == 1 and not kwargs else None
        if isinstance(target, type) or (callable(target) and not isinstance(target, Mark)):
            marked: Any = target
            marked.pytestmark = [*marks_of(target), self]
            return marked
        return Mark(self.name, (*self.args, *args), self.kwargs | kwargs)


class _Marks:
    def __getattr__(self, name: str) -> Mark:
        return Mark(name, (), {})


mark: Any = _Marks()


def marks_of(target: Any) -> list[Mark]:
    """The marks of a function, class or module."""
    found = getattr(target, "pytestmark", [])
    return [found] if isinstance(found, Mark) else [m for m in found if isinstance(m, Mark)]


def param(*values: Any, marks: Any = (), id: str | None = None) -> Parameters:
    return Parameters(
        values, tuple(marks) if isinstance(marks, list | tuple) and not isinstance(marks, Mark) else (marks,)
    )


class Fixture(NamedTuple):
    """What `@pytest.fixture` was told. function: the decorated one. scope: pytest's word for how long it lives."""

    function: Callable[..., Any]
    name: str
    scope: str
    autouse: bool
    params: tuple[Any, ...]


def fixture(
    function: Any = None, *, scope: Any = "function", params: Any = None, autouse: bool = False, **more: Any
) -> Any:
    """Mark a function as a fixture; it stays callable as it is."""

    def mark_it(target: Any) -> Any:
        target.__fixture__ = Fixture(target, more.get("name") or target.__name__, scope, autouse, tuple(params or ()))
        return target

    return mark_it(function) if function is not None else mark_it


yield_fixture = fixture


def fail(reason: str = "", pytrace: bool = True, msg: str | None = None) -> None:
    raise checks.Failure(f"pytest.fail: {reason or msg or ''}")


def skip(reason: str = "", *, allow_module_level: bool = False, msg: str | None = None) -> None:
    raise Skipped(f"skipped: {reason or msg or ''}")


def xfail(reason: str = "") -> None:
    raise Skipped(f"expected to fail: {reason}")


def importorskip(modname: str, minversion: str | None = None, reason: str | None = None, **_: Any) -> Any:
    try:
        __import__(modname)
    except ImportError:
        raise Skipped(f"skipped: no module {modname}") from None
    import sys

    return sys.modules[modname]


def main(*_: Any, **__: Any) -> int:
    """Does nothing: the sandbox runs the tests."""
    return 0


class ExceptionInfo:
    """What `pytest.raises` caught."""

    value: BaseException
    tb: TracebackType | None

    @property
    def type(self) -> Any:
        return type(self.value)

    @property
    def typename(self) -> str:
        return type(self.value).__name__

    def match(self, pattern: str) -> bool:
        """Whether the exception's text matches; a failure where it does not."""
        if not re.search(pattern, str(self.value)):
            raise checks.Failure(f"the exception's text {str(self.value)[:200]!r} does not match {pattern!r}")
        return True

    def __str__(self) -> str:
        return str(self.value)


class _Raises:
    def __init__(self, expected: Any, match: str | None) -> None:
        self.expected = expected
        self.pattern = match
        self.info = ExceptionInfo()
        checks.current().ran += 1

    def __enter__(self) -> ExceptionInfo:
        return self.info

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if error is None:
            raise checks.Failure(f"pytest.raises: nothing was raised, expected {_names(self.expected)}")
        if not isinstance(error, self.expected):
            return False
        self.info.value, self.info.tb = error, trace
        if self.pattern is not None:
            self.info.match(self.pattern)
        return True


def _names(expected: Any) -> str:
    return ", ".join(getattr(e, "__name__", str(e)) for e in (expected if isinstance(expected, tuple) else (expected,)))


def raises(expected_exception: Any, *args: Any, match: str | None = None, **kwargs: Any) -> Any:
    """A context in which an exception must be raised, or call `args[0]` in one."""
    context = _Raises(expected_exception, match)
    if not args:
        return context
    with context as info:
        args[0](*args[1:], **kwargs)
    return info


@contextlib.contextmanager
def warns(expected_warning: Any = Warning, *, match: str | None = None) -> Iterator[list[Any]]:
    """A context in which a warning must be given."""
    checks.current().ran += 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught
    found = [w for w in caught if issubclass(w.category, expected_warning)]
    if not any(match is None or re.search(match, str(w.message)) for w in found):
        raise checks.Failure(f"pytest.warns: no warning of {_names(expected_warning)}")


def deprecated_call(*, match: str | None = None) -> Any:
    return warns((DeprecationWarning, PendingDeprecationWarning), match=match)


class approx:  # noqa: N801 - pytest's name
    """A number, or a sequence or mapping of numbers, equal to what is near it (1e-6 relative, 1e-12 absolute)."""

    def __init__(self, expected: Any, rel: float | None = None, abs: float | None = None, nan_ok: bool = False) -> None:
        self.expected = expected
        self.rel = rel
        self.abs = abs
        self.nan_ok = nan_ok

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"approx({self.expected!r})"

    def _near(self, expected: Any, actual: Any) -> bool:
        if isinstance(expected, dict):
            return (
                isinstance(actual, dict)
                and expected.keys() == actual.keys()
                and all(self._near(expected[key], actual[key]) for key in expected)
            )
        if isinstance(expected, list | tuple):
            same = type(actual) in (list, tuple) and len(actual) == len(expected)
            return same and all(self._near(e, a) for e, a in zip(expected, actual, strict=True))
        if expected == actual:
            return True
        numbers = isinstance(expected, int | float | complex) and isinstance(actual, int | float | complex)
        if isinstance(expected, bool) or not numbers:
            try:
                return bool(abs(actual - expected) <= self._tolerance(abs(expected)))
            except TypeError:
                return False
        if expected != expected or actual != actual:
            return self.nan_ok and expected != expected and actual != actual
        if math.isinf(abs(expected)) or math.isinf(abs(actual)):
            return False
        return bool(abs(actual - expected) <= self._tolerance(abs(expected)))

    def _tolerance(self, size: Any) -> Any:
        relative = (_RELATIVE if self.rel is None else self.rel) * float(size)
        if self.rel is None and self.abs is not None:
            return self.abs
        return max(relative, _ABSOLUTE if self.abs is None else self.abs)

    def __eq__(self, actual: object) -> bool:
        return self._near(self.expected, actual)

    def __ne__(self, actual: object) -> bool:
        return not self == actual
