"""Which names an exercise's function may have."""

import builtins
import keyword
import unicodedata


def why_not_a_name(name: str) -> str:
    """Why `name` cannot be the name of an exercise's function, or ""; names of any script are fine.

    Built-in names are refused because a body that uses the built-in would call itself.
    """
    if not name.isidentifier():
        return "is no Python identifier"
    if unicodedata.normalize("NFKC", name) != name:  # as the parser does: the function would have another name
        return f"is read by Python as '{unicodedata.normalize('NFKC', name)}'"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "is a Python keyword"
    if hasattr(builtins, name):
        return "is a built-in, which the body would then call instead"
    if name.startswith("_"):
        return "starts with an underscore"
    return ""
