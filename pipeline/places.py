"""The folders of an installation: store, runs and converted models, all below one data folder.

The data folder is `--data`, else $HORNBOOK_DATA, else `data/` of the checkout or, for an installed wheel, `data/` of
the current folder.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.store import Store


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie. store: may be remote; runs and models are local."""

    data: Path
    store: Store

    @property
    def runs(self) -> Path:
        """Folder of runs, one folder each."""
        return self.data / "runs"

    @property
    def models(self) -> Path:
        """Cache of converted and downloaded models, and of work in progress for a remote store."""
        return self.data / "models"


def places(data: str = "") -> Places:
    """The places below `data` (a folder or an fsspec URL); "" for the default.

    With a URL the store is remote, and runs and models are in the default local data folder.
    """
    chosen = data or os.environ.get("HORNBOOK_DATA", "")
    if "://" in chosen:
        return Places(_default(), Store(f"{chosen.rstrip('/')}/store"))
    folder = Path(chosen).expanduser().resolve() if chosen else _default()
    return Places(folder, Store(str(folder / "store")))


def _default() -> Path:
    checkout = Path(__file__).resolve().parent.parent
    return (checkout if (checkout / "pyproject.toml").exists() else Path.cwd()) / "data"
