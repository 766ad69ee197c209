"""Telling a licence: SPDX tags in the text, licence files in the folders above, metadata of installed packages."""

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

_SPDX = re.compile(r"SPDX-License-Identifier:[ \t]*([\w.+() -]+?)[ \t]*(?:\*/|-->|$|\n)")
_FILES = ("LICENSE", "LICENCE", "LICENSE.txt", "LICENSE.md", "LICENSE.rst", "LICENCE.txt", "COPYING", "COPYING.txt")
_PHRASES: tuple[tuple[str, str], ...] = (
    ("GNU AFFERO GENERAL PUBLIC LICENSE Version 3", "AGPL-3.0-only"),
    ("GNU LESSER GENERAL PUBLIC LICENSE Version 3", "LGPL-3.0-only"),
    ("GNU LESSER GENERAL PUBLIC LICENSE Version 2.1", "LGPL-2.1-only"),
    ("GNU GENERAL PUBLIC LICENSE Version 3", "GPL-3.0-only"),
    ("GNU GENERAL PUBLIC LICENSE Version 2", "GPL-2.0-only"),
    ("Mozilla Public License Version 2.0", "MPL-2.0"),
    ("Apache License Version 2.0", "Apache-2.0"),
    ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", "PSF-2.0"),
    ("This is free and unencumbered software released into the public domain", "Unlicense"),
    ("CC0 1.0 Universal", "CC0-1.0"),
    ("Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    ("Permission to use, copy, modify, and/or distribute this software for any purpose", "ISC"),
    ("Neither the name of", "BSD-3-Clause"),
    ("Redistributions in binary form must reproduce the above copyright notice", "BSD-2-Clause"),
)
"""A sentence that only one licence has, most specific first; compared with white space and case folded."""
_HEADERS: tuple[tuple[str, str], ...] = (
    ("Licensed under the Apache License, Version 2.0", "Apache-2.0"),
    ("Licensed to PSF under a Contributor Agreement", "PSF-2.0"),
    ("Permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
    ("Mozilla Public License, v. 2.0", "MPL-2.0"),
    ("GNU Lesser General Public License", "LGPL-2.1-or-later"),
    ("GNU General Public License", "GPL-2.0-or-later"),
)
"""Notices in the head of a source file. GNU notices without a tag are read as the oldest version they can mean."""
_NAMES = {
    "apache 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "mit license": "MIT",
    "isc license": "ISC",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
}
"""Free words of packages' License field that name one licence; those that are SPDX ids already need no entry."""
_CLASSIFIERS = {
    "OSI Approved :: MIT License": "MIT",
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "OSI Approved :: ISC License (ISCL)": "ISC",
    "OSI Approved :: Python Software Foundation License": "PSF-2.0",
    "OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "OSI Approved :: The Unlicense (Unlicense)": "Unlicense",
}
"""Trove classifiers that name one SPDX licence; "BSD License" does not."""

PERMISSIVE = frozenset(
    {
        "MIT",
        "MIT-0",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "0BSD",
        "ISC",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "CC0-1.0",
        "Zlib",
        "BSL-1.0",
    }
)
"""Permissive licences, as The Stack takes the word (Kocetkov et al. 2022, 3.2), the usual ones."""


def in_text(text: str) -> str:
    """The licence that the first 4,000 characters of `text` declare, by SPDX tag or by a known notice, or ""."""
    head = text[:4_000]
    match = _SPDX.search(head)
    if match:
        return match.group(1).strip()
    lower = head.lower()
    if "licen" not in lower and "permission" not in lower:
        return ""
    plain = " ".join(lower.replace("#", " ").split())
    return next((spdx for notice, spdx in _HEADERS if notice.lower() in plain), "")


def of_text(text: str) -> str:
    """The SPDX id of a licence text, or "" where no sentence of it is known."""
    plain = " ".join(text[:20_000].split()).lower()
    for phrase, spdx in _PHRASES:
        if " ".join(phrase.split()).lower() in plain:
            return spdx
    return ""


def _read(path: Path) -> str:
    """The text of a file, "" where there is none or it may not be read: its licence is then unknown."""
    try:
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    except OSError:
        return ""


@lru_cache(maxsize=4_096)
def of_folder(folder: Path, top: Path) -> str:
    """The licence of the nearest licence file from `folder` up to `top`, or of the installed package there, or ""."""
    for name in _FILES:
        found = of_text(_read(folder / name))
        if found:
            return found
    installed = _installed(folder)
    if installed or folder == top or folder.parent == folder:
        return installed
    return of_folder(folder.parent, top)


@lru_cache(maxsize=64)
def _packages(site: Path) -> dict[str, str]:
    """SPDX ids of the packages installed in `site`, by top-level folder name."""
    found: dict[str, str] = {}
    for metadata in sorted(site.glob("*.dist-info/METADATA")):
        spdx = _of_metadata(_read(metadata))
        if not spdx:
            continue
        lines = _read(metadata.parent / "RECORD").splitlines()
        for top in {line.split("/", 1)[0] for line in lines if "/" in line and not line.startswith("..")}:
            if not top.endswith(".dist-info"):
                found.setdefault(top, spdx)
    return found


def _installed(folder: Path) -> str:
    return _packages(folder.parent).get(folder.name, "")


def _of_metadata(text: str) -> str:
    headers = text.split("\n\n", 1)[0]
    expression = re.search(r"^License-Expression: *(.+)$", headers, re.MULTILINE)
    if expression:
        return expression.group(1).strip()
    named = {
        _CLASSIFIERS[c]
        for c in re.findall(r"^Classifier: License :: (.+)$", headers, re.MULTILINE)
        if c in _CLASSIFIERS
    }
    if len(named) == 1:
        return named.pop()
    words = re.search(r"^License: *(.+)$", headers, re.MULTILINE)
    if words is None:
        return ""
    name = words.group(1).strip()
    return name if name in PERMISSIVE else _NAMES.get(name.lower(), "")


@lru_cache(maxsize=4_096)
def accepted(expression: str, allowed: frozenset[str]) -> bool:
    """Whether an SPDX expression can be met with the `allowed` ids: every AND part, or one OR part, is allowed.

    Ids are compared as SPDX means them: in any case, and older ones with those that took their place (GPL-2.0 is
    GPL-2.0-only). An exception (WITH) only allows more. An empty `allowed` accepts everything. An unknown licence ("")
    and what is no expression are accepted only then.
    """
    if not allowed:
        return True
    licence = _parsed(expression)
    return licence is not None and _met(licence, frozenset(str(_parsed(one) or one) for one in allowed))


def _parsed(expression: str) -> Any:
    """The expression as license-expression reads it; None for an empty one, and for what is none."""
    from license_expression import ExpressionError, ExpressionParseError

    try:
        return _spdx().parse(expression)
    except (ExpressionError, ExpressionParseError):
        return None


@lru_cache(maxsize=1)
def _spdx() -> Any:
    """All SPDX ids and their aliases; about 0.1 s."""
    from license_expression import get_spdx_licensing

    return get_spdx_licensing()


def _met(licence: Any, allowed: frozenset[str]) -> bool:
    spdx = _spdx()
    if isinstance(licence, spdx.OR):
        return any(_met(one, allowed) for one in licence.args)
    if isinstance(licence, spdx.AND):
        return all(_met(one, allowed) for one in licence.args)
    return str(getattr(licence, "license_symbol", licence)) in allowed
