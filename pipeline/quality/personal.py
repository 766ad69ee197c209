"""Personal data in a text: e-mail addresses, public IP addresses, telephone numbers.

The candidates are found by form, and judged by libraries that are kept for it: email-validator (syntax, reserved
domains), `ipaddress` (what is public), phonenumbers (Google's libphonenumber: which numbers exist in which country).
Names of people are left alone: what finds them is a language model, and calls half the identifiers of a program names.
"""

import ipaddress
import re
from collections.abc import Iterator
from functools import lru_cache

from pipeline.quality.findings import Finding, in_words

_EMAIL = re.compile(r"[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_NOBODY = re.compile(
    r"@(?:[\w-]+\.)*(?:example|invalid|test|localhost|local|domain|foo|bar|spam|host|company|acme)(?:\.\w+)*$|^(?:no-?reply|git|user(?:name)?)@",
    re.I,
)
"""Addresses that belong to nobody: reserved domains (RFC 2606, 6761), usual stand-ins, remote names of git."""
_IPV4 = re.compile(r"\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}(?![\w.])")
_PHONE = re.compile(r"\+[1-9][\d ().-]{7,20}\d(?![\w.])")


def personal(text: str) -> Iterator[Finding]:
    """E-mail addresses of somebody, public IPv4 addresses, telephone numbers with a country code.

    Numbers without a country code are left alone: in code they are numbers. Bits of code (`a@b.mean`) do not count.
    """
    return in_words(text, _personal(text))


def _personal(text: str) -> Iterator[Finding]:
    at = text.find("@")
    while at >= 0:
        start = at
        while start and at - start < 64 and (text[start - 1].isalnum() or text[start - 1] in "._+-"):
            start -= 1
        match = _EMAIL.match(text, start) if start < at else None
        if match and match.end() > at and _somebody(match.group()):
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
    """Whether an address is a public one; 1.2.3.4 and the like, all parts below 32, are versions or examples."""
    try:
        address = ipaddress.IPv4Address(found)
    except ValueError:
        return False
    return address.is_global and not address.is_multicast and not all(int(part) < 32 for part in found.split("."))


def _phone(found: str) -> bool:
    import phonenumbers

    if found.count(".") == 1:  # +35236450.6 is a decimal number, not one of Luxembourg
        return False
    try:
        number = phonenumbers.parse(found, None)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))
