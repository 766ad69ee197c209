"""Fixtures and parametrisation of a test, as pytest gives them to test functions by the names of their arguments."""

import contextlib
import inspect
import io
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from pipeline.sandbox import pytest_api
from pipeline.sandbox.pytest_api import Fixture, Mark, Parameters

_MISSING: Any = object()


class Refused(Exception):
    """A test cannot be run here; the message names what it needs."""


class Case(NamedTuple):
    """One call of a test function. given: arguments by name, from a parametrisation. params: those of fixtures."""

    given: dict[str, Any]
    params: dict[str, Any]
    marks: tuple[Mark, ...]


class Fixtures:
    """The fixtures of a test module and their values.

    Values of a wider scope than one function live as long as this object; `close` ends them.
    """

    def __init__(self, namespace: dict[str, Any], given: dict[str, Any]) -> None:
        self.known = {f.name: f for f in map(_fixture_of, namespace.values()) if f is not None}
        self.given = given
        self.wide: dict[Any, Any] = {}
        self.stack = contextlib.ExitStack()

    def close(self) -> None:
        """Finish what fixtures of wider scopes have left to do."""
        self.stack.close()

    def visible(self, owner: Any) -> dict[str, Fixture]:
        """Fixtures that a function or a method of `owner` sees."""
        own = [_fixture_of(inspect.getattr_static(owner, name)) for name in dir(owner)] if owner is not None else []
        return self.known | {f.name: f for f in own if f is not None}

    @contextlib.contextmanager
    def arguments(self, function: Callable[..., Any], owner: Any, case: Case) -> Iterator[dict[str, Any]]:
        """Arguments for one call, and what the fixtures do before and after it. Raises Refused."""
        visible = self.visible(type(owner) if owner is not None else None)
        with contextlib.ExitStack() as stack:
            request = _Request(self, visible, owner, case, stack)
            for name in [f.name for f in visible.values() if f.autouse] + _used(function, owner):
                request.getfixturevalue(name)
            yield {name: request.getfixturevalue(name) for name in needed(function)}


class _Request:
    """pytest's `request`, as far as tests use it."""

    def __init__(
        self, fixtures: Fixtures, visible: dict[str, Fixture], owner: Any, case: Case, stack: contextlib.ExitStack
    ) -> None:
        self._fixtures = fixtures
        self._visible = visible
        self._case = case
        self._stack = stack
        self._values: dict[str, Any] = dict(case.given)
        self.instance = owner
        self.cls = type(owner) if owner is not None else None
        self.param: Any = None

    def addfinalizer(self, function: Callable[[], Any]) -> None:
        self._stack.callback(function)

    def getfixturevalue(self, name: str) -> Any:
        """The value of a fixture in this call. Raises Refused where nothing defines it."""
        if name in self._values:
            return self._values[name]
        fixture = self._visible.get(name)
        if fixture is not None:
            value = self._made(fixture)
        elif name == "request":
            return self
        elif name in _BUILTIN:
            value = self._stack.enter_context(_BUILTIN[name]())
        elif name in self._fixtures.given:
            value = self._fixtures.given[name]
        else:
            raise Refused(f"needs the fixture {name!r}, which nothing defines")
        self._values[name] = value
        return value

    def _made(self, fixture: Fixture) -> Any:
        function = fixture.function
        param = self._case.params.get(fixture.name)
        key = (fixture.name, repr(param))
        wide = fixture.scope != "function"
        if wide and key in self._fixtures.wide:
            return self._fixtures.wide[key]
        if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
            raise Refused(f"needs the asynchronous fixture {fixture.name!r}")
        names = needed(function)
        arguments = {name: self.getfixturevalue(name) for name in names}
        if "request" in arguments:
            arguments["request"] = request = _Request(
                self._fixtures, self._visible, self.instance, self._case, self._fixtures.stack if wide else self._stack
            )
            request.param = param
        own = self.instance if _first_is_self(function) else _MISSING
        value = function(**arguments) if own is _MISSING else function(own, **arguments)
        if inspect.isgenerator(value):
            stack = self._fixtures.stack if wide else self._stack
            generator = value
            value = next(generator)
            stack.callback(next, generator, None)
        if wide:
            self._fixtures.wide[key] = value
        return value


