"""`hornbook view` says where it is while it listens, and Ctrl-C is its end."""

from pathlib import Path

import httpx
from visiting import served


def test_the_address_is_printed_at_once_and_lets_in(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with served(tmp_path) as said:
        assert said["data"] == str(tmp_path)
        with httpx.Client(trust_env=False) as client:
            assert client.get(said["url"]).status_code == 200
            assert client.get(said["url"].partition("?")[0] + "api/runs").json() == []
