"""Credentials and personal data in a text, found by their form.

The rules are those of detect-secrets' and gitleaks' detectors for keys of a fixed form, in one pass: a key is looked
for only where its literal prefix occurs, which makes the pass about a thousand times cheaper than scanning line by
line with detect-secrets (0.55 MB per CPU second on the standard library). Detectors that go by entropy or by the name
of a variable are left out on purpose: they call camelCase names and test fixtures secrets (detect-secrets #693).
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One secret. kind: for a person, "AWS access key"; start, stop: characters of the text."""

    kind: str
    start: int
    stop: int


_PLACEHOLDER = re.compile(
    r"example|sample|dummy|fake|placeholder|changeme|your[-_]?|xxxx|0{8}|1234567|abcdef|\.\.\.|<|\*{3}", re.I
)
"""A key with one of these in it is documentation (gitleaks' allow list has the same idea)."""

_CREDENTIALS: tuple[tuple[str, tuple[str, ...], re.Pattern[str]], ...] = tuple(
    (kind, literals, re.compile(pattern))
    for kind, literals, pattern in (
        ("private key", ("PRIVATE KEY-----",), r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY-----[\s\S]{64,}?-----END "),
        ("AWS access key", ("AKIA", "ASIA", "ABIA", "ACCA"), r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
        ("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), r"\bgh[pousr]_[A-Za-z0-9]{36}\b"),
        ("GitHub token", ("github_pat_",), r"\bgithub_pat_[A-Za-z0-9_]{82}\b"),
        ("GitLab token", ("glpat-",), r"\bglpat-[A-Za-z0-9_-]{20}\b"),
        ("Slack token", ("xox",), r"\bxox[abposr]-(?:\d+-)+[A-Za-z0-9]{10,}\b"),
        ("Slack webhook", ("hooks.slack.com",), r"hooks\.slack\.com/services/T\w{8,}/B\w{8,}/\w{20,}"),
        ("Stripe key", ("_live_",), r"\b[sr]k_live_[A-Za-z0-9]{20,}\b"),
        ("OpenAI key", ("T3BlbkFJ",), r"\bsk-[A-Za-z0-9_-]*[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
        ("OpenAI key", ("sk-proj-",), r"\bsk-proj-[A-Za-z0-9_-]{40,}"),
        ("Anthropic key", ("sk-ant-",), r"\bsk-ant-[A-Za-z0-9_-]{40,}"),
        ("Hugging Face token", ("hf_",), r"\bhf_[A-Za-z]{34}\b"),
        ("Google API key", ("AIza",), r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
        ("SendGrid key", ("SG.",), r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
        ("npm token", ("npm_",), r"\bnpm_[A-Za-z0-9]{36}\b"),
        ("PyPI token", ("pypi-AgE",), r"\bpypi-AgE[A-Za-z0-9_-]{70,}"),
        ("Telegram token", (":AA",), r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}(?![A-Za-z0-9_-])"),
        ("Twilio key", ("SK",), r"\bSK[a-f0-9]{32}\b"),
        ("JSON web token", ("eyJ",), r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
        ("Azure storage key", ("AccountKey=",), r"AccountKey=[A-Za-z0-9+/]{86}=="),
        (
            "password in a URL",
            ("://",),
            r"\b[a-z][a-z0-9+.-]{2,15}://[^\s:/@'\"{}$%<>()\[\]]{2,}:[^\s:/@'\"{}$%<>()\[\]]{3,}@[\w.-]+\.\w+",
        ),
    )
)

_NO_PASSWORD = re.compile(
    r"@[\w.-]*(?:example|localhost|host|test|domain|server)\b|://(?:user|username|login|foo|usr|me)\d?:"
    r"|:(?:pass|password|passwd|pwd|pw|secret|bar)\d?@",
    re.I,
)
"""URLs that show where a password would go."""

_EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}(?![\w-])")
_NOBODY = re.compile(
    r"@(?:[\w-]+\.)*(?:example|invalid|test|localhost|local|domain|foo|bar|spam|host|company|acme)(?:\.\w+)*$|^(?:no-?reply|git|user(?:name)?)@",
    re.I,
)
"""Addresses that belong to nobody: reserved domains (RFC 2606, 6761), usual stand-ins, remote names of git."""
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")


def credentials(text: str) -> Iterator[Finding]:
    """Keys, tokens and passwords in `text`; those that are plainly placeholders are left out."""
    for kind, literals, pattern in _CREDENTIALS:
        if not any(literal in text for literal in literals):
            continue
        for match in pattern.finditer(text):
            found = match.group()
            if kind == "password in a URL" and _NO_PASSWORD.search(found):
                continue
            if kind == "private key" or not _PLACEHOLDER.search(found):
                yield Finding(kind, match.start(), match.end())


def personal(text: str) -> Iterator[Finding]:
    """E-mail addresses of somebody and public IPv4 addresses (the kinds that StarCoder redacts by rule)."""
    if "@" in text:
        for match in _EMAIL.finditer(text):
            if not _NOBODY.search(match.group()):
                yield Finding("e-mail address", match.start(), match.end())
    for match in _IPV4.finditer(text):
        try:
            address = ipaddress.IPv4Address(match.group())
        except ValueError:
            continue
        octets = match.group().split(".")
        if address.is_global and not all(int(octet) < 32 for octet in octets):  # 1.2.3.4 is a version or an example
            yield Finding("IP address", match.start(), match.end())


_MARKS = {"e-mail address": "<EMAIL>", "IP address": "<IP>", "password in a URL": "<PASSWORD>"}
"""StarCoder's marks (Li et al. 2023, 4); every other kind becomes <KEY>."""


def masked(text: str, findings: list[Finding]) -> str:
    """`text` with every finding replaced by its mark; overlapping findings become the mark of the first."""
    parts: list[str] = []
    at = 0
    for finding in sorted(findings, key=lambda f: (f.start, -f.stop)):
        if finding.start >= at:
            parts.extend((text[at : finding.start], _MARKS.get(finding.kind, "<KEY>")))
            at = finding.stop
    return "".join((*parts, text[at:]))


def described(text: str, finding: Finding) -> str:
    """The finding for a person, without the secret itself: its kind, line and first characters."""
    line = text.count("\n", 0, finding.start) + 1
    length = finding.stop - finding.start
    return f"{finding.kind} at line {line}: {text[finding.start : finding.start + 4]}... ({length} characters)"
