"""Where the shipped data files are: in the checkout beside the package, in a wheel inside it."""

import tomllib
from pathlib import Path
from typing import Any

from pipeline.core.errors import HornbookError

MEND = "mend the table, or reinstall hornbook"
_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parent
_PLACES = {
    "prompts": _CHECKOUT / "prompts",
    "prices.toml": _CHECKOUT / "data" / "prices.toml",
    "models.toml": _CHECKOUT / "data" / "models.toml",
    "references.toml": _CHECKOUT / "data" / "references.toml",
    "accelerators.toml": _CHECKOUT / "data" / "accelerators.toml",
    "recorded": _CHECKOUT / "data" / "recorded",
    "understanding": _CHECKOUT / "data" / "understanding",
    "value-model": _CHECKOUT / "data" / "value-model",
}


def shipped(name: str) -> Path:
    """Path of a shipped file or folder, by a name of `_PLACES`.

    Raises HornbookError where it is in neither place, which means that the installation is broken.
    """
    installed = _PACKAGE / "shipped" / name
    for place in (installed, _PLACES[name]):
        if place.exists():
            return place
    raise HornbookError(
        f"{name} is missing from the installation", hint="reinstall hornbook: its wheel carries these files"
    )


def shipped_table(name: str) -> dict[str, dict[str, Any]]:
    """A shipped TOML file as it is: a table by the name of each entry. Raises HornbookError where it cannot be read."""
    path = shipped(name)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise HornbookError(f"{path}: {error}", hint=MEND) from error
