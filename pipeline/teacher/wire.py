"""The chat-completions wire format: request bodies out, answers and errors in."""

import json
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from pipeline.records import Message
from pipeline.teacher.protocol import Failure, Trouble

Api = Literal["chat", "completions"]
_DETAIL = 300
"""Most characters of a server's message that are quoted."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Everything of a request body besides model and messages; all of it but `max_tokens` is part of the key."""

    temperature: float = 0.7
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra_body: tuple[tuple[str, object], ...] = ()
    api: Api = "chat"

    def identity(self) -> dict[str, object]:
        """What changes an answer, without `max_tokens`."""
        return {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "stop": list(self.stop),
            "seed": self.seed,
            "extra_body": dict(self.extra_body),
            "api": self.api,
        }


class BodyWriter:
    """Writes request bodies for one endpoint; everything that does not change is encoded once."""

    def __init__(self, base_url: str, model: str, sampling: Sampling) -> None:
        fields: dict[str, object] = {}
        extra = dict(sampling.extra_body)
        if "max_tokens" not in extra and "max_completion_tokens" not in extra:
            # OpenAI's newer models refuse the old name, and no other server knows the new one for sure.
            modern = sampling.api == "chat" and urlsplit(base_url).hostname == "api.openai.com"
            fields["max_completion_tokens" if modern else "max_tokens"] = sampling.max_tokens
        # 1 is every server's default, and models that allow no other value refuse to be told it.
        if sampling.temperature != 1.0:
            fields["temperature"] = sampling.temperature
        if sampling.top_p != 1.0:
            fields["top_p"] = sampling.top_p
        if sampling.stop:
            fields["stop"] = list(sampling.stop)
        fields.update(extra)
        asked = "messages" if sampling.api == "chat" else "prompt"
        self._head = json.dumps({"model": model})[:-1].encode() + f', "{asked}": '.encode()
        self._tail = b", " + json.dumps(fields)[1:].encode()
        self._sampling = sampling

    def body(self, messages: tuple[Message, ...], number: int) -> bytes:
        """The body for the `number`-th sample: a seed is raised by `number`, or all samples would be the same."""
        if self._sampling.api == "chat":
            asked = json.dumps([{"role": message.role, "content": message.content} for message in messages])
        else:
            asked = json.dumps("\n\n".join(message.content for message in messages))
        tail = self._tail
        if self._sampling.seed is not None:
            tail = f', "seed": {self._sampling.seed + number}'.encode() + tail
        return self._head + asked.encode() + tail


@dataclass(frozen=True, slots=True)
class Content:
    """What a chat-completion body says. finish: "stop", "length" or "filter"; refusal: the model's words or ""."""

    text: str
    finish: str
    refusal: str
    prompt_tokens: int
    completion_tokens: int


class Parsed(NamedTuple):
    """A 200 body: the JSON object, and what it says."""

    body: dict[str, Any]
    content: Content


def parse_body(raw: bytes) -> Parsed | Failure:
    """The JSON object of a 200 body; a Failure (malformed) if it is cut off, not an object or holds no choice."""
    try:
        body = json.loads(raw)
    except ValueError:
        return Failure(Trouble.MALFORMED, f"200 with a body of {len(raw)} bytes that is not whole JSON")
    if not isinstance(body, dict):
        return Failure(Trouble.MALFORMED, f"200 with JSON that is a {type(body).__name__}, not an object")
    if isinstance(body.get("error"), dict):
        return Failure(Trouble.SERVER, f"200 with an error inside: {_quote(body['error'].get('message'))}")
    content = content_of(body)
    return content if isinstance(content, Failure) else Parsed(body, content)


