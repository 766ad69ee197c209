"""One test as it is run: its names, the modules that it imports and that are not there, and its mutations.

Used where the test has a process of its own (tester.py) and where it shares the program's (together.py).
"""

import ast
import builtins
import contextlib
import functools
import importlib.util
import io
import random
import re
import sys
import types
from collections.abc import Callable
from typing import Any

from pipeline.sandbox import checks
from pipeline.sandbox.cases import Runner
from pipeline.sandbox.checks import Checks, instrumented
from pipeline.sandbox.pytest_api import Skipped
from pipeline.sandbox.sentinel import Mutant, mutants

LookUp = Callable[[str], tuple[bool, Any]]
_FILE = "test.py"


def _imported_names(source: str) -> dict[str, tuple[str, str]]:
    """Names that a program's top level imports from the standard library: name -> (module, attribute or "")."""
    found: dict[str, tuple[str, str]] = {}
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return found
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".")[0]
                if root in sys.stdlib_module_names:
                    found[alias.asname or root] = (alias.name if alias.asname else root, "")
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in sys.stdlib_module_names:
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module, alias.name)
    return found


def _free_names(tree: ast.Module) -> list[str]:
    """Names that a test reads and neither binds at its top level nor finds among the builtins."""
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {(a.asname or a.name).split(".")[0] for a in node.names}
    read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    return sorted(read - bound - {checks.NAME})


class Trial:
    """A test with the names of the program that it uses, run as often as needed. Raises what looking them up raises.

    test: its text; reporting: whether that reports its comparisons already. look_up: (whether the program defines a
    name, its value).
    """

    def __init__(self, test: str, entry_point: str, source: str, look_up: LookUp, reporting: bool = False) -> None:
        self.entry_point = entry_point
        self.look_up = look_up
        self.tree = ast.parse(test)
        self.borrowed = _borrowed(self.tree)
        self.names: dict[str, Any] = {}
        imported = _imported_names(source)
        for name in {*_free_names(self.tree), entry_point}:
            if name in imported and name != entry_point:
                package, attribute = imported[name]
                __import__(package)
                self.names[name] = getattr(sys.modules[package], attribute) if attribute else sys.modules[package]
            elif name == entry_point or not hasattr(builtins, name):
                self._look_up(name, name)
        for name, origin in self.borrowed.items():
            if origin:
                self._look_up(name, origin)
        if self.names.get(entry_point) is None:
            raise AssertionError(f"the program defines no {entry_point}")
        code = ast.parse(test) if reporting else instrumented(ast.parse(test))
        self.code = compile(_without_missing(code), _FILE, "exec", dont_inherit=True)

    def _look_up(self, name: str, origin: str) -> None:
        known, value = self.look_up(origin)
        if known:
            self.names[name] = value
        elif origin in sys.stdlib_module_names:
            self.names[name] = __import__(origin)

    def run(self, run: Checks) -> None:
        """Run it against the program. Raises the first failure."""
        self._run(run, self.names[self.entry_point], self.names)

    def mutated(self, run: Checks, mutant: Mutant) -> None:
        """Run it against a function that returns what `mutant` says."""
        root = re.split(r"\W", self.entry_point, maxsplit=1)[0]
        ours = {root, self.entry_point} | {n for n, origin in self.borrowed.items() if origin == self.entry_point}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self._run(run, mutant.function, self.names | dict.fromkeys(ours, mutant.function))

    def _run(self, run: Checks, candidate: Any, names: dict[str, Any]) -> None:
        random.seed(0)
        checks.begin(run)
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        module.__dict__.update(names)
        module.__dict__.setdefault("candidate", candidate)
        module.__dict__[checks.NAME] = run
        for name, origin in self.borrowed.items():
            if not origin:
                module.__dict__[name] = _Program(self.look_up, self.entry_point, candidate)
        try:
            self._execute(module)
            Runner(module, self.tree, candidate, self.entry_point, run).run()
        except Skipped as skipped:
            run.note(str(skipped))
        if run.failed:
            raise AssertionError(run.failed)

    def _execute(self, module: types.ModuleType) -> None:
        """Run the test's statements; `sys.exit(0)` of its own only ends them."""
        try:
            exec(self.code, module.__dict__)  # noqa: S102 - what this process is for
        except SystemExit as error:
            if not _is_own(error) or error.code not in (None, 0):
                raise


class _Program:
    """The program as a module, where the test imports it from a file that is not there."""

    def __init__(self, look_up: LookUp, entry_point: str, candidate: Any) -> None:
        self.__dict__.update(_look_up=look_up, _known={entry_point: candidate})

    def __getattr__(self, name: str) -> Any:
        if name not in self._known:
            known, value = self._look_up(name)
            if not known:
                raise AttributeError(f"the program defines no {name}")
            self._known[name] = value
        return self._known[name]


def _is_own(error: BaseException) -> bool:
    """Whether the test itself raised an exception, and not what it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_code.co_filename == _FILE


def _borrowed(tree: ast.Module) -> dict[str, str]:
    """Names that a test imports from modules that are not there: name -> the program's name, "" for the module."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(a.asname or a.name.partition(".")[0]): "" for a in node.names if _is_missing(a.name)}
        elif isinstance(node, ast.ImportFrom) and (node.level or _is_missing(node.module or "")):
            found |= {(a.asname or a.name): a.name for a in node.names if a.name != "*"}
    return found


@functools.lru_cache(maxsize=256)
def _is_missing(module: str) -> bool:
    root = module.partition(".")[0]
    if root in sys.stdlib_module_names or root in sys.modules:
        return False
    try:
        return importlib.util.find_spec(root) is None
    except (ImportError, ValueError):
        return True


class _Present(ast.NodeTransformer):
    def visit_Import(self, node: ast.Import) -> ast.AST:
        node.names = [a for a in node.names if not _is_missing(a.name)]
        return node if node.names else ast.copy_location(ast.Pass(), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if node.level or _is_missing(node.module or "") else node


def _without_missing(tree: ast.Module) -> ast.Module:
    made: ast.Module = _Present().visit(tree)
    return ast.fix_missing_locations(made)


def depends(run: Callable[[Checks, Mutant], None], make: Callable[[], Checks] = Checks) -> bool:
    """Whether a test depends on what the function returns: with another result it fails, by its own word.

    A run that ends with an exception elsewhere than in a comparison says nothing; where each of them does, the test is
    given the benefit of the doubt.
    """
    held = False
    for mutant in mutants():
        seen = make()
        try:
            run(seen, mutant)
            held = held or mutant.kind is not None
        except BaseException:
            if seen.failed or seen.inside or seen.raising or mutant.spent:
                return True
        if mutant.spent:
            return True
    return not held
