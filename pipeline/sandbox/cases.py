"""Runs what a test only defines: functions, classes and `unittest.TestCase`s, as pytest and unittest would.

Beyond what those collect, a function or method without arguments that asserts something and that nothing else names is
run too: models write `check_one` and forget to call it. Skipped tests, and those that are expected to fail, are not
run. What cannot be run is noted by name, for the detail of a test that compared nothing.
"""

import ast
import inspect
import types
import unittest
from collections.abc import Callable
from typing import Any

from pipeline.sandbox import pytest_api
from pipeline.sandbox.checks import NAME, Checks
from pipeline.sandbox.fixtures import Case, Fixtures, Refused, cases, needed
from pipeline.sandbox.pytest_api import Skipped
from pipeline.sandbox.reduce import asserts_anything

_HOOKS = """
setUp tearDown setUpClass tearDownClass setUpModule tearDownModule asyncSetUp asyncTearDown setup teardown setup_method
teardown_method setup_class teardown_class setup_module teardown_module setup_function teardown_function
"""
_SETTING_UP = frozenset(_HOOKS.split())


class Runner:
    """Runs the tests of one module after it was executed. candidate: the function under test."""

    def __init__(
        self, module: types.ModuleType, tree: ast.Module, candidate: Any, entry_point: str, checks: Checks
    ) -> None:
        self.names = module.__dict__
        self.module = module
        self.checks = checks
        self.candidate = candidate
        self.asserting = _asserting(tree)
        self.mentioned = _mentioned(tree)
        self.fixtures = Fixtures(self.names, {"candidate": candidate, entry_point: candidate})

    def run(self) -> None:
        """Run everything; raises the first failure."""
        if self._skipped("the test", pytest_api.marks_of(self.module)):
            return
        self._hook(self.names, "setup_module", self.module)
        self._hook(self.names, "setUpModule")
        try:
            own = [(n, v) for n, v in self.names.items() if getattr(v, "__module__", None) == self.module.__name__]
            for name, value in sorted(own, key=lambda item: not item[0].lower().startswith("test")):
                if isinstance(value, type):
                    self._class(name, value)
                elif inspect.isfunction(value) and self._collects(name, value):
                    self._hook(self.names, "setup_function", value)
                    self._function(name, value, None, pytest_api.marks_of(self.module))
                    self._hook(self.names, "teardown_function", value)
        finally:
            self.fixtures.close()
        self._hook(self.names, "teardown_module", self.module)
        self._hook(self.names, "tearDownModule")

    def _collects(self, name: str, function: Any) -> bool:
        """Whether to call a function of the module."""
        if hasattr(function, "__fixture__") or name in _SETTING_UP or name in self.checks.called:
            return False
        if name == "check" or name.startswith("test"):
            return True
        if name not in self.asserting or name in self.mentioned:
            return False
        if needed(function):
            self.checks.note(f"{name} is never called")
            return False
        return True

    def _function(self, label: str, function: Callable[..., Any], owner: Any, marks: list[pytest_api.Mark]) -> None:
        """Call a test function once for each of its parametrisations."""
        marks = [*marks, *pytest_api.marks_of(function)]
        if self._skipped(label, marks, function):
            return
        if label == "check" and len(needed(function)) == 1:
            _finished(function(self.candidate))
            return
        try:
            for case in cases(function, marks, self.fixtures.visible(type(owner) if owner is not None else None)):
                if not self._skipped(label, list(case.marks)):
                    self._case(function, owner, case)
        except Skipped as skipped:
            self.checks.note(f"{label}: {skipped}")
        except Refused as refused:
            self.checks.note(f"{label} {refused}")

    def _case(self, function: Callable[..., Any], owner: Any, case: Case) -> None:
        with self.fixtures.arguments(function, owner, case) as arguments:
            _finished(function(**arguments))

    def _class(self, name: str, cls: type) -> None:
        methods = [n for n in dir(cls) if callable(getattr(cls, n, None)) and n not in _SETTING_UP]
        methods = [n for n in methods if not hasattr(getattr(cls, n), "__fixture__")]
        tests = [n for n in methods if n.startswith("test")]
        tests += [n for n in methods if n not in tests and n in self.asserting and n not in self.mentioned]
        if issubclass(cls, unittest.TestCase):
            self._unittest(name, cls, tests)
            return
        for inner_name, inner in vars(cls).items():
            if isinstance(inner, type) and inner_name.startswith("Test"):
                self._class(f"{name}.{inner_name}", inner)
        if not tests or getattr(cls, "__test__", True) is False:
            return
        marks = [*pytest_api.marks_of(self.module), *pytest_api.marks_of(cls)]
        if self._skipped(name, marks, cls):
            return
        if _takes_arguments(cls):
            self.checks.note(f"{name} cannot be made without arguments")
            return
        _method(cls, "setup_class")
        for test in tests:
            instance = cls()
            method = getattr(instance, test)
            arguments = [n for n in needed(method) if n not in self.fixtures.visible(cls)]
            if not test.startswith("test") and arguments:
                self.checks.note(f"{name}.{test} is never called")
                continue
            for hook in ("setup_method", "setUp", "setup"):
                _method(instance, hook, method)
            try:
                self._function(f"{name}.{test}", method, instance, marks)
            finally:
                for hook in ("teardown_method", "tearDown", "teardown"):
                    _method(instance, hook, method)
        _method(cls, "teardown_class")

    def _unittest(self, name: str, cls: type[unittest.TestCase], tests: list[str]) -> None:
        marks = [*pytest_api.marks_of(self.module), *pytest_api.marks_of(cls)]
        if self._skipped(name, marks):
            return
        suite = unittest.TestSuite()
        for test in tests:
            method = getattr(cls, test)
            if getattr(method, "__unittest_expecting_failure__", False) or self._skipped(
                test, pytest_api.marks_of(method)
            ):
                self.checks.note(f"{name}.{test} is expected to fail, or skipped")
            elif needed(method):
                self.checks.note(f"{name}.{test} needs {', '.join(needed(method))}")
            else:
                suite.addTest(cls(test))
        if getattr(cls, "__unittest_expecting_failure__", False):
            self.checks.note(f"{name} is expected to fail")
            return
        result = unittest.TestResult()
        result.failfast = True
        suite.run(result)
        for case, reason in result.skipped:
            self.checks.note(f"{_short(case)} is skipped: {reason}"[:200])
        for case, report in (*result.failures, *result.errors):
            # A failure has been counted where it was made; an error is none.
            raise AssertionError(f"{_short(case)}: {report.strip().splitlines()[-1]}")

    def _skipped(self, label: str, marks: list[pytest_api.Mark], target: Any = None) -> bool:
        """Whether marks, or unittest's decorators of `target`, say not to run, or to expect a failure."""
        if getattr(target, "__unittest_skip__", False):
            self.checks.note(f"{label} is skipped, or expected to fail")
            return True
        for mark in marks:
            conditions = [c for c in mark.args if not isinstance(c, str)]
            if mark.name == "skip" or (mark.name in ("skipif", "xfail") and (all(conditions) or not conditions)):
                self.checks.note(f"{label} is skipped, or expected to fail")
                return True
        return False

    def _hook(self, names: dict[str, Any], name: str, *arguments: Any) -> None:
        hook = names.get(name)
        if inspect.isfunction(hook):
            hook(*arguments[: len(needed(hook))])


