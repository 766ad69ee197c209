"""What a word that names a language model means: one GGUF file, or else a folder or a name of the hub."""

import difflib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.core.contents import file_digest
from pipeline.core.errors import InputError
from pipeline.models.fetching import Tell, fetch, to_stderr
from pipeline.models.local import find_smollm2
from pipeline.models.named import NamedModel, known, named


@dataclass(frozen=True)
class ModelFile:
    """A model in one GGUF file. source: its entry in the table of names, or where it lies."""

    source: NamedModel | Path

    @property
    def name(self) -> str:
        """Name of the file, without its folder."""
        return self.source.name if isinstance(self.source, Path) else self.source.file

    @cached_property
    def sha256(self) -> str:
        """64 hex digits: what the table says, else that of the file's bytes, which are read once."""
        return file_digest(self.source) if isinstance(self.source, Path) else self.source.sha256

    def here(self, models: Path, tell: Tell = to_stderr) -> Path:
        """The file on this machine; a named model's is verified, and fetched into `models` where need be."""
        return self.source if isinstance(self.source, Path) else fetch(self.source, models, tell)


def file_of(spec: str) -> ModelFile | None:
    """The file that `spec` names: "smollm2", a name of `data/models.toml`, a path to a .gguf file. None: another kind.

    Nothing is fetched or read. Raises InputError for a path where no file is, MissingExtra where the embedded model is
    not installed.
    """
    if not spec:
        raise InputError("a model is named '', which is no name", hint=_hint())
    model = named(spec)
    if model is not None:
        return ModelFile(model)
    if spec != "smollm2" and not spec.endswith(".gguf"):
        return None
    path = find_smollm2() if spec == "smollm2" else Path(spec)
    if not path.is_file():
        raise not_found(spec)
    return ModelFile(path)


def not_found(spec: str, why: str = "") -> InputError:
    """The error of a model that is nowhere. why: what else is known of it."""
    sought = Path(spec).absolute()
    near = difflib.get_close_matches(sought.name, sorted(p.name for p in sought.parent.glob("*")), n=1)
    return InputError(
        f"no model at {spec!r}: {sought} is not there"
        + (f", but {sought.parent / near[0]} is" if near else "")
        + (f"; {why}" if why else ""),
        hint=_hint(),
    )


def _hint() -> str:
    names = ", ".join(known())
    return f'name "smollm2", {names}, a folder with a config.json, a .gguf file, or a hub name "owner/name"'