def _fixture_of(value: Any) -> Fixture | None:
    found = getattr(value, "__fixture__", None) if inspect.isfunction(value) else None
    return found if isinstance(found, Fixture) else None


def _first_is_self(function: Any) -> bool:
    names = list(inspect.signature(function).parameters)
    return bool(names) and names[0] == "self"


def _used(function: Any, owner: Any) -> list[str]:
    marks = [*pytest_api.marks_of(function), *pytest_api.marks_of(type(owner) if owner is not None else None)]
    return [name for mark in marks if mark.name == "usefixtures" for name in mark.args]


def needed(function: Callable[..., Any]) -> list[str]:
    """Names of the arguments that a test function must be given, without those that `mock.patch` adds."""
    parameters = inspect.signature(function).parameters.values()
    names = [
        p.name
        for p in parameters
        if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name != "self"
    ]
    patched = [p for p in getattr(function, "patchings", ()) if not p.attribute_name and "DEFAULT" in repr(p.new)]
    return names[len(patched) :]


def cases(function: Callable[..., Any], marks: list[Mark], visible: dict[str, Fixture]) -> list[Case]:
    """The calls that a test function's parametrisations, and those of its fixtures, ask for. Raises Refused."""
    axes: list[list[Case]] = []
    for mark in marks:
        if mark.name == "parametrize":
            axes.append(_axis(*mark.args, **mark.kwargs))
    for name in _reached(function, visible):
        values = [p if isinstance(p, Parameters) else Parameters((p,), ()) for p in visible[name].params]
        if values:
            axes.append([Case({}, {name: p.values[0]}, p.marks) for p in values])
    found = []
    for combination in itertools.product(*reversed(axes)):
        merged = Case({}, {}, ())
        for one in combination:
            merged = Case(merged.given | one.given, merged.params | one.params, (*merged.marks, *one.marks))
        found.append(merged)
    return found


def _axis(argnames: Any, argvalues: Any, indirect: Any = False, ids: Any = None, **_: Any) -> list[Case]:
    names = [n.strip() for n in argnames.split(",") if n.strip()] if isinstance(argnames, str) else list(argnames)
    found = []
    for row in argvalues:
        parameters = row if isinstance(row, Parameters) else Parameters((row,) if len(names) == 1 else tuple(row), ())
        if len(parameters.values) != len(names):
            raise Refused(f"is parametrised with {len(names)} names and a row of {len(parameters.values)} values")
        values = dict(zip(names, parameters.values, strict=True))
        to_fixture = set(names) if indirect is True else set(indirect or ())
        given = {n: v for n, v in values.items() if n not in to_fixture}
        found.append(Case(given, {n: values[n] for n in to_fixture}, parameters.marks))
    return found


def _reached(function: Callable[..., Any], visible: dict[str, Fixture]) -> list[str]:
    """Fixtures that a function needs, in turn, by name."""
    found: dict[str, None] = {}
    queue = [*needed(function), *(f.name for f in visible.values() if f.autouse)]
    while queue:
        name = queue.pop(0)
        if name in visible and name not in found:
            found[name] = None
            queue += needed(visible[name].function)
    return list(found)


class _Captured(NamedTuple):
    out: str
    err: str


@contextlib.contextmanager
def _capsys() -> Iterator[Any]:
    streams = [io.StringIO(), io.StringIO()]

    def read() -> _Captured:
        texts = [stream.getvalue() for stream in streams]
        for stream in streams:
            stream.seek(0)
            stream.truncate()
        return _Captured(*texts)

    with contextlib.redirect_stdout(streams[0]), contextlib.redirect_stderr(streams[1]):
        yield SimpleNamespace(readouterr=read, disabled=contextlib.nullcontext)


