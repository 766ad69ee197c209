"""Several servers that answer as one endpoint: listed in the settings, or in a file that is read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.core.errors import InputError, RecipeError
from pipeline.teacher.address import checked_url

LARGEST_FILE = 2**20
"""Bytes of the largest list that is read."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Where an endpoint's servers are. where: names the setting in errors. keyed: whether they are sent a key."""

    where: str
    urls: tuple[str, ...] = ()
    file: Path | None = None
    keyed: bool = False

    def listed(self) -> tuple[str, ...]:
        """Their base URLs, each once, in the order of the list; none where the file is not there yet.

        In a file, what follows a "#" is a comment, and blank lines count for nothing. Raises RecipeError, or InputError
        for a file that cannot be read.
        """
        if self.file is None:
            return self.checked([(f"{self.where}.urls[{number}]", url) for number, url in enumerate(self.urls)])
        try:
            raw = self.file.read_bytes()
            if len(raw) > LARGEST_FILE:
                raise InputError(f"{self.file} has {len(raw):,} bytes: too many for a list of servers")
            lines = raw.decode("utf-8").splitlines()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"{self.where}.file = {str(self.file)!r} cannot be read: {error}",
                hint="name a text file with one base URL a line",
            ) from error
        bare = [(f"{self.file}:{number}", line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
        return self.checked([(place, url) for place, url in bare if url])

    def checked(self, urls: Sequence[tuple[str, str]]) -> tuple[str, ...]:
        """The URLs, each once; each comes with the place that an error names. Raises RecipeError."""
        return tuple(dict.fromkeys(guarded(checked_url(url, place), place, keyed=self.keyed) for place, url in urls))

    def stamp(self) -> tuple[int, ...]:
        """Changes when the file does; () for no file."""
        try:
            found = self.file.stat() if self.file else None
        except OSError:
            found = None
        return (found.st_mtime_ns, found.st_size, found.st_ino) if found else ()

    @property
    def source(self) -> str:
        """Where the list stands, for a person."""
        return str(self.file or f"{self.where}.urls")


def guarded(base_url: str, place: str, *, keyed: bool) -> str:
    """`base_url`, unless a key would travel unencrypted to a host that is neither this machine nor near it.

    Raises RecipeError.
    """
    if keyed and urlsplit(base_url).scheme == "http" and not _is_near(base_url):
        raise RecipeError(
            f"{place}: the key would travel unencrypted to {base_url}", hint="use https, or leave api_key_env empty"
        )
    return base_url


def _is_near(base_url: str) -> bool:
    """Whether a host is this machine or in a private network, by its name alone."""
    host = urlsplit(base_url).hostname or ""
    private = ("10.", "192.168.", *(f"172.{n}." for n in range(16, 32)), "127.", "fd", "fe80")
    return (
        host.startswith(private)
        or host in ("localhost", "::1")
        or "." not in host
        or host.endswith((".local", ".internal"))
    )
