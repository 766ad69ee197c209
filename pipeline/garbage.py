"""Artifacts that no run needs any more: what there is, and its removal."""

import contextlib
import fcntl
from collections.abc import Iterator

from pipeline.places import Places


@contextlib.contextmanager
def starting(places: Places) -> Iterator[None]:
    """Inside, a run writes down which artifacts it needs, and nobody takes them away; waits for a removal to end."""
    with _locked(places, fcntl.LOCK_SH):
        yield


@contextlib.contextmanager
def _locked(places: Places, how: int) -> Iterator[None]:
    with (places.data / "store.lock").open("a") as handle:
        with contextlib.suppress(OSError):  # a filesystem without locks
            fcntl.flock(handle, how)
        yield
