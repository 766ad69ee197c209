"""Installed packages as programs see them: which files to show, and what to import before the first program."""

import importlib.metadata
import re
from collections.abc import Iterable
from pathlib import Path

from pipeline.core.errors import RecipeError


def package_paths(names: Iterable[str]) -> list[str]:
    """Files and folders of site-packages that hold `names` and all they require.

    Raises RecipeError for a distribution that is not installed.
    """
    found: dict[str, None] = {}
    queue, seen = list(names), set()
    wanted = set(queue)
    while queue:
        name = queue.pop()
        key = re.sub(r"[-_.]+", "-", name).lower()
        if key in seen:
            continue
        seen.add(key)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if name in wanted:
                raise RecipeError(
                    f"packages names {name!r}, which is not installed",
                    hint=f"pip install {name}, or take it out of the list",
                ) from None
            continue
        for file in distribution.files or ():
            top = file.parts[0]
            if top not in ("..", "__pycache__"):
                found[str(Path(str(distribution.locate_file(top))).resolve())] = None
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement:
                queue.append(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])
    return list(found)


def module_names(package: str) -> list[str]:
    """The top-level modules that an installed distribution brings, without those that it keeps to itself."""
    found: dict[str, None] = {}
    for file in importlib.metadata.distribution(package).files or ():
        name = file.parts[0] if len(file.parts) > 1 else file.name.partition(".")[0]
        if file.suffix in (".py", ".so") and name.isidentifier() and not name.startswith("_"):
            found[name] = None
    return list(found)
