"""A finished run to browse, a hostile one, and a client that has come in through the door."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1] / "report"))

from example_run import Example, build
from starlette.testclient import TestClient
from visiting import BASE, PORT

from pipeline.report import write_report
from pipeline.store.places import Places
from pipeline.store.store import Store
from pipeline.view.server import Door, app
from scripts.bench import view_run


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    """The report's example run, with its report."""
    made = build(tmp_path_factory.mktemp("view"))
    write_report(made.folder, made.store)
    return made


@pytest.fixture(scope="session")
def data(example: Example) -> Path:
    """Its data folder, which has a hostile run too."""
    folder: Path = example.folder.parents[1]
    view_run.build(folder, len(view_run.HOSTILE) * 4, "hostile", view_run.HOSTILE)
    return folder


@pytest.fixture(scope="session")
def where(data: Path) -> Places:
    """The places of that folder."""
    return Places(data, Store(str(data / "store")))


@pytest.fixture
def door() -> Door:
    """A door that nobody has come through yet."""
    return Door(PORT)


@pytest.fixture
def outside(where: Places, door: Door) -> Iterator[TestClient]:
    """A client without a cookie."""
    with TestClient(app(where, door), base_url=BASE) as client:
        yield client


@pytest.fixture
def inside(outside: TestClient, door: Door) -> TestClient:
    """The same after its visit."""
    assert outside.get("/", params={"token": door.token}).status_code == 200
    return outside
