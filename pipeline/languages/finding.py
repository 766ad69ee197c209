"""Languages by name."""

from pipeline.core.errors import RecipeError
from pipeline.languages.base import Language
from pipeline.languages.python.language import Python
from pipeline.languages.regex.language import Regex
from pipeline.languages.sql.language import Sql
from pipeline.languages.text.language import Text

LANGUAGES: dict[str, Language] = {language.name: language for language in (Python(), Sql(), Regex(), Text())}
"""Every language by name."""


def named(name: str) -> Language:
    """The language called `name`. Raises RecipeError that lists what there is."""
    if name not in LANGUAGES:
        raise RecipeError(f"there is no language {name!r}", hint=f"languages are {', '.join(LANGUAGES)}")
    return LANGUAGES[name]
