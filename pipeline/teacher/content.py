"""What a chat-completion (or completion) object says. Every shape that a server may send is read; none raises."""

from dataclasses import dataclass
from typing import Any, Literal

from pipeline.core.identity import storable
from pipeline.teacher.protocol import Failure, Trouble

Ending = Literal["stop", "length", "filter", "failed"]

_ENDINGS: dict[Ending, tuple[str, ...]] = {
    "stop": ("stop", "eos", "eos_token", "end_turn", "stop_sequence", "stop_token", "stop_string", "complete",
             "completed", "finish", "finished", "end", "done", "eos_found"),
    "length": ("length", "max_tokens", "model_length", "max_length", "max_new_tokens", "max_output_tokens",
               "max_completion_tokens", "token_limit", "context_length", "model_context_window_exceeded",
               "context_window_exceeded", "truncated", "limit"),
    "filter": ("content_filter", "content_filtered", "filter", "filtered", "safety", "image_safety", "sensitive",
               "refusal", "refused", "recitation", "blocklist", "blocked", "prohibited_content", "spii", "moderation",
               "guardrail", "guardrail_intervened", "guardrails"),
    "failed": ("abort", "aborted", "error", "failed", "failure", "cancel", "cancelled", "canceled", "interrupted",
               "timeout", "network_error", "server_error", "internal_error", "model_error", "engine_error",
               "engine_overloaded", "overloaded", "insufficient_system_resource", "preempted", "unavailable",
               "malformed_response"),
}  # fmt: skip
"""Names under which OpenAI, vLLM, SGLang, TGI, llama.cpp, Mistral, Anthropic, Gemini, Bedrock, Cohere, DeepSeek, Zhipu
and the gateways in front of them tell how an answer ended."""
_ENDING_OF = {name: ending for ending, names in _ENDINGS.items() for name in names}
_PREFIXES = ("finishreason.", "finish_reason_", "finish_reason.", "finishreason_")
LONGEST_REASON = 40
"""Characters of a server's finish reason that are quoted."""
MOST_TOKENS = 10**9
"""A count above it is taken for none: no prompt or answer is that long, and sums must stay within 64 bits."""
_THOUGHTS = frozenset({"thinking", "reasoning", "reasoning_text", "redacted_thinking", "reasoning_content", "thought"})
"""Types of content parts that hold the way to an answer, not the answer."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a chat-completion body says, in characters that UTF-8 can hold.

    finish: "stop", "length" or "filter". reason: the server's own word for that, "" where it is plainly "stop" or
    missing. refusal: the model's words or "". notes: what a reader of the run must know of this answer: an ending that
    is not known here, characters that were replaced.
    """

    text: str
    finish: str
    refusal: str
    prompt_tokens: int
    completion_tokens: int
    reason: str = ""
    notes: tuple[str, ...] = ()


def content_of(body: dict[str, Any]) -> Content | Failure:
    """Read a chat-completion (or completion) object. A Failure may be asked again: there is no answer in it."""
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return Failure(Trouble.MALFORMED, f"200 without a choice{_keys(body)}")
    choice = choices[0]
    told = choice.get("finish_reason")
    ending, reason = _ending(told)
    if ending == "failed":
        return Failure(Trouble.SERVER, f"200 with finish_reason {reason!r}: the server gave up on the answer")
    message = choice.get("message")
    chat = isinstance(message, dict)
    text = _text(message.get("content") if isinstance(message, dict) else choice.get("text"))
    refusal = _refusal(message) if isinstance(message, dict) else ""
    # A model that continues a text may end it at once; to a question an empty answer is none.
    missing = text is None or (chat and not text.strip())
    if missing and not refusal and ending in ("stop", None):
        return Failure(Trouble.MALFORMED, _nothing(text, message if isinstance(message, dict) else choice))
    notes = []
    if ending is None:
        notes.append(f"finish_reason {reason!r} is not known: the answer was taken for a whole one")
    elif told is None:
        notes.append("no finish_reason given: the answer was taken for a whole one")
    whole = storable(text or "")
    if whole != (text or ""):
        notes.append("characters that no file can hold (halves of surrogate pairs) were replaced by U+FFFD")
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Content(
        text=whole,
        finish=ending or "stop",
        refusal=storable(refusal),
        prompt_tokens=_count(usage.get("prompt_tokens")),
        completion_tokens=_count(usage.get("completion_tokens")),
        reason=reason,
        notes=tuple(notes),
    )


def chat_body(text: str, finish: str, model: str, prompt_tokens: int = 0, completion_tokens: int = 0) -> dict[str, Any]:
    """A chat-completion object for teachers that answer in this process, so that all journals read alike."""
    return {
        "object": "chat.completion",
        "model": model,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens},
    }


def _ending(told: object) -> tuple[Ending | None, str]:
    """How an answer ended, None where the word for it is not known, and that word; a missing one means "stop"."""
    if told is None or told == "":
        return "stop", ""
    reason = storable(" ".join(str(told).split()))[:LONGEST_REASON]
    plain = reason.lower().replace("-", "_").replace(" ", "_")
    for prefix in _PREFIXES:
        plain = plain.removeprefix(prefix)
    return _ENDING_OF.get(plain), "" if plain == "stop" else reason


def _text(content: object) -> str | None:
    """The text of a content field: a string, or the texts of its parts; None where it has none."""
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        return content if isinstance(content, str) else None
    texts = [text for part in content if (text := _part(part)) is not None]
    return "".join(texts) if texts else None


def _part(part: object) -> str | None:
    if isinstance(part, dict):
        if str(part.get("type")) in _THOUGHTS:
            return None
        part = part.get("text")
        if isinstance(part, dict):  # {"text": {"value": ...}}, as OpenAI's assistants have it
            part = part.get("value")
    return part if isinstance(part, str) else None


def _refusal(message: dict[str, Any]) -> str:
    """The words of a refusal, in its own field or as a part of the content."""
    found = message.get("refusal")
    content = message.get("content")
    if not found and isinstance(content, list):
        found = next((part["refusal"] for part in content if isinstance(part, dict) and part.get("refusal")), None)
    return str(found or "").strip()


NOTHING = ("200 with a choice that has no text", "200 with a choice whose text is blank")
"""How the details of failures begin whose answer was there and had no content."""


def _nothing(text: str | None, holder: dict[str, Any]) -> str:
    said = NOTHING[0] if text is None else NOTHING[1]
    if any(holder.get(name) for name in ("reasoning_content", "reasoning", "thinking")):
        return f"{said}, only reasoning: raise max_tokens, or turn the model's thinking off in extra_body"
    if holder.get("tool_calls") or holder.get("function_call"):
        return f"{said}, only a call of a tool: offer the model no tools in extra_body"
    return said


def _keys(body: dict[str, Any]) -> str:
    """What an object has in place of a choice, for a message."""
    if "choices" in body:
        return ""
    named = ", ".join(repr(storable(str(key)))[:LONGEST_REASON] for key in list(body)[:6]) or "none"
    return f": its keys are {named}; base_url should be an OpenAI-compatible API (most end in /v1)"


def _count(value: object) -> int:
    """A count of tokens: whole numbers of any JSON spelling; 0, which means not told, for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return int(value) if 0 <= value <= MOST_TOKENS and value == int(value) else 0
