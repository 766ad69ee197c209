from collections.abc import Iterator

import pytest

from pipeline.core.errors import SandboxUnavailable
from pipeline.sandbox import Limits, Sandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with two CPU seconds a program; weak where this machine has no strong one."""
    limits = Limits(cpu_seconds=2.0)
    try:
        opened = Sandbox(limits).__enter__()
    except SandboxUnavailable:
        opened = Sandbox(limits, mode="weak").__enter__()
    yield opened
    opened.close()
