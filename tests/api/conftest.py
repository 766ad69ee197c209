"""One run for the tests of the API."""

import pytest
from example_run import Example, build


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Example:
    return build(tmp_path_factory.mktemp("api"), name="shown")
