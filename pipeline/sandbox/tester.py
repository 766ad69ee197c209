"""The test's own process, for tests that do not reduce to calls and expressions (loops, random inputs, unittest).

The test runs here unchanged, apart from asserts that record what they compared; the program runs elsewhere and is
called by message (remote.py). So a program cannot reach the test, its `unittest` or its expected values.

What this does not stop. The test believes what the program's own objects and helper functions say of themselves: where
it compares two objects of the program's classes, or tests a class by its attributes, the program's methods decide;
where it checks an answer with a function of the prompt (HumanEval/38 and 50 decode what `encode_cyclic` encoded), a
program that redefines that function can make its own answer right. An object of the program never equals a builtin
value, whatever its `__eq__` says. Names that the program imported from the standard library, and all builtins, are the
real ones here.
"""

import ast
import builtins
import contextlib
import functools
import importlib.util
import io
import os
import random
import re
import sys
import types
from collections.abc import Callable
from typing import Any

from pipeline.sandbox import checks, codec, pytest_api, wire
from pipeline.sandbox.cases import Runner
from pipeline.sandbox.checks import Checks, instrumented
from pipeline.sandbox.child import CHANNEL, LINK, describe
from pipeline.sandbox.pytest_api import Skipped
from pipeline.sandbox.sentinel import Mutant, mutants
from pipeline.sandbox.standin import Caller


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
    return sorted(read - bound)


def _uses_objects(tree: ast.Module) -> bool:
    """Whether a test looks into objects: reads an attribute of something that is no module and not `self`.

    A test of a class does; one of a function mostly does not, and a class in the function's place is held to values.
    """
    plain = {"self", "cls"} | sys.stdlib_module_names
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            plain |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    reads = (node.value for node in ast.walk(tree) if isinstance(node, ast.Attribute))
    return any(not (isinstance(base, ast.Name | ast.Attribute) and _root(base) in plain) for base in reads)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def main() -> None:
    """Run the test that the judge sends and tell it how it ended."""
    request = codec.load(wire.receive(CHANNEL))
    caller = Caller(LINK, _lost)
    checks.count_unittest()
    sys.modules["pytest"] = pytest_api
    try:
        test = _Test(request["test"], request["entry_point"], request["source"], caller)
        run = Checks()
        test.run(run)
        answer: list[Any] = ["held"]
        if not run.ran and caller.raised is None:
            answer = ["empty", "; ".join(run.notes)]
        elif not request["known"] and not depends(test.mutated):
            answer = ["empty", "it holds whatever the function returns"]
    except AssertionError as error:
        answer = ["uncomparable" if caller.uncompared else "broke", str(error)[:600], caller.uncompared]
    except BaseException as error:
        answer = ["raised", describe(error), caller.raised is error]
        if error is caller.refusal:
            answer = ["uncomparable", str(error)[:600], caller.uncompared]
    wire.send(CHANNEL, codec.dump(answer))
    os.close(LINK)


def _lost(error: Exception) -> None:
    """Tell the judge that the program is gone or sends nonsense, and go no further."""
    wire.send(CHANNEL, codec.dump(["lost" if isinstance(error, wire.Closed) else "nonsense", str(error)[:200]]))
    os.read(CHANNEL, 1)
    os._exit(70)


class _Test:
    """A test with the names of the program that it uses, run as often as needed. Raises what looking them up raises."""

    def __init__(self, test: str, entry_point: str, source: str, caller: Caller) -> None:
        self.entry_point = entry_point
        self.caller = caller
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
        candidate = self.names.get(entry_point)
        caller.strict = not (isinstance(candidate, type) and _uses_objects(self.tree))
        if candidate is None:
            raise AssertionError(f"the program defines no {entry_point}")
        code = instrumented(ast.parse(test))
        self.code = compile(_without_missing(code), "test.py", "exec", dont_inherit=True)

    def _look_up(self, name: str, origin: str) -> None:
        known, value = self.caller.look_up(origin)
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
                module.__dict__[name] = _Program(self.caller, self.entry_point, candidate)
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
            if error is self.caller.raised or error.code not in (None, 0):
                raise


class _Program:
    """The program as a module, where the test imports it from a file that is not there."""

    def __init__(self, caller: Caller, entry_point: str, candidate: Any) -> None:
        self.__dict__.update(_caller=caller, _known={entry_point: candidate})

    def __getattr__(self, name: str) -> Any:
        if name not in self._known:
            known, value = self._caller.look_up(name)
            if not known:
                raise AttributeError(f"the program defines no {name}")
            self._known[name] = value
        return self._known[name]


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


def depends(run: Callable[[Checks, Mutant], None]) -> bool:
    """Whether a test depends on what the function returns: with another result it fails, by its own word.

    A run that ends with an exception elsewhere than in a comparison says nothing; where each of them does, the test is
    given the benefit of the doubt.
    """
    held = False
    for mutant in mutants():
        seen = Checks()
        try:
            run(seen, mutant)
            held = held or mutant.kind is not None
        except BaseException:
            if seen.failed or seen.inside or seen.raising or mutant.spent:
                return True
        if mutant.spent:
            return True
    return not held


def start() -> None:
    """Entry point after the fork; never returns."""
    try:
        main()
        os.read(CHANNEL, 1)
    except BaseException:
        os._exit(70)
    os._exit(0)
