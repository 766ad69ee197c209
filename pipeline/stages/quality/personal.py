"""Personal data in a text: e-mail addresses, public IP addresses, telephone numbers.

The candidates are found by form, and judged by libraries that are kept for it: email-validator (syntax, reserved
domains), `ipaddress` (what is public), phonenumbers (Google's libphonenumber: which numbers exist in which country).
Names of people are left alone: what finds them is a language model, and calls half the identifiers of a program names.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

from pipeline.languages.base import Language
from pipeline.stages.quality.findings import Finding, in_words

_EMAIL = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_NOBODY = re.compile(
    r"@(?:[\w-]+\.)*(?:example|invalid|test|localhost|local|domain|foo|bar|spam|host|company|acme)(?:\.\w+)*$"
    r"|^(?:no-?reply|git|user(?:name)?|you|me|some(?:one|body)|(?:any|no)body|name|e?-?mail|foo|bar)@"
    r"|^(?:web|post)master@|^.{1,2}@.{1,2}\.\w+$"
    r"|\.(?:pkl|json|txt|csv|yaml|yml|toml|cfg|ini|png|jpe?g|gif|pdf|html|css|pyc|pyi|npy|npz|jit)$",
    re.I,
)
"""Addresses that belong to no person: reserved domains (RFC 2606, 6761), usual stand-ins (`a@b.com`), remote names of
git, the offices of RFC 2142, and what ends like a file (`archive.zip@member.pkl`)."""
_IPV4 = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w.])")
_VERSION_PART = 32
"""Four numbers of which the first three are below this are a version or a section (`8.2.4.44`), or so rarely not that
it does not matter: one public address in 500."""
_PHONE = re.compile(r"\+[1-9][\d ().-]{7,20}\d(?![\w.])")
_FICTION = re.compile(r"^\+1\D*\d{3}\D*555\D*01\d\d$")
"""North American numbers that are kept free for stories and examples."""


def personal(text: str, language: Language) -> Iterator[Finding]:
    """E-mail addresses of somebody, public IPv4 addresses, telephone numbers with a country code.

    Numbers without a country code are left alone: in code they are numbers. Bits of code (`a@b.mean`) do not count.
    """
    return in_words(text, _personal(text), language)


def _personal(text: str) -> Iterator[Finding]:
    at = text.find("@")
    while at >= 0:
        start = at
        while start and at - start < 64 and (text[start - 1].isalnum() or text[start - 1] in "._+-"):
            start -= 1
        if text[start - 1 : start] == "\\":  # the escape sequence of a string, as in "\n@decorator.name"
            start += 1
        match = _EMAIL.match(text, start) if start < at else None
        if match and match.end() > at and _somebody(match.group()) and not _in_url(text, start):
            yield Finding("e-mail address", match.start(), match.end())
        at = text.find("@", at + 1)
    for match in _IPV4.finditer(text):
        before = text[match.start() - 1 : match.start()]
        if not (before.isalnum() or before in ("_", ".")) and _public(match.group()):
            yield Finding("IP address", match.start(), match.end())
    if "+" in text:
        for match in _PHONE.finditer(text):
            before = text[match.start() - 1 : match.start()]
            if not (before.isalnum() or before in (")", "]", "_", "+")) and _phone(match.group()):
                yield Finding("phone number", match.start(), match.end())


def _in_url(text: str, start: int) -> bool:
    """Whether what stands at `start` is the user or the password of a URL: `ftp://user:password@host`."""
    before = text[max(0, start - 80) : start]
    return "://" in before[max(map(before.rfind, " \t\n\"'<")) + 1 :]


@lru_cache(4_096)
def _somebody(address: str) -> bool:
    from email_validator import EmailNotValidError, validate_email

    if _NOBODY.search(address):
        return False
    try:
        validate_email(address, check_deliverability=False)
    except EmailNotValidError:
        return False
    return True


def _public(found: str) -> bool:
    """Whether an address is public: not a version, nor digits in a row (12.34.56.78), nor four equal numbers."""
    try:
        address = ipaddress.IPv4Address(found)
    except ValueError:
        return False
    parts = found.split(".")
    if all(int(part) < _VERSION_PART for part in parts[:3]) or len(set(parts)) == 1 or "".join(parts) in "123456789":
        return False
    return address.is_global and not address.is_multicast


def _phone(found: str) -> bool:
    import phonenumbers

    if found.count(".") == 1 or _FICTION.match(found):  # +35236450.6 is a decimal number, not one of Luxembourg
        return False
    try:
        number = phonenumbers.parse(found, None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))
