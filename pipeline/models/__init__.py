"""Language models by name: which there are, where their files lie, and how a file comes here. Imports nothing heavy."""

from pipeline.models.fetching import fetch, remove
from pipeline.models.named import NamedModel, known, listed, located, named

__all__ = ["NamedModel", "fetch", "known", "listed", "located", "named", "remove"]
