"""A new domain: a copy of one that works, under a name of its own."""

import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.domains.loading import TOML, folder_of
from pipeline.domains.tables import is_slug


@dataclass(frozen=True, slots=True)
class Started:
    """A folder that was written. files: below it, sorted."""

    folder: str
    name: str
    copied: str
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def to_text(self) -> str:
        listed = "\n".join(f"  {file}" for file in self.files)
        return (
            f"wrote {self.folder}, a copy of {self.copied}:\n{listed}\n"
            f"change it, then: hornbook domain check {self.folder}"
        )


def start(folder: Path, copied: str) -> Started:
    """Copy a domain to `folder`, whose last part is its name. Raises UsageError where something is there already."""
    source = folder_of(copied)
    name = folder.name
    if not is_slug(name):
        raise UsageError(
            f"{name!r:.80} is no name of a domain: lower-case words joined by dashes are", hint="name another folder"
        )
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="name another folder, or remove it first")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns(".*", "__pycache__"))
    toml = folder / TOML
    text = toml.read_text(encoding="utf-8")
    toml.write_text(re.sub(r"^name\s*=.*$", f'name = "{name}"', text, count=1, flags=re.MULTILINE), encoding="utf-8")
    files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    return Started(str(folder), name, copied, files)