def _short(case: Any) -> str:
    return ".".join(str(case.id()).split(".")[-2:]) if hasattr(case, "id") else str(case)


def _method(owner: Any, name: str, *arguments: Any) -> None:
    """Call a method that sets up or tears down, where there is one, with the argument that it may take."""
    method = getattr(owner, name, None)
    if callable(method):
        _finished(method(*arguments[: len(needed(method))]))


def _takes_arguments(cls: type) -> bool:
    made: Any = inspect.getattr_static(cls, "__init__")
    return inspect.isfunction(made) and len(needed(made)) > 0


def _finished(value: Any) -> None:
    """Run a coroutine to its end; consume a generator, calling what it yields as nose did."""
    if inspect.iscoroutine(value):
        import asyncio  # not at the top: the fork-server imports this module, and few tests are asynchronous

        asyncio.run(value)
    elif inspect.isgenerator(value):
        for item in value:
            if isinstance(item, tuple) and item and callable(item[0]):
                item[0](*item[1:])


def _asserting(tree: ast.Module) -> set[str]:
    """Names of the functions and methods that assert or raise something."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {n.name for n in ast.walk(tree) if isinstance(n, kinds) and (asserts_anything(n) or _reports(n))}


def _reports(function: ast.AST) -> bool:
    """Whether a function of a sealed test compares something."""
    attributes = (n for n in ast.walk(function) if isinstance(n, ast.Attribute) and n.attr == "sealed")
    return any(isinstance(n.value, ast.Name) and n.value.id == NAME for n in attributes)


def _mentioned(tree: ast.Module) -> set[str]:
    """Names that are read anywhere, also as attributes."""
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return found | {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
