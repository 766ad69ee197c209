"""Credentials in a text: detect-secrets' detectors for keys of a fixed form, made fast and checked.

detect-secrets (Yelp) keeps the forms of the keys; what is added here: a line is shown to a detector only where it has
the literal that every such key has, which makes the pass about a hundred times cheaper than scanning line by line;
keys that are part of a longer word or plainly placeholders are no keys; and a few forms that the library lacks. Of its
detectors by entropy only the measure is used, and only on a string that is assigned to a name like `api_key`: on all
strings they call camelCase names and test fixtures secrets (detect-secrets #693).
"""

import importlib
import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pipeline.languages.base import Language
from pipeline.stages.quality.findings import Finding, in_words

_PLACEHOLDER = re.compile(
    r"example|sample|dummy|fake|placeholder|changeme|your[-_]?|xxxx|0{8}|1234567|abcdef|\.\.\.|<|\*{3}", re.I
)
"""A key with one of these in it is documentation (gitleaks' allow list has the same idea)."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """literals: the text must have one of them. detector: module and class in detect_secrets.plugins."""

    kind: str
    literals: tuple[str, ...]
    detector: str = ""
    pattern: str = ""


_RULES = (
    _Rule("AWS access key", ("AKIA", "ASIA", "ABIA", "ACCA"), "aws.AWSKeyDetector"),
    _Rule("AWS secret key", ("aws_", "AWS_", "aws-", "awsS"), "aws.AWSKeyDetector"),
    _Rule("Azure storage key", ("AccountKey=",), "azure_storage_key.AzureStorageKeyDetector"),
    _Rule("GitHub token", ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), "github_token.GitHubTokenDetector"),
    _Rule("GitLab token", ("glpat-", "gldt-", "glft-", "glrt-", "glptt-"), "gitlab_token.GitLabTokenDetector"),
    _Rule("JSON web token", ("eyJ",), pattern=r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
    _Rule("Mailchimp key", ("-us",), "mailchimp.MailchimpDetector"),
    _Rule("npm token", ("_authToken",), "npm.NpmDetector"),
    _Rule("OpenAI key", ("T3BlbkFJ",), "openai.OpenAIDetector"),
    _Rule("PyPI token", ("pypi-AgE",), "pypi_token.PypiTokenDetector"),
    _Rule("SendGrid key", ("SG.",), "sendgrid.SendGridDetector"),
    _Rule("Slack token", ("xox",), "slack.SlackDetector"),
    _Rule("Slack webhook", ("hooks.slack.com",), "slack.SlackDetector"),
    _Rule("Square secret", ("sq0csp-",), "square_oauth.SquareOAuthDetector"),
    _Rule("Stripe key", ("k_live_",), "stripe.StripeDetector"),
    _Rule("Telegram token", (":AA",), "telegram_token.TelegramBotTokenDetector"),
    _Rule("Twilio key", ("SK",), pattern=r"\bSK[a-f0-9]{32}\b"),
    _Rule("password in a URL", ("://",), "basic_auth.BasicAuthDetector"),
    _Rule("GitHub token", ("github_pat_",), pattern=r"\bgithub_pat_[A-Za-z0-9_]{82}\b"),
    _Rule("OpenAI key", ("sk-proj-", "sk-svcacct-"), pattern=r"\bsk-(?:proj|svcacct)-[A-Za-z0-9_-]{40,}"),
    _Rule("Anthropic key", ("sk-ant-",), pattern=r"\bsk-ant-[A-Za-z0-9_-]{40,}"),
    _Rule("Hugging Face token", ("hf_",), pattern=r"\bhf_[A-Za-z0-9]{34}\b"),
    _Rule("Google API key", ("AIza",), pattern=r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _Rule("npm token", ("npm_",), pattern=r"\bnpm_[A-Za-z0-9]{36}\b"),
    _Rule("DigitalOcean token", ("dop_v1_",), pattern=r"\bdop_v1_[a-f0-9]{64}\b"),
    _Rule("Shopify token", ("shpat_", "shpss_"), pattern=r"\bshp(?:at|ss)_[a-fA-F0-9]{32}\b"),
)
_LITERALS = tuple(dict.fromkeys(literal for rule in _RULES for literal in rule.literals))
_MARKER = r"-----{} (?:[A-Z0-9]+ ){{0,3}}PRIVATE KEY(?: BLOCK)?-----"
_BEGIN, _END = re.compile(_MARKER.format("BEGIN")), re.compile(_MARKER.format("END"))
_KEY_LINE = re.compile(r"[A-Za-z0-9+/=]{40}")
"""Prose about both markers of a private key has no word of 40 characters between them."""
_BEFORE_KEY = 4_000
"""Characters of headers at most between the marker and the key."""
_REST_OF_KEY = 24

_NO_PASSWORD = re.compile(
    r"@[\w.-]*(?:example|localhost|host|test|domain|server)\b|://(?:user|username|login|foo|usr|me)\d?:"
    r"|:(?:pass|password|passwd|pwd|pw|secret|bar)\d?@|[{}$%<>()'\"\\]",
    re.I,
)
"""URLs that show where a password would go, or are put together at run time."""
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{2,15}://[^\s:/@]{2,}:[^\s:/@]{3,}@[\w.-]+\.\w+")

_NAMES = ("secret", "passw", "apikey", "api_key", "token", "private_key")
_ASSIGNED = re.compile(
    r"(?:secret|passw|api_?key|token|private_?key)\w{0,30}[\"']?\]?\s{0,3}(?::=|=>|[:=])\s{0,3}"
    r"[\"']([A-Za-z0-9+/_.=-]{20,200})[\"']",
    re.I,
)
MIN_KEY = 12
"""Characters from which a group of a detector's pattern is the key itself; a shorter one is a prefix or a name."""
MIN_ENTROPY = 3.7
"""Bits a character of a mixed string (20 random letters and digits have about 4.1)."""
MIN_HEX_ENTROPY = 3.0
"""Bits a character of a hexadecimal string: detect-secrets' own limit."""


