"""What a domain changes of a recipe before it is read: which file it is, and which benchmarks it asks."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from pipeline.core import known

GONE = {
    "seeds.data": "topics, axes, names and words are files of a domain",
    "prompts": "templates are files of a domain",
}
"""Keys that there were, and what is so instead; `recipe_text` says it of a recipe that still has one."""


def recipe_of(name: str, overrides: Sequence[str], shipped: Container[str]) -> str:
    """Where a domain has a recipe of a shipped recipe's name: `domain=sql` makes `first-run` that of the domain."""
    domain = next((text.partition("=")[2].strip("\"' ") for text in overrides if text.startswith("domain=")), "")
    own = known.domain_folder(domain) / "recipes" / f"{name}.toml" if domain and name in shipped else None
    return str(own) if own is not None and own.is_file() else name


def with_problems(data: dict[str, Any]) -> None:
    """A domain's problems are asked where a recipe names no benchmarks, and the corpus is always held against them.

    In a list of benchmarks a domain elsewhere may be called by its folder's name.
    """
    domain = data.get("domain")
    if not isinstance(domain, str) or not known.has_problems(domain):
        return
    for table in ("evaluation", "decontaminated"):
        values = data.setdefault(table, {})
        if not isinstance(values, dict):
            continue
        values.setdefault("benchmarks", [domain])
        for key in ("benchmarks", "likelihood_of"):
            named = values.get(key)
            if isinstance(named, list):
                values[key] = named = [domain if name == Path(domain).name else name for name in named]
                if table == "decontaminated" and domain not in named:
                    named.append(domain)
