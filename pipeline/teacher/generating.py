"""Batches of `pipeline.models.generate`: the engine of a local teacher that answers through transformers' weights."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from pipeline.teacher.local_model import LocalModel, available_memory, has_gpu, is_large, native_bf16
from pipeline.teacher.protocol import Failure, Ticket, Trouble
from pipeline.teacher.threaded import Result

LARGE_BATCH = 64
"""Rows of a large model at once: each step reads all of its weights, so more rows cost little (1.5B in bf16, one Zen 5
core: 53 tokens a CPU second with 32 rows)."""
MEMORY_OF_WEIGHTS = 3
"""Memory that must be free for a model in fp32, in sizes of its weights: 64 rows of 1,600 tokens have as much again in
keys and values, and weights are laid out anew one after another."""
GROUP = 256
"""Questions handed to the engine at once: it sorts them by length, and the ragged end of a group costs little."""


class GenerateWorker:
    """See the module."""

    group = GROUP

    def __init__(self, teacher: LocalModel) -> None:
        self._teacher = teacher
        self._loaded: Any = None
        self._large = False
        self._written = 0
        self.doing = ""

    def prepare(self) -> None:
        import torch

        from pipeline.models.engines import move_weights
        from pipeline.models.lean import packed, quantised
        from pipeline.models.loading import load

        teacher = self._teacher
        torch.set_num_threads(teacher.execution.thread_count())
        self._large = is_large(teacher.model)
        arithmetic = self._arithmetic()
        dtype: Literal["bf16", "auto"] = "auto" if arithmetic == "auto" else "bf16"
        self.doing = f"loading {teacher.model}"
        self._loaded = load(
            teacher.model, device=teacher.execution.device, cache=teacher.cache, dtype=dtype, tell=teacher.tell
        )
        if self._large:
            move_weights(self._loaded.model, self._loaded.packed, quantised if arithmetic == "int8" else packed)

    def _arithmetic(self) -> Literal["int8", "bf16", "auto"]:
        """The fastest for a large model on a CPU that has bf16 of its own; "auto" is fp32 there.

        Integers cost Qwen2.5-Coder-0.5B 1.7% of its log-likelihood of HumanEval's solutions (a divergence of 0.014 nats
        a token); what it writes is executed before it counts.
        """
        from pipeline.models.rates import integers_generate_faster

        if not (self._large and native_bf16()) or has_gpu(self._teacher.execution.device):
            return "auto"
        if integers_generate_faster():
            return "int8"
        return "auto" if self._affords_fp32() else "bf16"

    def _affords_fp32(self) -> bool:
        """Whether fp32 is the faster arithmetic here, and the machine has room for it: weights, keys and values."""
        from pipeline.models.rates import fp32_generates_faster
        from pipeline.models.sizes import size_of

        size = size_of(self._teacher.model, self._teacher.cache)
        room = MEMORY_OF_WEIGHTS * 4 * size.parameters if size else 0
        return bool(size) and available_memory() > room and fp32_generates_faster()

    def close(self) -> None:
        self._loaded = None

    def _step(self, rows: int, tokens: int) -> None:
        self._written += tokens
        under_way = f"{self._teacher.name}: {rows} under way, {self._written:,} tokens written"
        self.doing = under_way if tokens else f"{under_way}, reading prompts"

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        from pipeline.models.architectures import positions_of
        from pipeline.models.generation import generate
        from pipeline.models.prompts import chat_prompt, encode_prompt

        teacher = self._teacher
        prompts = [chat_prompt(self._loaded, ticket.question.messages) for ticket in tickets]
        sampled = teacher.sampling.temperature > 0
        generations = generate(
            self._loaded,
            prompts,
            max_new_tokens=teacher.max_tokens,
            stop=teacher.sampling.stop,
            temperature=teacher.sampling.temperature,
            top_p=teacher.sampling.top_p,
            seeds=[teacher.ticket_seed(ticket) for ticket in tickets] if sampled else (),
            batch=teacher.execution.batch or (LARGE_BATCH if self._large else 0),
            on_step=self._step,
        )
        for done in generations:
            ticket = tickets[done.index]
            finish = "length" if done.finish_reason == "length" else "stop"
            prompt_tokens = len(encode_prompt(self._loaded.tokenizer, prompts[done.index]))
            if done.no_room:
                room = positions_of(self._loaded.model.config)
                detail = f"the prompt's {prompt_tokens} tokens leave no room in the model's context of {room}"
                yield [(ticket, Failure(Trouble.CONTEXT, detail))]
                continue
            yield [(ticket, teacher.reply(ticket, done.text, finish, prompt_tokens, done.tokens))]
            if stopping():
                return
