"""The table of real code that is taken in beside the teachers' answers."""

from pathlib import Path
from typing import Annotated, Literal

from pipeline.core.located import Located
from pipeline.recipe_base import Count, Positive, Table


class SourcesTable(Table):
    """Real code beside the teachers' answers; `kind = "none"` for none."""

    kind: Literal["none", "stdlib", "folder", "dataset"] = "none"
    """Where real code comes from; "stdlib" is Python's own library."""
    path: Annotated[str, Located("dataset")] = ""
    """kind = "folder": a folder of .py files. kind = "dataset": a dataset on the hub, or a file or folder of JSON Lines
    (also packed), Parquet, Arrow or what `save_to_disk` wrote; what of it cannot be read is dropped as unreadable."""
    limit: Count = 0
    """Most passages taken; 0 for all."""
    max_characters: Positive = 100_000
    """Longer files are dropped as too-long."""
    licences: tuple[str, ...] = ()
    """SPDX ids that are accepted; empty for any."""
    column: str = "content"
    """Text column of the dataset."""
    data_dir: str = ""
    """A folder inside a dataset on the hub, or of its local copy; of the Stack "data/python" is Python alone."""
    languages: tuple[str, ...] = ()
    """Languages that are taken, by a row's `language`, `lang` or `programming_language`, in any case; empty for all.
    Rows of others are not seen, and neither are those that do not say."""
    split: str = "train"
    """Split of a dataset on the hub."""
    revision: str = ""
    """Branch, tag or commit of a dataset on the hub; "" for its newest. A commit is what a rerun finds unchanged."""

    @property
    def place(self) -> Path:
        """Where the files are, if they are on this machine."""
        return Path(self.path).expanduser() / self.data_dir
