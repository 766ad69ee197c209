"""A new domain: a copy of one that works, under a name of its own, with a page and a recipe to begin with.

What the other says of itself (README.md) and how it is run (recipes/, which replay what was recorded for its prompts)
is not copied.
"""

import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import UsageError
from pipeline.core.names import typed
from pipeline.domains.domain import Domain
from pipeline.domains.faults import PAGE
from pipeline.domains.loading import TOML, load
from pipeline.domains.tables import is_slug

_LEFT = (".*", "__pycache__", "README.md", "recipes")
_README = """\
# {name}

A domain that began as a copy of `{copied}`. Say here what it is about, what its axes are, and what its data may be used
for.

| file | what to do with it |
|---|---|
| `domain.toml` | title, licence of your data, language and checker |
| `topics.toml`, `axes.toml` | the topics, and in what else texts differ |
| `*.md` | what the teacher is asked; a worked example in it is worth more than a rule |
| `examples/` | items of your own, each with wrong solutions that its check must reject |
| `problems.jsonl` | held-out problems, thirty or more, unlike all seeds |
| `recipes/first-run.toml` | what `hornbook run first-run domain=FOLDER` does |

`hornbook domain check FOLDER` executes what the folder claims, `hornbook domain preview FOLDER --teacher
qwen2.5-coder-1.5b` asks a few seeds. For the form of each file: {page}.
"""
_RECIPE = """\
name = "first-run-{name}"
description = "{name}: Qwen2.5-Coder-1.5B writes a small corpus; SmolLM2-135M learns and is scored."
seed = 7
domain = ".."

[seeds]
{seeds}

# One GB, fetched once. Any model will do: kind = "openai" asks an endpoint.
[[teachers]]
name = "qwen2.5-coder-1.5b"
kind = "local"
model = "qwen2.5-coder-1.5b"
temperature = 0.5
top_p = 0.95
max_tokens = 512

[student]
init = "smollm2"
precision = "auto"
prompt_gradient = false

[[student.phases]]
name = "fine-tune"
data = "{data}"
epochs = 3
max_tokens = 40_000
batch = 1
lr = 5e-5
warmup_steps = 5

[evaluation]
max_new_tokens = 160
"""


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
            f"change it, README.md says what; then: hornbook domain check {typed(self.folder)}"
        )


def start(folder: Path, copied: str) -> Started:
    """Copy a domain to `folder`, whose last part is its name. Raises UsageError where something is there already, and
    InputError where the domain to copy has faults."""
    source = load(copied)
    name = folder.name
    if not is_slug(name):
        raise UsageError(
            f"{name!r:.80} is no name of a domain: lower-case words joined by dashes are", hint="name another folder"
        )
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="name another folder, or remove it first")
    shutil.copytree(source.folder, folder, ignore=_left)
    toml = folder / TOML
    text = toml.read_text(encoding="utf-8-sig")
    toml.write_text(re.sub(r"^name\s*=.*$", f'name = "{name}"', text, count=1, flags=re.MULTILINE), encoding="utf-8")
    (folder / "README.md").write_text(_README.format(name=name, copied=source.name, page=PAGE), encoding="utf-8")
    (folder / "recipes").mkdir()
    (folder / "recipes" / "first-run.toml").write_text(_recipe(source, name), encoding="utf-8")
    files = tuple(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()))
    return Started(str(folder), name, copied, files)


def _left(folder: str, names: list[str]) -> set[str]:
    """What is not copied: beside `_LEFT` pipes, links to nowhere, and links to folders, which may go in a circle."""
    paths = {name: Path(folder, name) for name in names}
    odd = {name for name, path in paths.items() if not path.is_file() and (path.is_symlink() or not path.is_dir())}
    return odd | shutil.ignore_patterns(*_LEFT)(folder, names)


def _recipe(source: Domain, name: str) -> str:
    """A small run of what the domain has templates for."""
    asked = [("exercises", 40)] if source.templates.keys() & {"exercise", "complete"} else []
    asked += [("textbooks", 10)] if "passage" in source.templates else []
    data = "exercise" if asked[0][0] == "exercises" else "textbook"
    return _RECIPE.format(name=name, seeds="\n".join(f"{kind} = {count}" for kind, count in asked), data=data)
