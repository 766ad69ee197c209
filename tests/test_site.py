"""The pages as one site: every page in it, no dead link, nothing from outside."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from test_docs import PAGES, ROOT

SITE = ROOT / "scripts" / "site"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "out"
    subprocess.run([sys.executable, str(SITE), str(out)], check=True, capture_output=True)
    return out


def test_every_page_is_in_it(built: Path) -> None:
    for page in PAGES:
        place = page.relative_to(ROOT).with_suffix(".html")
        place = place.with_name("index.html") if page.name == "README.md" else place
        assert (built / place).is_file(), place


def test_a_reader_fetches_nothing_from_outside(built: Path) -> None:
    for page in built.rglob("*.html"):
        loaded = re.findall(r"<(?:script|link|img)[^>]+(?:src|href)=\"?(https?://[^\" >]+)", page.read_text())
        assert loaded == [], page


def test_a_dead_link_stops_it(tmp_path: Path) -> None:
    names = runpy.run_path(str(SITE))
    (tmp_path / "README.md").write_text("# Start\n\n[nowhere](NOWHERE.md)\n")
    names["build"].__globals__.update(ROOT=tmp_path, NAVIGATION={"Start": "README.md"})
    with pytest.raises(subprocess.CalledProcessError):
        names["build"](tmp_path / "out")
