"""Between text and token ids, by one rule for training, soft targets and evaluation.

A document begins with what its tokenizer puts before a text (BOS for Llama or Gemma, nothing for GPT-2), once. What
continues a text is encoded and decoded as its continuation: tokenizers of SentencePiece's kind put a space before the
first word of a text and take it away when they decode, which is wrong for an answer.
"""

import json
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from pipeline.core.errors import InputError
from pipeline.core.records import Message

_CONTEXT = 8
"""Tokens of a prompt that are decoded together with what follows, where they are whole characters."""
_UNKNOWN = "\ufffd"
_BEFORE = ("\n", "x", "0", ";")
"""Texts that may stand before an answer to be encoded as a continuation; the first that merges with none of it is used.
"""


class ChatPrompt(str):
    """A chat template with messages in it: encoded as it stands, for the template has put the BOS where it belongs."""

    __slots__ = ()


def chat_prompt(loaded: Any, messages: Sequence[Message], opening: str = "") -> ChatPrompt:
    """`messages` in the model's chat template, ready for the answer, which begins with `opening`. The template's own
    BOS is the only one.

    Raises InputError where the model has no template (it was not trained to chat), or one that cannot be used.
    """
    name = loaded.identity.get("name") or getattr(loaded.tokenizer, "name_or_path", "")
    if not getattr(loaded.tokenizer, "chat_template", None):
        raise InputError(
            f"the model {name!r} has no chat template",
            hint="use an instruction-tuned model as teacher, or prompt it with plain text",
        )
    turns = [{"role": message.role, "content": message.content} for message in messages]
    try:
        asked = loaded.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return ChatPrompt(asked + opening)
    except Exception as error:  # a template is a program: it may raise anything
        if type(error).__module__.partition(".")[0] not in _TEMPLATE_ERRORS:
            raise
        line = getattr(error, "lineno", None)
        where = f" line {line}" if line else ""
        raise InputError(
            f"the chat template of the model {name!r} cannot be used{where}: {type(error).__name__}: {error}",
            hint="mend chat_template.jinja or tokenizer_config.json in the model's folder, or ask without the template",
        ) from error


_TEMPLATE_ERRORS = ("jinja2", "builtins")


def start_ids(tokenizer: Any) -> list[int]:
    """What `tokenizer` itself puts before a text: the ids that a document and a prompt begin with, often none."""
    plain, whole = tokenizer.encode("a", add_special_tokens=False), tokenizer.encode("a")
    for place in range(len(whole) - len(plain) + 1):
        if whole[place : place + len(plain)] == plain:
            return list(whole[:place])
    return []


def encode_prompt(tokenizer: Any, prompt: str) -> list[int]:
    """Token ids of `prompt`, with what the tokenizer puts before a text, once, and nothing after it."""
    ids = list(tokenizer.encode(prompt, add_special_tokens=False))
    bos = tokenizer.bos_token
    if isinstance(prompt, ChatPrompt) or (bos and prompt.startswith(bos)):
        return ids
    return start_ids(tokenizer) + ids


