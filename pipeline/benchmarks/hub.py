"""Benchmarks from the Hugging Face hub or its local cache, with one quick look at whether the hub answers at all.

Without a network `datasets` tries for half a minute before it says so; a benchmark that is not there is an error that a
user should see at once.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

REACH_SECONDS = 3.0
"""Wait for the hub's first answer; one attempt."""


def rows(repository: str, configuration: str, splits: Sequence[str]) -> list[dict[str, Any]]:
    """The rows of the splits, in order; from the cache alone where the hub does not answer.

    Raises whatever `datasets` raises for what is neither there nor cached.
    """
    import datasets

    if reachable():
        return [dict(row) for split in splits for row in datasets.load_dataset(repository, configuration, split=split)]
    with offline():
        return [dict(row) for split in splits for row in datasets.load_dataset(repository, configuration, split=split)]


def reachable() -> bool:
    """Whether the hub answers within `REACH_SECONDS`; False without a question where HF_HUB_OFFLINE is set."""
    import datasets
    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or datasets.config.HF_HUB_OFFLINE:
        return False
    try:
        return not httpx.head(constants.ENDPOINT, timeout=REACH_SECONDS).is_server_error
    except httpx.HTTPError:
        return False


@contextmanager
def offline() -> Iterator[None]:
    """`datasets` and `huggingface_hub` read nothing but their caches while inside.

    Both read HF_HUB_OFFLINE once, when they are imported, so it is their own switches that are turned.
    """
    import datasets
    from huggingface_hub import constants

    before = datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE
    datasets.config.HF_HUB_OFFLINE = constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE, constants.HF_HUB_OFFLINE = before
