"""Continuing prompts: batched, key-value cached, each row leaving when it is done and another taking its place."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipeline.core.interrupts import all_of, mapped
from pipeline.languages.python.stopping import AnswerEnd, Stop, StopRule, end_tokens
from pipeline.models.architectures import positions_of
from pipeline.models.beginnings import shared_beginnings
from pipeline.models.engines import Engine, make_engine
from pipeline.models.loading import LoadedModel
from pipeline.models.prompts import ChatPrompt, Continuation, chat_prompt, encode_prompt

__all__ = ["ChatPrompt", "Generation", "chat_prompt", "encode_prompt", "generate"]

NEAR = 5e-4
"""Two best logits closer than this are told apart by reading the row alone: in a batch of another size the same logits
differ by rounding, by less than 1e-4 for SmolLM2 in fp32. One token in some hundreds is that close."""

CPU_BATCH = 32
GPU_BATCH = 256
"""Rows of a batch where the caller names no number; more rows give little more."""
_IN_CACHE = 1 << 18
"""Logits that a CPU looks at together: read several times, they stay in its cache, and take half of the time."""
_LIKELIEST = (64, 1024, 1 << 62)
"""Tokens that are looked at where the likeliest ones are drawn from, until they hold `top_p` of the probability."""


@dataclass(frozen=True, slots=True)
class Generation:
    """The continuation of prompt number `index`.

    text: without the prompt, the end-of-text token and what the stop rule cut off. raw: as generated, before the cut.
    finish_reason: "stop" (the stop rule), "eos", or "length". tokens: tokens generated, the ending one included.
    """

    index: int
    text: str
    finish_reason: str
    tokens: int
    raw: str

    @property
    def no_room(self) -> bool:
        """Whether nothing was generated because the prompt fills the model's context, or has no tokens."""
        return self.finish_reason == "length" and not self.tokens


@dataclass(slots=True)
class _Row:
    index: int
    prompt: list[int]
    limit: int
    draws: list[float]
    text: Continuation
    stop: Callable[..., int | None]
    made: list[int] = field(default_factory=list)


