"""The wheel carries everything that the checkout has, and works from any folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder with the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("hornbook-*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def test_data_files_and_licence_are_in_it(installed):
    shipped = installed / "pipeline" / "shipped"
    for folder in ("prompts", "data/seeds", "data/understanding"):
        there = shipped / folder.removeprefix("data/")
        assert {p.relative_to(there) for p in there.rglob("*") if p.is_file()} == {
            p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.is_file()
        }
    assert (shipped / "prices.toml").is_file()
    assert {p.name for p in (installed / "hornbook").iterdir()} == {"__init__.py", "py.typed"}
    assert list(installed.glob("hornbook-*.dist-info/licenses/LICENSE"))


def test_it_works_from_another_folder(installed, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(installed), "HF_HUB_OFFLINE": "1"}

    def hornbook(*arguments):
        code = f"import pipeline.cli.main as c; assert c.__file__.startswith({str(installed)!r}), c.__file__; c.main()"
        command = [sys.executable, "-P", "-c", code, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)

    plan = hornbook("plan", "first-run")
    assert plan.returncode == 0, plan.stderr
    assert "samples-before" in plan.stdout
    run = hornbook("run", "tiny", "--until", "decontaminated")
    assert run.returncode == 0, run.stderr
    assert list((tmp_path / "data" / "runs").glob("*/report.html"))
