"""Where an endpoint is and what goes there in headers: checked before the first request, joined the same everywhere."""

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from pipeline.core.errors import RecipeError

_EXAMPLE = 'a URL such as "http://127.0.0.1:8000/v1"'
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, section 5.6.2)."""
_SECRET = r"(?:.*[-_])?(?:key|apikey|token|secret|password|signature|sig|code)"
_SECRET_HEADERS = re.compile(rf"(?:proxy-)?authorization|cookie|{_SECRET}", re.IGNORECASE)
_SECRET_PARAMETERS = re.compile(_SECRET, re.IGNORECASE)
_CREDENTIALS = re.compile(r"\s*(?:[A-Za-z][A-Za-z0-9+.-]*:)?[/\\]*[^/?#\\]*@")
"""What comes before a host, also where the scheme is missing or its slashes are too few or too many."""
KEY_SETTING = "api_key_env (--api-key-env of a command)"
"""Where the name of the variable with a key is said, in a recipe and on a command line."""
_USE_VARIABLE = f"keys come from the environment: name the variable that holds it in {KEY_SETTING}"
_OWN_HEADERS = frozenset(
    {"host", "content-length", "content-type", "transfer-encoding", "connection", "keep-alive", "te", "trailer",
     "upgrade", "expect", "accept-encoding", "content-encoding"}
)  # fmt: skip
"""Headers that say how a request is framed, or how a response may be: they are the client's to write."""


def checked_url(base_url: str, key: str) -> str:
    """`base_url` without a slash at its end; its query stays.

    key: what names it for the user. Raises RecipeError for what is no http(s) URL that HTTP can carry as it stands, or
    holds a secret; a secret is not repeated.
    """
    if _CREDENTIALS.match(base_url):
        raise RecipeError(f"{key} holds a user name or password", hint=_USE_VARIABLE)
    shown = f", got {base_url!r}"
    try:
        parts = urlsplit(base_url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # as the resolver will: it fails on empty and overlong parts of a name
    except ValueError as error:
        # A password with a slash ends the host too early, and the error would quote its beginning as a port.
        why = "" if "@" in base_url else f": {error}"
        raise RecipeError(f"{key} should be {_EXAMPLE}{why}") from None
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if _SECRET_PARAMETERS.fullmatch(name):
            raise RecipeError(
                f"{key} holds a secret in its query ({name}=...)",
                hint=_USE_VARIABLE,
            )
    odd = uncarried(base_url)
    if odd:
        raise RecipeError(f"{key} holds {odd}{shown}", hint="write it as %XX, or a host's name as xn--...")
    if parts.scheme not in ("http", "https") or not host:
        guess = f"write http://{base_url} or https://{base_url}" if "://" not in base_url and base_url else ""
        raise RecipeError(f"{key} should be {_EXAMPLE}{shown}", hint=guess)
    if port == 0:
        raise RecipeError(f"{key} names port 0{shown}", hint="name the port on which the server listens")
    if "#" in base_url:
        raise RecipeError(f"{key} holds a fragment (#...), which no server is sent{shown}", hint="leave it out")
    path = parts.path.rstrip("/")
    for ending in ("/chat/completions", "/completions"):
        if path.endswith(ending):
            right = urlunsplit(parts._replace(path=path.removesuffix(ending)))
            raise RecipeError(f"{key} ends in {ending}, which is added to it for each request", hint=f"write {right!r}")
    return urlunsplit(parts._replace(path=path))


def joined(base_url: str, path: str) -> str:
    """The URL of `path` ("/chat/completions") below a checked `base_url`; the query stays behind the path."""
    parts = urlsplit(base_url)
    return urlunsplit(parts._replace(path=parts.path.rstrip("/") + path))


def without_query(base_url: str) -> tuple[str, dict[str, str]]:
    """A checked URL and its query apart, for clients that join by themselves."""
    parts = urlsplit(base_url)
    return urlunsplit(parts._replace(query="")), dict(parse_qsl(parts.query, keep_blank_values=True))


def checked_headers(headers: Mapping[str, str], where: str) -> dict[str, str]:
    """`headers` with names in lower case.

    Raises RecipeError for a name or value that HTTP cannot carry, for a secret, and for what frames a request.
    """
    checked: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if _SECRET_HEADERS.fullmatch(name):
            raise RecipeError(
                f"{where}: headers.{name} would put a secret into the recipe",
                hint="name the environment variable that holds the key in api_key_env",
            )
        if not _TOKEN.fullmatch(name):
            raise RecipeError(
                f"{where}: headers has the name {name!r}, which HTTP cannot carry",
                hint="names are made of letters, digits and -",
            )
        if lower in _OWN_HEADERS:
            raise RecipeError(f"{where}: headers.{name} is written by hornbook itself", hint="leave it out")
        if lower in checked:
            raise RecipeError(f"{where}: headers has {name} twice, which differ by capitals alone", hint="keep one")
        odd = uncarried(value, blanks=" \t")
        if odd:
            raise RecipeError(
                f"{where}: headers.{name} holds {odd}, which no header can carry", hint="write it in visible ASCII"
            )
        checked[lower] = value.strip()
    return checked


def uncarried(text: str, blanks: str = "") -> str:
    """The first character of `text` that is neither visible ASCII nor one of `blanks`, in words; "" if all are."""
    for place, letter in enumerate(text, 1):
        if not ("!" <= letter <= "~" or letter in blanks):
            named = {" ": "a blank", "\n": "a line break", "\r": "a line break", "\t": "a tab"}.get(letter)
            named = named or f"U+{ord(letter):04X} ({unicodedata.name(letter, 'a control character')})"
            return f"{named} at character {place} of {len(text)}"
    return ""