def credentials(text: str, language: Language) -> Iterator[Finding]:
    """Keys, tokens and passwords in `text`; placeholders, and what is code and no string, are left out."""
    return in_words(text, _credentials(text), language)


def _credentials(text: str) -> Iterator[Finding]:
    found_at: set[int] = set()
    present = {literal for literal in _LITERALS if literal in text}
    for rule in _RULES:
        if present.isdisjoint(rule.literals):
            continue
        spans: Iterator[tuple[int, int]]
        if rule.pattern:
            spans = ((match.start(), match.end()) for match in _compiled(rule.pattern).finditer(text))
        else:
            spans = _detected(rule, text)
        for start, stop in spans:
            found = text[start:stop]
            if not _PLACEHOLDER.search(found):
                found_at.add(start)
                yield Finding(rule.kind, start, stop)
    for start, stop in _private_keys(text) if "PRIVATE KEY" in text else ():
        found_at.add(start)
        yield Finding("private key", start, stop)
    lowered = text.lower()
    if any(name in lowered for name in _NAMES):
        for match in _ASSIGNED.finditer(text):
            if _random(match.group(1)) and match.start(1) not in found_at:
                yield Finding("key assigned to a name", match.start(1), match.end(1))


def _private_keys(text: str) -> Iterator[tuple[int, int]]:
    """Where private keys stand, from marker to marker; each part of the text is gone through once, however many of the
    keys in it break off."""
    ends = [match.span() for match in _END.finditer(text)]
    reached = 0
    for begin in _BEGIN.finditer(text):
        start = begin.end()
        if begin.start() < reached:
            continue
        if not ends or ends[-1][0] < start:
            return
        stop = text.find("-----END ", start, start + _BEFORE_KEY)
        line = _KEY_LINE.search(text, start, (start + _BEFORE_KEY if stop < 0 else stop) + 40)
        place = len(ends) if line is None else bisect_left(ends, (line.end() + _REST_OF_KEY, 0))
        if place < len(ends):
            reached = ends[place][1]
            yield begin.start(), reached


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def _detector(name: str) -> Any:
    module, _, cls = name.partition(".")
    return getattr(importlib.import_module(f"detect_secrets.plugins.{module}"), cls)()


def _detected(rule: _Rule, text: str) -> Iterator[tuple[int, int]]:
    """Where the library's detector finds something in a line that has one of the rule's literals."""
    seen: set[int] = set()
    for literal in rule.literals:
        at = text.find(literal)
        while at >= 0:
            start = text.rfind("\n", 0, at) + 1
            stop = text.find("\n", at)
            stop = len(text) if stop < 0 else stop
            if start not in seen:
                seen.add(start)
                yield from _in_line(rule, text[start:stop], start)
            at = text.find(literal, stop)


def _in_line(rule: _Rule, line: str, offset: int) -> Iterator[tuple[int, int]]:
    """The detector's own patterns, for their places: `analyze_string` gives texts, of GitHub's tokens only "ghp"."""
    for pattern in _detector(rule.detector).denylist:
        for match in pattern.finditer(line):
            if rule.kind == "password in a URL":
                yield from _passwords(line, match.group(1), offset)
                continue
            inner = next((n for n in range(1, pattern.groups + 1) if len(match.group(n) or "") >= MIN_KEY), 0)
            start, stop = match.span(inner)
            if rule.kind == "AWS secret key" and not inner:
                continue
            if not (_joins(line[start - 1 : start] if start else "") or _joins(line[stop : stop + 1])):
                yield offset + start, offset + stop


def _joins(character: str) -> bool:
    return character.isalnum() or character in ("_", "-") if character else False


def _passwords(line: str, secret: str, offset: int) -> Iterator[tuple[int, int]]:
    for match in _URL.finditer(line):
        if f":{secret}@" in match.group() and not _NO_PASSWORD.search(match.group()):
            yield offset + match.start(), offset + match.end()


def _random(value: str) -> bool:
    """Whether a string looks drawn at random: hexadecimal, or capitals, small letters and digits, all mixed."""
    if _PLACEHOLDER.search(value):
        return False
    entropy = _detector("high_entropy_strings.Base64HighEntropyString").calculate_shannon_entropy(value)
    digits = sum(map(str.isdigit, value))
    if re.fullmatch(r"[0-9a-f]{32,}|[0-9A-F]{32,}", value):
        return bool(entropy >= MIN_HEX_ENTROPY and 4 <= digits < len(value))
    mixed = digits >= 2 and any(map(str.isupper, value)) and any(map(str.islower, value))
    return bool(mixed and entropy >= MIN_ENTROPY and not _WORDY.search(value))


_WORDY = re.compile(r"[a-z]{7,}|(?:[A-Z][a-z]{3,}){2,}|[./]\w+[./]|\d{4}-\d\d")
"""Words, camelCase, paths and dates: what a string has that a person wrote."""
