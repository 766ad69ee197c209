"""The end of a training: its model's folder in the place of its checkpoints, or, where that fails, a checkpoint."""

import shutil
from collections.abc import Callable
from pathlib import Path

from pipeline.core.errors import DiskFull
from pipeline.store.disk import whole_folder
from pipeline.training import checkpoint


def export(out: Path, step: int, write: Callable[[Path], None], keep: Callable[[], None]) -> Path:
    """The folder `out / "model"`, whole or as it was before; then the checkpoints are removed.

    step: the last one. write: writes the model into a folder. Where there is no room for it, all checkpoints but the
    newest give way first. keep: called where it cannot be written, to leave what was trained for a rerun, which only
    exports. Raises DiskFull, or what `write` raised.
    """
    folder = out / "model"
    what = f"the trained model of step {step}"

    def written() -> None:
        with checkpoint.room(what, out), whole_folder(folder, scratch=out / ".model") as scratch:
            write(scratch)

    try:
        try:
            written()
        except DiskFull:
            if not checkpoint.drop_older(out / "checkpoints"):
                raise
            written()
    except BaseException:
        keep()
        raise
    shutil.rmtree(out / "checkpoints", ignore_errors=True)
    return folder