def encode_documents(tokenizer: Any, parts: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
    """Ids of what is given and of the answer that continues it, for each of `parts`, without the document's start.

    The two never share a token. Text that spells a special token stays text.
    """
    before = _before(tokenizer)
    [head] = _ids(tokenizer, [before]) if before else [[]]
    texts = [text for given, answer in parts for text in (given, before + answer if given else answer)]
    ids = _ids(tokenizer, texts)
    found = []
    for (given, answer), one, other in zip(parts, ids[::2], ids[1::2], strict=True):
        if given and other[: len(head)] == head:
            found.append((one, other[len(head) :]))
        else:
            found.append((one, _apart(tokenizer, answer) if given else other))
    return found


def _apart(tokenizer: Any, answer: str) -> list[int]:
    """Ids of a continuation that merges with what is put before the others, as spaces do with the end of a line.

    It is encoded behind the first text of `_BEFORE` that it does not merge with, or alone where there is none.
    """
    for before in _BEFORE:
        [head], [whole] = _ids(tokenizer, [before]), _ids(tokenizer, [before + answer])
        if whole[: len(head)] == head:
            return whole[len(head) :]
    return _ids(tokenizer, [answer])[0]


def _ids(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    if not texts:
        return []
    encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, split_special_tokens=True)
    found: list[list[int]] = encoded["input_ids"]
    special = set(tokenizer.all_special_ids) - {tokenizer.unk_token_id}
    spelled = [place for place, ids in enumerate(found) if not special.isdisjoint(ids)]
    if spelled:
        plain = _unspelling(tokenizer)
        for place in spelled:
            found[place] = plain.encode(texts[place], add_special_tokens=False).ids
    return found


def _unspelling(tokenizer: Any) -> Tokenizer:
    """A copy of the tokenizer whose model cannot spell a special token.

    Those of SentencePiece's Unigram kind hold `</s>` among their pieces, with a score that nothing beats, and so do
    vocabularies of whole words.
    """
    saved = json.loads(tokenizer.backend_tokenizer.to_str())
    special = {token["content"] for token in saved["added_tokens"] if token["special"]} - {tokenizer.unk_token}
    saved["added_tokens"] = [token for token in saved["added_tokens"] if token["content"] not in special]
    saved["post_processor"] = None
    vocabulary = saved["model"]["vocab"]
    if isinstance(vocabulary, dict):
        saved["model"]["vocab"] = {_hidden(word, special): number for word, number in vocabulary.items()}
    else:
        saved["model"]["vocab"] = [[_hidden(piece, special), score] for piece, score in vocabulary]
    return Tokenizer.from_str(json.dumps(saved))


def _hidden(piece: str, special: set[str]) -> str:
    """A name for a special piece that no text has: a private character stands before it."""
    return "\U0010fffd" + piece if piece in special else piece


_PROBES = ("\n    return x", " + 1", "x", "\n\n", "def f")


def _before(tokenizer: Any) -> str:
    """What must stand before a continuation so that it is encoded as one: "" for tokenizers that add no space."""
    if tokenizer.decode(tokenizer.encode("a", add_special_tokens=False) * 2) == "aa":
        return ""
    for before in _BEFORE:
        [head] = _ids(tokenizer, [before])
        wholes = _ids(tokenizer, [before + probe for probe in _PROBES])
        texts = (tokenizer.decode(whole)[len(tokenizer.decode(head)) :] for whole in wholes)
        if all(whole[: len(head)] == head for whole in wholes) and tuple(texts) == _PROBES:
            return before
    return ""


class Continuation:
    """The text of tokens that continue a prompt, decoded as they come. text: so far, without a character begun."""

    def __init__(self, tokenizer: Any, prompt: Sequence[int]) -> None:
        self._tokenizer = tokenizer
        self._context, self._told = self._whole_characters(list(prompt))
        self._ids = list(self._context)
        self._window = 0, len(self._ids)
        self._shown = self._told
        self.text = ""

    def _whole_characters(self, prompt: list[int]) -> tuple[list[int], str]:
        count = _CONTEXT
        while True:
            context = prompt[-count:]
            text = self._decode(context) if context else ""
            if _UNKNOWN not in text or count >= len(prompt):
                return context, text
            count *= 4

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=False)
        return text

    def add(self, token: int) -> None:
        """Append a token; the text grows where its last character is whole."""
        self._ids.append(token)
        first, read = self._window
        text = self._decode(self._ids[first:])
        if len(text) > len(self._shown) and not text.endswith(_UNKNOWN):
            self.text += text[len(self._shown) :]
            self._window = read, len(self._ids)
            self._shown = self._decode(self._ids[read:])

    def whole(self) -> str:
        """The text of all tokens, decoded at once, a character cut short included."""
        text = self._decode(self._ids) if self._ids else ""
        if text.startswith(self._told):
            return text[len(self._told) :]
        made = self._ids[len(self._context) :]
        return self._decode(made) if made else ""
