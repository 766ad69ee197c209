"""Every module of the standard library that can be imported outside the sandbox can be imported inside."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pipeline
from pipeline.sandbox import Program, Sandbox

OWN = Path(sys.base_prefix)
SIBLINGS = sorted(str(p) for p in OWN.parent.glob("*/bin/python3") if p.parents[1] != OWN)
KINDS = [sys.executable, *SIBLINGS, "/usr/bin/python3"]
"""This interpreter, its siblings in a folder of versions (pyenv, uv), and the distribution's."""

ABSENT = {"_pyrepl._minimal_curses": "looks for the curses library by starting a linker"}
"""Modules that cannot be imported inside, and why."""

WALK = """
import contextlib, importlib, io, json, pkgutil, sys
SIDE_EFFECTS = {"antigravity", "idlelib", "test", "this", "turtledemo"}

def walk(names):
    for name in sorted(names):
        parts = name.split(".")
        if parts[0] in SIDE_EFFECTS or {"__main__", "test", "tests"} & set(parts):
            continue
        yield name
        folders = getattr(sys.modules.get(name), "__path__", ())
        yield from walk(f"{name}.{found.name}" for found in pkgutil.iter_modules(folders))

def importable():
    found, lost = [], {}
    for name in walk(sys.stdlib_module_names):
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                importlib.import_module(name)
            found.append(name)
        except BaseException as error:
            lost[name] = f"{type(error).__name__}: {error}"[:200]
    return found, lost

def lost(names):
    found, why = importable()
    return {name: why.get(name, "not found") for name in names if name not in found}
"""

INSIDE = """
import json, sys
from pipeline.sandbox import Limits, Program, Sandbox
source, names = json.load(sys.stdin)
with Sandbox(Limits(cpu_seconds=60, idle_seconds=60)) as sandbox:
    (verdict,) = sandbox.run([Program("p", source, "lost", f"assert lost({names!r}) == {{}}")])
print(json.dumps([verdict.verdict, verdict.detail]))
"""

USES = {
    "mock": "from unittest.mock import Mock, patch\ndef f(): return Mock(return_value=5)()",
    "mime": "from email.mime.text import MIMEText\ndef f(): return len(MIMEText('a').as_string().splitlines()) + 0",
    "request": "import urllib.request\ndef f(): return len(urllib.request.Request('http://a/b').selector) + 3",
    "json tool": "import json.tool\ndef f(): return 5 if callable(json.tool.main) else 0",
    "ctypes": "import ctypes, ctypes.util\ndef f(): return ctypes.sizeof(ctypes.c_int) + 1",
    "encodings": "def f(): return len('\\u00e9\\u20acabc'.encode('cp1252'))",
    "source": "import inspect, json\ndef f(): return 5 if 'def dumps' in inspect.getsource(json.dumps) else 0",
    "resources": "import importlib.resources, json\n"
    "def f(): return 5 * importlib.resources.files(json).joinpath('tool.py').is_file()",
    "no host path": "import sys\ndef f(): return 5 - len([m for m in list(sys.modules.values())"
    " if 'pipeline' not in m.__name__ and str(getattr(m, '__file__', '')).startswith(HOST)])",
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as opened:
        yield opened


@pytest.mark.parametrize("python", KINDS)
def test_the_whole_standard_library_is_there(python: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(pipeline.__file__).parents[1]), "PYTHONDONTWRITEBYTECODE": "1"}

    def ask(code: str, said: str) -> str:
        """What `code` prints, run without the installed packages: some replace modules of the library."""
        command = [python, "-S", "-c", code]
        done = subprocess.run(command, input=said, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    try:
        version = ask("import sys; print(sys.version_info[:2] >= (3, 11))", "")
    except (OSError, AssertionError):
        version = "cannot be started"
    if version.strip() != "True":
        pytest.skip(f"{python} is no Python from 3.11 on")
    found, _ = json.loads(ask(WALK + "print(json.dumps(importable()))", ""))
    assert {"unittest.mock", "email.mime.text", "urllib.request", "json.tool", "ctypes.util"} <= set(found)
    names = [name for name in found if name not in ABSENT]
    assert json.loads(ask(INSIDE, json.dumps([WALK, names]))) == ["passed", ""]


@pytest.mark.parametrize("use", USES)
def test_what_packages_hold_is_used_inside(sandbox: Sandbox, use: str) -> None:
    host = f"{OWN}/" if Path("/usr") != OWN else "//"  # the distribution's library lies under the same path inside
    source = f"HOST = {host!r}\n{USES[use]}\n"
    (verdict,) = sandbox.run([Program(use, source, "f", "assert f() == 5")])
    assert verdict.passed, verdict.detail