def generate(
    loaded: LoadedModel,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    stop: StopRule | Stop | Sequence[str] = (),
    temperature: float = 0.0,
    top_p: float = 1.0,
    seeds: Sequence[int] = (),
    batch: int = 0,
    on_done: Callable[[Generation], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Iterator[Generation]:
    """Continue each prompt; yields in the order in which they finish.

    stop: strings to cut before, or a rule or function of `languages.python.stopping`. An answer also ends with any of
    the model's `end_tokens`. temperature: 0.0 is greedy, and the answer is then the same for every batch size: in fp32,
    where two tokens are within rounding (`NEAR`), the row is read again alone, and that decides. bf16 and fp16 round
    too coarsely for that, and near ties may differ. seeds: one per prompt where temperature > 0; a prompt's draws come
    from its seed alone. batch: rows at once, 0 for a size that suits the device. on_step: given the rows that are being
    written and how many tokens the last step added, 0 when prompts are about to be read.

    A prompt that leaves no room in the model's context gives an empty text with the reason "length", and says so by
    `Generation.no_room`.
    """
    if temperature > 0 and len(seeds) != len(prompts):
        raise ValueError(
            f"temperature {temperature} needs one seed per prompt: {len(prompts)} prompts, {len(seeds)} seeds"
        )
    context = positions_of(loaded.model.config) or 1 << 30
    rows: list[_Row] = []
    full: list[_Row] = []
    for index, prompt in enumerate(prompts):
        ids = encode_prompt(loaded.tokenizer, prompt)
        limit = min(max_new_tokens, context - len(ids))
        draws = _draws(seeds[index], limit) if temperature > 0 else []
        text = Continuation(loaded.tokenizer, ids)
        (rows if ids and limit > 0 else full).append(_Row(index, ids, limit, draws, text, _stop_after(stop, prompt)))
    for row in full:
        yield Generation(row.index, "", "length", 0, "")
    # Longest first: rows that are admitted together then have prompts of about one length. Samples of one prompt stand
    # together: an engine reads it once.
    waiting = sorted(rows, key=lambda row: (-len(row.prompt), row.prompt, row.index))
    if not waiting:
        return
    slots = min(batch or (GPU_BATCH if loaded.device.type == "cuda" else CPU_BATCH), len(waiting))
    length = max(len(row.prompt) + row.limit for row in waiting)
    beginnings = shared_beginnings([row.prompt for row in waiting])
    engine = make_engine(loaded.model, slots, length, loaded.packed, beginnings)
    precise = next(loaded.model.parameters()).dtype == torch.float32
    choose = _Chooser(temperature, top_p, engine.alone if precise else None)

    def told(done: Generation) -> Generation:
        if on_done is not None:
            on_done(done)
        return done

    ends = end_tokens(loaded.model, loaded.tokenizer)
    yield from mapped(_decode(engine, waiting, ends, choose, on_step or _unheard), told)


def _stop_after(stop: StopRule | Stop | Sequence[str], prompt: str) -> Callable[..., int | None]:
    """What tells where the answer to `prompt` ends, asked as `CodeStop` is."""
    if isinstance(stop, StopRule):
        return stop.after(prompt)
    if callable(stop):
        return lambda text, ended=False: stop(text)
    return AnswerEnd(strings=tuple(stop)).after(prompt)


def _unheard(rows: int, tokens: int) -> None:
    """The listener of a generation that nobody watches."""


def _decode(
    engine: Engine,
    waiting: list[_Row],
    ends: frozenset[int],
    choose: "_Chooser",
    on_step: Callable[[int, int], None],
) -> Iterator[Generation]:
    refill = max(1, engine.room // 8)
    active: list[_Row] = []
    while active or waiting:
        logits: list[Tensor] = []
        if active:
            logits.append(engine.step([row.made[-1] for row in active]))
        room = engine.room
        if waiting and room and (not active or (engine.joins and room >= min(refill, len(waiting)))):
            new, waiting = waiting[:room], waiting[room:]
            on_step(len(active) + len(new), 0)
            logits.append(engine.admit([row.prompt for row in new]))
            active += new
        tokens = choose(logits[0] if len(logits) == 1 else torch.cat(logits), active)
        on_step(len(active), len(active))
        going, finished = [], []
        for place, (row, token) in enumerate(zip(active, tokens, strict=True)):
            row.made.append(token)
            done = _finished(row, token, ends)
            if done is None:
                going.append(place)
            else:
                finished.append(done)
        if finished:
            engine.keep(going)
            active = [active[place] for place in going]
            yield from all_of(finished)


def _finished(row: _Row, token: int, ends: frozenset[int]) -> Generation | None:
    """The generation, where the row's last token ends it."""
    ended = token in ends
    if not ended:
        row.text.add(token)
    place = row.stop(row.text.text)
    full = len(row.made) >= row.limit
    if place is None and not ended and not full:
        return None
    raw = row.text.whole()
    if place is None or not raw.startswith(row.text.text):
        place = row.stop(raw, ended=True)
    reason = "stop" if place is not None else "eos" if ended else "length"
    return Generation(row.index, raw[:place], reason, len(row.made), raw)


def _draws(seed: int, count: int) -> list[float]:
    """`count` uniform numbers in [0, 1): the n-th decides the prompt's n-th token, whatever else is in the batch."""
    generator = torch.Generator().manual_seed(seed)
    draws: list[float] = torch.rand(count, generator=generator, dtype=torch.float64).tolist()
    return draws


@dataclass(frozen=True, slots=True)
class _Chooser:
    """The next token of each row. alone: logits after a whole row read by itself, to tell near ties apart."""

    temperature: float
    top_p: float
    alone: Callable[[Sequence[int]], Tensor] | None

    def __call__(self, logits: Tensor, rows: Sequence[_Row]) -> list[int]:
        """The next token of each row, for logits (rows, vocab)."""
        if self.temperature == 0:
            return self._best(logits, rows)
        draws = torch.tensor([row.draws[len(row.made)] for row in rows], dtype=torch.float64, device=logits.device)
        if self.top_p >= 1:
            return _drawn((logits / self.temperature).double().softmax(-1), draws).tolist()
        at_once = max(1, _IN_CACHE // logits.shape[-1]) if logits.device.type == "cpu" else len(logits)
        blocks = [slice(at, at + at_once) for at in range(0, len(logits), at_once)]
        drawn = [self._of_nucleus(logits[block] / self.temperature, draws[block]) for block in blocks]
        return [token for tokens in drawn for token in tokens.tolist()]

    def _of_nucleus(self, logits: Tensor, draws: Tensor) -> Tensor:
        """Tokens drawn from the likeliest ones that hold `top_p` of the probability (Holtzman et al. 2020).

        A row is looked at as deeply as it needs: to sort a vocabulary of 150,000 takes 15 ms a row, and a whole step of
        a small model not much more.
        """
        total = logits.logsumexp(-1, keepdim=True).double()
        drawn = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        left = torch.arange(len(logits), device=logits.device)
        for count in _LIKELIEST:
            some = (logits if count == _LIKELIEST[0] else logits[left]).topk(min(count, logits.shape[-1]), -1)
            probabilities = (some.values.double() - total[left]).exp()
            reached = probabilities.cumsum(-1)
            nucleus = probabilities.masked_fill(reached - probabilities >= self.top_p, 0.0)
            tokens = some.indices.gather(-1, _drawn(nucleus, draws[left])[:, None])[:, 0]
            enough = reached[:, -1] >= self.top_p
            drawn[left] = tokens
            left = left[~enough]
            if not len(left) or count >= logits.shape[-1]:
                break
        return drawn

    def _best(self, logits: Tensor, rows: Sequence[_Row]) -> list[int]:
        if self.alone is None or logits.shape[-1] < 2:
            likeliest: list[int] = logits.argmax(-1).tolist()
            return likeliest
        values, tokens = logits.topk(2, -1)
        best: list[int] = tokens[:, 0].tolist()
        for row in (values[:, 0] - values[:, 1] < NEAR).nonzero()[:, 0].tolist():
            best[row] = int(self.alone([*rows[row].prompt, *rows[row].made]).argmax())
        return best


def _drawn(weights: Tensor, draws: Tensor) -> Tensor:
    """Of each row of weights the place that a draw in [0, 1) falls on."""
    reached = weights.cumsum(-1)
    places = torch.searchsorted(reached, (draws * reached[:, -1])[:, None], right=True)
    return places.clamp(max=weights.shape[-1] - 1)[:, 0]
