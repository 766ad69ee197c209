"""The folders of an installation: store, runs and converted models, all below one data folder.

The data folder is `environment.DATA_RULE`. A store at a URL keeps its artifacts there, and what must be local (runs,
models, work in progress) in the data folder that $HORNBOOK_DATA names, else in the default one.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import fsspec

from pipeline.core import environment
from pipeline.core.errors import DiskFull, MissingExtra, StoreError, UsageError
from pipeline.core.names import checked
from pipeline.store.disk import is_full
from pipeline.store.store import Store

_ELSEWHERE = f"choose another with --data FOLDER or {environment.DATA}"


@dataclass(frozen=True, slots=True)
class Places:
    """Where things lie. store: may be remote; runs and models are local. chosen: what named the data folder."""

    data: Path
    store: Store
    chosen: str = ""

    @property
    def runs(self) -> Path:
        """Folder of runs, one folder each."""
        return self.data / "runs"

    @property
    def sweeps(self) -> Path:
        """Folder of experiments' results, one folder each."""
        return self.data / "sweeps"

    @property
    def rounds(self) -> Path:
        """Folder of what `improve` draws and decides, one folder a run."""
        return self.data / "improve"

    @property
    def models(self) -> Path:
        """Cache of converted and downloaded models, and of work in progress for a remote store."""
        return self.data / "models"

    def run(self, name: str) -> Path:
        """Folder of the run called `name`, there or not.

        Raises UsageError for what is no name, StoreError where the folder is a link: `runs` itself may lie on another
        disk, but no single run is written elsewhere than where the user said.
        """
        folder = self.runs / checked(name, "--name")
        if folder.is_symlink():
            raise StoreError(
                f"the run's folder {folder} is a link to {folder.readlink()}",
                hint="remove the link; to keep runs on another disk, link the folder runs itself",
            )
        return folder

    def prepared(self) -> "Places":
        """Itself, once the data folder is there and can be written. Raises UsageError where not, DiskFull if full."""
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.data):
                return self
        except OSError as error:
            message = f"the data folder {self.data} cannot be written: {error.strerror}"
            if is_full(error):
                raise DiskFull(message, hint=f"free space, or {_ELSEWHERE}") from error
            raise UsageError(message, hint=_ELSEWHERE) from error


def places(data: str = "") -> Places:
    """The places below `data` (a folder or an fsspec URL); "" for $HORNBOOK_DATA, else the default.

    Nothing is made. Raises UsageError for what can be no data folder, MissingExtra for a URL whose package is not
    installed, StoreError for a URL that cannot be reached.
    """
    named = os.environ.get(environment.DATA, "")
    given, by = (data, "--data") if data else (named, environment.DATA)
    if not given:
        folder, by = _default()
        return Places(folder, Store(str(folder / "store")), by)
    if "://" not in given:
        folder = _folder(given, by)
        return Places(folder, Store(str(folder / "store")), by)
    fs, path = _opened(given, by)
    if fs.protocol in ("file", ("file", "local")):
        folder = _folder(path, by)
        return Places(folder, Store(str(folder / "store")), by)
    local, by = (_folder(named, environment.DATA), environment.DATA) if data and _is_folder(named) else _default()
    return Places(local, Store(f"{given.rstrip('/')}/store", local / "models"), by)


def _is_folder(named: str) -> bool:
    return bool(named) and "://" not in named


def _default() -> tuple[Path, str]:
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").exists():
        return checkout / "data", "the checkout"
    return Path.cwd() / "data", "the current folder"


def _folder(given: str, by: str) -> Path:
    if "\0" in given:
        raise UsageError(f"{by} = {given!r} has a null character in it", hint=_ELSEWHERE)
    try:
        folder = Path(given).expanduser().resolve()
        blocked = next((one for one in (folder, *folder.parents) if one.exists() and not one.is_dir()), None)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, a user without a home
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{by} = {given!r:.200} can be no folder: {reason}", hint=_ELSEWHERE) from error
    if blocked is not None:
        raise UsageError(f"{by} = {given!r}: {blocked} is not a folder", hint=_ELSEWHERE)
    return folder


def _opened(url: str, by: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """The file system and path of a URL, asked once, so that what is wrong with it is said before anything is made."""
    shown = environment.without_secrets(url)
    try:
        if url.startswith("://"):
            raise ValueError("no protocol before ://")
        fs, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        raise MissingExtra(
            f"{by} = {shown}: {_one_line(error, url, shown)}",
            hint=f"install that package beside hornbook with pip, or {_ELSEWHERE}",
        ) from error
    except Exception as error:
        raise UsageError(
            f"{by} = {shown} can be no store: {_one_line(error, url, shown)}",
            hint="use a folder, or a URL that fsspec knows: s3://, gs://, memory://",
        ) from error
    try:
        fs.exists(path)
    except Exception as error:
        raise StoreError(
            f"{by} = {shown} cannot be reached: {type(error).__name__}: {_one_line(error, url, shown)}",
            hint=f"check its credentials and address, or {_ELSEWHERE}",
        ) from error
    return fs, str(path)


def _one_line(error: Exception, url: str, shown: str) -> str:
    return " ".join(str(error).replace(url, shown).split())