class MonkeyPatch:
    """pytest's `monkeypatch`: changes that are undone after the test."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], Any]] = []

    def undo(self) -> None:
        while self._undo:
            self._undo.pop()()

    @contextlib.contextmanager
    def context(self) -> Iterator["MonkeyPatch"]:
        inner = MonkeyPatch()
        try:
            yield inner
        finally:
            inner.undo()

    def setattr(self, target: Any, name: Any, value: Any = _MISSING, raising: bool = True) -> None:
        if isinstance(target, str):
            value, (module, _, name) = name, target.rpartition(".")
            target = _resolved(module)
        old = getattr(target, name, _MISSING)
        if raising and old is _MISSING:
            raise AttributeError(f"{target!r} has no attribute {name!r}")
        self._undo.append(lambda: delattr(target, name) if old is _MISSING else setattr(target, name, old))
        setattr(target, name, value)

    def delattr(self, target: Any, name: str, raising: bool = True) -> None:
        if raising or hasattr(target, name):
            old = getattr(target, name)
            self._undo.append(lambda: setattr(target, name, old))
            delattr(target, name)

    def setitem(self, mapping: Any, name: Any, value: Any) -> None:
        old = mapping.get(name, _MISSING)
        self._undo.append(lambda: mapping.pop(name, None) if old is _MISSING else mapping.__setitem__(name, old))
        mapping[name] = value

    def delitem(self, mapping: Any, name: Any, raising: bool = True) -> None:
        if raising or name in mapping:
            old = mapping.pop(name)
            self._undo.append(lambda: mapping.__setitem__(name, old))

    def setenv(self, name: str, value: Any, prepend: str | None = None) -> None:
        old = os.environ.get(name)
        self.setitem(os.environ, name, f"{value}{prepend}{old}" if prepend and old is not None else str(value))

    def delenv(self, name: str, raising: bool = True) -> None:
        self.delitem(os.environ, name, raising)

    def chdir(self, path: Any) -> None:
        old = Path.cwd()
        self._undo.append(lambda: os.chdir(old))
        os.chdir(path)

    def syspath_prepend(self, path: Any) -> None:
        old = list(sys.path)
        self._undo.append(lambda: sys.path.__setitem__(slice(None), old))
        sys.path.insert(0, str(path))


def _resolved(dotted: str) -> Any:
    root, *rest = dotted.split(".")
    value = __import__(root)
    for at, name in enumerate(rest):
        if not hasattr(value, name):
            __import__(".".join([root, *rest[: at + 1]]))
        value = getattr(value, name)
    return value


@contextlib.contextmanager
def _monkeypatch() -> Iterator[MonkeyPatch]:
    with MonkeyPatch().context() as patch:
        yield patch


@contextlib.contextmanager
def _tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextlib.contextmanager
def _caplog() -> Iterator[Any]:
    import logging  # not at the top: every program would carry it

    records: list[Any] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)

    class Log:
        handler: Any
        records: Any

        @property
        def messages(self) -> list[str]:
            return [record.getMessage() for record in records]

        @property
        def text(self) -> str:
            return "".join(f"{r.levelname} {r.name}: {r.getMessage()}\n" for r in records)

        @property
        def record_tuples(self) -> list[tuple[str, int, str]]:
            return [(r.name, r.levelno, r.getMessage()) for r in records]

        def clear(self) -> None:
            records.clear()

        def set_level(self, value: int | str, logger: str | None = None) -> None:
            logging.getLogger(logger).setLevel(value)

        @contextlib.contextmanager
        def at_level(self, value: int | str, logger: str | None = None) -> Iterator[None]:
            target = logging.getLogger(logger)
            old = target.level
            target.setLevel(value)
            yield
            target.setLevel(old)

    log = Log()
    log.handler, log.records = handler, records
    try:
        yield log
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


_BUILTIN: dict[str, Callable[[], Any]] = {
    "capsys": _capsys,
    "capfd": _capsys,
    "monkeypatch": _monkeypatch,
    "tmp_path": _tmp_path,
    "caplog": _caplog,
}
"""pytest's own fixtures that are given."""
GIVEN = frozenset(_BUILTIN)
"""Their names."""
