"""Key-value cached decoding: a batch of rows that are admitted, stepped and dropped.

Two engines with one interface: `LeanEngine` for Llama, Qwen2 and Phi, `TransformersEngine` for every other causal LM.
Rows have positions of their own, so a row's logits do not depend on which other rows are in the batch, but for the
rounding of matrix products of other sizes: about 1e-5 in fp32. Where that could decide, `alone` does.
"""

import inspect
from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.lean import Lean, Linear, MakeLinear, causal, packed

FEWEST_IN_TWO = 8
"""Rows from which on a common beginning is attended to by all at once."""
_PREFILL_TOKENS = {"cpu": 256, "cuda": 2048}
"""Most tokens of one prefill pass, by kind of device; bounds its memory. On one Zen 4 core 1.5B in 8-bit integers reads
122 tokens a CPU second in passes of 256, 88 in passes of 512 and 70 in passes of 2,048: what lies between two products
leaves the cache, and tensors of over 32 MB are new pages each time."""


class Engine(Protocol):
    """A batch of sequences being continued. Rows are numbered 0.. in the order in which they were admitted.

    joins: whether rows can be admitted while others are running. room: rows that can be admitted now.
    """

    joins: ClassVar[bool]

    @property
    def room(self) -> int: ...

    def admit(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        """Append rows; returns the logits after each one's last token, (new rows, vocab), fp32."""
        ...

    def step(self, tokens: Sequence[int]) -> Tensor:
        """Append one token to each row; returns (rows, vocab) logits, fp32."""
        ...

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these, which are renumbered in the order given."""
        ...

    def alone(self, tokens: Sequence[int]) -> Tensor:
        """Logits after a sequence, (vocab,), fp32, from one pass over it alone; the batch is left as it is.

        Equal sequences give equal logits, bit for bit, whatever else is being continued.
        """
        ...


class LeanEngine:
    """Static cache (layers, keys or values, rows, kv_heads, length, head) and the lean forward on packed weights.

    beginnings: token sequences that many prompts begin with, longest first; each is read once, when the first prompt
    with it comes, and its keys and values are copied for the others. So are those of a whole prompt for its further
    samples, while one that was admitted before is still being continued.
    """

    joins: ClassVar[bool] = True

    def __init__(
        self,
        model: Any,
        slots: int,
        length: int,
        lean: Lean | None = None,
        beginnings: Sequence[Sequence[int]] = (),
    ) -> None:
        self.lean = lean or Lean(model, packed)
        weight = model.model.embed_tokens.weight
        shape = (len(self.lean.layers), 2, slots, self.lean.kv_heads, length, self.lean.head)
        self.cache = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
        self.lengths: list[int] = []
        self.prompts: list[list[int]] = []
        self.began: list[int | None] = []
        """Of each row the number of its beginning."""
        self.slots = slots
        self.most = _PREFILL_TOKENS.get(weight.device.type, _PREFILL_TOKENS["cuda"])
        self.beginnings = [list(tokens) for tokens in beginnings]
        self.read: dict[int, Tensor] = {}
        """Keys and values (layers, 2, 1, kv_heads, time, head) of the beginnings read so far, by their number."""

    @property
    def room(self) -> int:
        return self.slots - len(self.lengths)

    @torch.inference_mode()
    def admit(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        logits = []
        first = len(self.lengths)
        rows = {tuple(prompt): row for row, prompt in enumerate(self.prompts)}
        group: list[Sequence[int]] = []
        shared: tuple[int | None, int | None] = None, None
        for row, prompt in enumerate(prompts, first):
            twin = rows.setdefault(tuple(prompt), row)
            source = (None, twin) if twin < row else (self._beginning(prompt), None)
            there = self._there(prompt, *source)
            tokens = (len(group) + 1) * max(len(p) - there for p in (*group, prompt))
            if group and (source != shared or tokens > self.most):
                logits.append(self._prefill(group, *shared))
                group = []
            group.append(prompt)
            shared = source
        logits.append(self._prefill(group, *shared))
        return torch.cat(logits)

    def _there(self, prompt: Sequence[int], beginning: int | None, twin: int | None) -> int:
        """Tokens of `prompt` that need not be read, given the number of its beginning or of a row with all of it."""
        if twin is not None:
            return len(prompt) - 1
        return 0 if beginning is None else len(self.beginnings[beginning])

    def _beginning(self, prompt: Sequence[int]) -> int | None:
        """The number of the longest beginning that `prompt` has and goes on after."""
        for number, tokens in enumerate(self.beginnings):
            if len(prompt) > len(tokens) and list(prompt[: len(tokens)]) == tokens:
                return number
        return None

    def _prefill(self, prompts: Sequence[Sequence[int]], beginning: int | None, twin: int | None) -> Tensor:
        """Append `prompts`, which all begin with beginning number `beginning`, or are what row `twin` began with.

        Returns the logits after each one's last token.
        """
        device, first = self.cache.device, len(self.lengths)
        start, rows = self._there(prompts[0], beginning, twin), slice(first, first + len(prompts))
        if twin is not None:
            self.cache[:, :, rows, :, :start] = self.cache[:, :, twin : twin + 1, :, :start]
        elif beginning is not None:
            self.cache[:, :, rows, :, :start] = self._read(beginning)
        lengths = [len(prompt) for prompt in prompts]
        hidden = self._pass([prompt[start:] for prompt in prompts], start, rows)
        last = hidden[torch.arange(len(prompts), device=device), torch.tensor(lengths, device=device) - 1 - start]
        self.lengths += lengths
        self.prompts += [list(prompt) for prompt in prompts]
        self.began += [beginning if twin is None else self.began[twin]] * len(prompts)
        return self.lean.lm_head(last).float()

    def _read(self, number: int) -> Tensor:
        """Keys and values of a beginning, read through a row that is free."""
        if number not in self.read:
            row = slice(len(self.lengths), len(self.lengths) + 1)
            self._pass([self.beginnings[number]], 0, row)
            self.read[number] = self.cache[:, :, row, :, : len(self.beginnings[number])].clone()
        return self.read[number]

    def _pass(self, texts: Sequence[Sequence[int]], start: int, rows: slice) -> Tensor:
        """Hidden states (texts, time, hidden) of texts that go on at position `start` of `rows`, whose cache is filled.

        Shorter texts are padded on the right, where no real token sees the padding.
        """
        device = self.cache.device
        width = max(len(text) for text in texts)
        if len(texts) == 1 and width > self.most:
            parts = range(0, width, self.most)
            return torch.cat([self._pass([texts[0][at : at + self.most]], start + at, rows) for at in parts], 1)
        ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in texts], device=device)
        cache = self.cache[:, :, rows, :, : start + width]
        within = causal()
        positions = torch.arange(start, start + width, device=device)
        visible = torch.arange(start + width, device=device)[None] <= positions[:, None]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            cache[layer, 0, :, :, start:] = k
            cache[layer, 1, :, :, start:] = v
            if not start:
                return within(layer, q, k, v)
            return functional.scaled_dot_product_attention(
                q, cache[layer, 0], cache[layer, 1], attn_mask=visible, enable_gqa=q.shape[1] != k.shape[1]
            )

        return self.lean.hidden(ids, self.lean.rotary(positions[None]), attend)

    @torch.inference_mode()
    def step(self, tokens: Sequence[int]) -> Tensor:
        device, rows = self.cache.device, len(self.lengths)
        positions = torch.tensor(self.lengths, device=device)
        width = max(self.lengths) + 1
        visible = torch.arange(width, device=device)[None] <= positions[:, None]
        mask = torch.zeros(visible.shape, dtype=self.cache.dtype, device=device).masked_fill_(~visible, float("-inf"))
        mask = mask[:, None, None]
        row_index = torch.arange(rows, device=device)
        cache, group = self.cache[:, :, :rows], self.lean.heads // self.lean.kv_heads
        common = self.in_common()
        start = 0 if common is None else common.shape[-2]
        mask = mask[..., start:]

        def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = cache[layer, 0], cache[layer, 1]
            keys[row_index, :, positions] = k[:, :, 0]
            values[row_index, :, positions] = v[:, :, 0]
            # The query heads that share a key-value head stand where queries of several positions would.
            shared = q.reshape(rows, self.lean.kv_heads, group, self.lean.head)
            keys, values = keys[:, :, start:width], values[:, :, start:width]
            if common is None:
                out = functional.scaled_dot_product_attention(shared, keys, values, attn_mask=mask)
            else:
                out = _attend_in_two(shared, common[layer], keys, values, mask)
            return out.reshape(rows, self.lean.heads, 1, self.lean.head)

        ids = torch.tensor(tokens, device=device)[:, None]
        hidden = self.lean.hidden(ids, self.lean.rotary(positions[:, None]), attend)
        self.lengths = [length + 1 for length in self.lengths]
        return self.lean.lm_head(hidden[:, 0]).float()

    def keep(self, rows: Sequence[int]) -> None:
        for new, old in enumerate(rows):
            if new != old:
                length = self.lengths[old]
                self.cache[:, :, new, :, :length] = self.cache[:, :, old, :, :length]
        self.lengths = [self.lengths[row] for row in rows]
        self.prompts = [self.prompts[row] for row in rows]
        self.began = [self.began[row] for row in rows]

    def in_common(self) -> Tensor | None:
        """Keys and values (layers, 2, 1, kv_heads, time, head) of the beginning that all rows have, where they are
        worth being attended to at once."""
        (number, *others) = set(self.began)
        if number is None or others or len(self.began) < FEWEST_IN_TWO or self.cache.device.type != "cpu":
            return None
        return self.read[number]

    @torch.inference_mode()
    def alone(self, tokens: Sequence[int]) -> Tensor:
        ids = torch.tensor([list(tokens)], device=self.cache.device)
        rotary = self.lean.rotary(torch.arange(len(tokens), device=self.cache.device)[None])
        hidden = self.lean.hidden(ids, rotary, causal())
        return self.lean.lm_head(hidden[:, -1]).float()[0]


def _attend_in_two(q: Tensor, common: Tensor, keys: Tensor, values: Tensor, mask: Tensor) -> Tensor:
    """Attention of rows to a beginning that is theirs in common, and to what each has of its own, put together.

    The keys and values of a beginning are then read once and not once a row, which is most of what a step reads beside
    the weights (Juravsky et al. 2024, Hydragen, 3.1). q: (rows, kv_heads, queries, head). common: (2, 1, kv_heads,
    time, head). keys, values: (rows, kv_heads, own, head), with the additive mask (rows, 1, 1, own); each row sees at
    least one of them.
    """
    rows, kv_heads, queries, head = q.shape
    attend = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    together = q.transpose(0, 1).reshape(1, kv_heads, rows * queries, head)
    first, first_sum = attend(together, common[0], common[1])
    first = first.view(kv_heads, rows, queries, head).transpose(0, 1)
    first_sum = first_sum.view(kv_heads, rows, queries).transpose(0, 1)
    own, own_sum = attend(q, keys, values, attn_mask=mask)
    share = torch.sigmoid(first_sum - own_sum)[..., None]
    return torch.lerp(own.float(), first.float(), share).to(q.dtype)


class TransformersEngine:
    """Any causal LM through its own forward: left padding, positions of each row's own, a dynamic cache."""

    joins: ClassVar[bool] = False

    def __init__(self, model: Any, slots: int, length: int) -> None:
        self.model = model
        self.slots = slots
        # transformers calls the argument and the output field `past_key_values`, and from 5.24 on the argument `cache`.
        known = inspect.signature(model.forward).parameters
        self.argument = "cache" if "cache" in known else "past_key_values"
        self.positions = "position_ids" in known  # BLOOM and MPT count the mask instead
        self.further = {"logits_to_keep": 1} if "logits_to_keep" in known else {}
        self.cache: Any = None
        self.mask = torch.zeros((0, 0), dtype=torch.long, device=model.device)

    @property
    def room(self) -> int:
        return 0 if len(self.mask) else self.slots

    @torch.inference_mode()
    def admit(self, prompts: Sequence[Sequence[int]]) -> Tensor:
        width = max(len(prompt) for prompt in prompts)
        ids = torch.tensor([[*[0] * (width - len(p)), *p] for p in prompts], device=self.model.device)
        kept = torch.tensor([[*[0] * (width - len(p)), *[1] * len(p)] for p in prompts], device=self.model.device)
        self.mask, self.cache = kept, None
        return self._forward(ids, (kept.cumsum(-1) - 1).clamp(min=0))

    @torch.inference_mode()
    def step(self, tokens: Sequence[int]) -> Tensor:
        positions = self.mask.sum(-1, keepdim=True)
        self.mask = torch.cat([self.mask, torch.ones_like(positions)], -1)
        return self._forward(torch.tensor(tokens, device=self.model.device)[:, None], positions)

    def _forward(self, ids: Tensor, positions: Tensor) -> Tensor:
        arguments = {**self.further, self.argument: self.cache}
        if self.positions:
            arguments["position_ids"] = positions
        answer = self.model(input_ids=ids, attention_mask=self.mask, use_cache=True, **arguments)
        self.cache = answer.get(self.argument, None) or answer["past_key_values"]
        return answer.logits[:, -1].float()  # type: ignore[no-any-return]

    def keep(self, rows: Sequence[int]) -> None:
        index = torch.tensor(list(rows), dtype=torch.long, device=self.mask.device)
        self.mask = self.mask[index]
        if len(index):
            self.cache.batch_select_indices(index)
        else:
            self.cache = None

    @torch.inference_mode()
    def alone(self, tokens: Sequence[int]) -> Tensor:
        ids = torch.tensor([list(tokens)], device=self.model.device)
        logits: Tensor = self.model(input_ids=ids, use_cache=False, **self.further).logits
        return logits[0, -1].float()


def make_engine(
    model: Any,
    slots: int,
    length: int,
    kept: dict[str, Any] | None = None,
    beginnings: Sequence[Sequence[int]] = (),
) -> Engine:
    """The faster engine that knows `model`, for at most `slots` rows of at most `length` tokens.

    kept: where packed weights are kept for the next engine of the same model; None keeps none. Packing SmolLM2's takes
    half a CPU second. They are packed anew once a parameter has changed: its version, or its norm, for AdamW's fused
    step leaves versions as they are. beginnings: what many prompts begin with, longest first, for an engine that can
    read it once.
    """
    lean = lean_of(model, {} if kept is None else kept)
    if lean is None:
        return TransformersEngine(model, slots, length)
    return LeanEngine(model, slots, length, lean, beginnings)


def lean_of(model: Any, kept: dict[str, Any]) -> Lean | None:
    """The model's weights laid out for reading and writing, from `kept` where they are and have not changed since;
    None for a model that `Lean` does not know. See `make_engine`."""
    if not Lean.knows(model):
        return None
    if "moved" in kept:
        return kept["moved"]  # type: ignore[no-any-return]
    weights = [parameter.detach() for parameter in model.parameters()]
    norms = torch.stack([norm.float() for norm in torch._foreach_norm(weights)]).tolist()
    state = [(weight.data_ptr(), weight._version, norm) for weight, norm in zip(weights, norms, strict=True)]
    if kept.get("state") != state:
        kept.clear()
        kept.update(state=state, lean=Lean(model, packed))
    return kept["lean"]  # type: ignore[no-any-return]


def move_weights(model: Any, kept: dict[str, Any], lay_out: MakeLinear = packed) -> None:
    """Lay the weights out for generation in `kept`, for `make_engine`, and take them from the model, one after another.

    Memory is that of one copy, where `make_engine` alone holds two (6 GB more for 1.5B parameters in fp32). The model
    can then do nothing else. One that `Lean` does not know stays as it is.
    """
    if not Lean.knows(model) or "moved" in kept:
        return
    embedding = model.model.embed_tokens.weight

    def moved(modules: Sequence[Any]) -> tuple[Linear, ...]:
        functions = lay_out(modules)
        for module in modules:
            if module.weight is not embedding:
                module.weight.data = module.weight.new_empty(0)
        return functions

    kept.clear()
    kept["moved"] = Lean(model, moved)