def content_of(body: dict[str, Any]) -> Content | Failure:
    """Read a chat-completion (or completion) object. Tolerates what servers leave out; never raises."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Failure(Trouble.MALFORMED, "200 without a choice")
    choice = choices[0]
    finish = {"length": "length", "content_filter": "filter"}.get(str(choice.get("finish_reason")), "stop")
    message = choice.get("message")
    refusal = ""
    if isinstance(message, dict):
        text = message.get("content")
        refusal = message.get("refusal") or ""
    else:
        text = choice.get("text")
    if isinstance(text, list):
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if not isinstance(text, str):
        if not refusal and finish == "stop":
            return Failure(Trouble.MALFORMED, "200 with a choice that has no text")
        text = ""
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Content(text, finish, str(refusal), _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"))


def chat_body(text: str, finish: str, model: str, prompt_tokens: int = 0, completion_tokens: int = 0) -> dict[str, Any]:
    """A chat-completion object for teachers that answer in this process, so that all journals read alike."""
    return {
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens},
    }


def error_of(status: int, raw: bytes) -> Failure:
    """Class and message of an error response (status other than 200)."""
    message, code = _server_words(raw)
    words = f"{code} {message}".lower()
    said = f"HTTP {status}: {_quote(message)}" if message else f"HTTP {status}"
    return Failure(_trouble(status, words), said)


def _trouble(status: int, words: str) -> Trouble:
    if status == 402 or "insufficient_quota" in words or "exceeded your current quota" in words:
        return Trouble.QUOTA
    if status in (401, 403, 407):
        return Trouble.AUTHENTICATION
    if status == 404:
        return Trouble.NOT_FOUND
    if status == 429:
        return Trouble.RATE_LIMIT
    if status == 408:
        return Trouble.TIMEOUT
    if status in (502, 503, 504, 529):
        return Trouble.OVERLOAD
    if status >= 500 or status in (409, 425):
        return Trouble.SERVER
    if "content_filter" in words or "content_policy" in words or "content management policy" in words:
        return Trouble.FILTER
    context_words = ("context_length", "context length", "maximum context", "context size", "too many tokens")
    if status == 413 or any(word in words for word in context_words):
        return Trouble.CONTEXT
    return Trouble.BAD_REQUEST


def _server_words(raw: bytes) -> tuple[str, str]:
    """Message and code of an error body: OpenAI's shape, FastAPI's `detail`, or plain text."""
    try:
        body = json.loads(raw)
    except ValueError:
        return raw[:_DETAIL].decode("utf-8", "replace").strip(), ""
    if not isinstance(body, dict):
        return str(body), ""
    error = body.get("error", body)
    if not isinstance(error, dict):
        return str(error), ""
    message = error.get("message") or error.get("detail") or ""
    return str(message), f"{error.get('code') or ''} {error.get('type') or ''}".strip()


def retry_after(headers: dict[str, str], now: float) -> float | None:
    """Seconds to wait by `retry-after-ms` or `retry-after` (seconds or an HTTP date); None if not told.

    now: seconds since the epoch, for dates. Names are lower case. A past date is 0 seconds.
    """
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        value = headers.get("retry-after", "").strip()
        if not value:
            return None
        if value.replace(".", "", 1).isdigit():
            return float(value)
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError):
        return None


def duration(value: str) -> float | None:
    """Seconds of OpenAI's reset headers: "1s", "6m0s", "120ms", "1h2m", or a bare number; None if it is none."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
    total, number, rest = 0.0, "", value.strip()
    try:
        if rest and rest.replace(".", "", 1).isdigit():
            return float(rest)
        while rest:
            cut = next((i for i, c in enumerate(rest) if not (c.isdigit() or c == ".")), len(rest))
            number, rest = rest[:cut], rest[cut:]
            unit = "ms" if rest.startswith("ms") else rest[:1]
            total += float(number) * units[unit]
            rest = rest[len(unit) :]
    except (ValueError, KeyError):
        return None
    return total if value.strip() else None


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    return value if isinstance(value, int) and value >= 0 else 0


def _quote(message: object) -> str:
    text = " ".join(str(message or "").split())
    return text if len(text) <= _DETAIL else text[:_DETAIL] + "..."
