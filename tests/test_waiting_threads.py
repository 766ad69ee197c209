"""OpenMP's waiting threads sleep soon, unless the user's environment says something else."""

import os

import pytest

from pipeline.cli.main import main


def spins(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str | None:
    """GOMP_SPINCOUNT once the command has begun."""
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # so that it is put back
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main(["--version"])
    return os.environ.get("GOMP_SPINCOUNT")


def test_the_command_lets_waiting_threads_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spins(monkeypatch) == "1000"


def test_what_the_user_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    assert spins(monkeypatch, GOMP_SPINCOUNT="7") == "7"
    assert spins(monkeypatch, OMP_WAIT_POLICY="active") is None
