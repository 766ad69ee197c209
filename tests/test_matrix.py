"""`scripts/matrix` and what it rests on: the bounds in pyproject.toml and the versions that were tested."""

import importlib.util
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
VERSIONS = ("3.11", "3.12", "3.13")


@pytest.fixture
def matrix(tmp_path: Path) -> Any:
    """The script as a module, which keeps its files elsewhere."""
    loader = SourceFileLoader("matrix", str(ROOT / "scripts" / "matrix"))
    spec = importlib.util.spec_from_loader("matrix", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "matrix", module)
        loader.exec_module(module)
    module.PLACE = tmp_path / "matrix"  # type: ignore[attr-defined]
    return module


def direct() -> Iterator[Requirement]:
    """Everything that pyproject.toml asks for."""
    extras = PROJECT["optional-dependencies"].values()
    yield from (Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)])


@pytest.mark.parametrize("version", VERSIONS)
def test_what_was_tested_is_one_version_of_each_library_within_its_bounds(version: str) -> None:
    given: dict[str, set[str]] = {}
    for line in (ROOT / "scripts" / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            constraint = Requirement(line)
            if not constraint.marker or constraint.marker.evaluate({"python_full_version": f"{version}.5"}):
                given.setdefault(canonicalize_name(constraint.name), set()).add(str(constraint.specifier))
    assert all(len(versions) == 1 for versions in given.values())
    for wanted in direct():
        if wanted.name != "torch":
            [only] = given[canonicalize_name(wanted.name)]
            assert re.fullmatch(r"==[\w.]+", only)
            assert wanted.specifier.contains(only.removeprefix("==")), f"{wanted} with {only}"
    assert "torch" not in given


def test_the_lowest_row_has_the_lower_bound_of_every_requirement(matrix: Any) -> None:
    lowest = {Requirement(text).name: Requirement(text).specifier for text in matrix.lowest_versions()}
    extras = PROJECT["optional-dependencies"]
    asked = [Requirement(text) for text in [*PROJECT["dependencies"], *extras["humaneval"], *extras["dev"]]]
    assert set(lowest) == {wanted.name for wanted in asked} - {"torch"}
    for wanted in asked:
        if wanted.name != "torch":
            [pin] = lowest[wanted.name]
            assert f">={pin.version}" in {str(bound) for bound in wanted.specifier}


def test_the_tested_pythons_are_the_classified_ones(matrix: Any) -> None:
    classified = {c.rpartition(" ")[2] for c in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", c)}
    assert classified <= set(matrix.VERSIONS)
    assert {f"python{version}" for version in classified} <= set(matrix.ROWS)


PASSING = "import os\n\ndef test_a() -> None:\n    assert os.environ['TZ'] == 'Pacific/Chatham'\n"
FAILING = "import pytest\n\ndef test_b() -> None:\n    assert False\n\n@pytest.mark.skip\ndef test_c() -> None: ...\n"


def called(matrix: Any, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["matrix", *arguments])
    return int(matrix.main())


@pytest.fixture
def elsewhere(matrix: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The matrix of another checkout, with two tests that this Python runs in one process."""
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    (tmp_path / "test_good.py").write_text(PASSING)
    (tmp_path / "test_bad.py").write_text(FAILING)
    monkeypatch.setattr(matrix, "ROOT", tmp_path)
    monkeypatch.setattr(matrix, "OWN", Path(sys.executable))
    monkeypatch.setattr(matrix, "PYTEST", ("-m", "pytest", "-p", "no:cacheprovider"))
    matrix.ROWS["zone"] = matrix.Row("", {"TZ": "Pacific/Chatham", "HOME": None})
    return matrix


def test_a_row_runs_the_tests_under_what_it_says(
    elsewhere: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert called(elsewhere, monkeypatch, "zone", "test_good.py") == 0
    assert re.search(r"(?m)^zone +1 +0 +0 +\d+$", capsys.readouterr().out)
    assert called(elsewhere, monkeypatch, "zone", "test_good.py", "test_bad.py", "--", "-q") == 1
    out = capsys.readouterr().out
    assert re.search(r"(?m)^zone +1 +1 +1 +\d+\n    test_bad.py::test_b$", out)


def test_what_cannot_be_had_or_run_never_counts_as_passed(
    elsewhere: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> Path:
        raise elsewhere.NotAvailable("no Python 2.1")

    elsewhere.ROWS["zone"] = elsewhere.Row("", python=missing)
    assert called(elsewhere, monkeypatch, "zone") == 3
    assert "zone           not available: no Python 2.1" in capsys.readouterr().out
    elsewhere.ROWS["zone"] = elsewhere.Row("", wrapper=lambda: ["false"])
    assert called(elsewhere, monkeypatch, "zone") == 1
    assert "pytest ended with 1, see .matrix/zone.log" in capsys.readouterr().out
    elsewhere.ROWS["zone"] = elsewhere.Row("")
    assert called(elsewhere, monkeypatch, "zone", "test_good.py", "--", "-k", "nothing") == 1
    assert "pytest ended with 5" in capsys.readouterr().out
    with pytest.raises(SystemExit) as caught:
        called(elsewhere, monkeypatch, "zones")
    assert caught.value.code == 2
    assert "'zones' is no row and no file of tests; rows: plain, generic, avx2" in capsys.readouterr().err
