"""A language model in this process as a teacher: the embedded SmolLM2, any Hugging Face folder, any GGUF file.

Two engines, and the one that answers is part of the identity: other arithmetic and quantised weights give other words.
`pipeline.models.generate` is the default: for SmolLM2 on two cores it gave 258 to 277 tokens/s over 64 questions or
more and llama.cpp 166 to 179 (scripts/bench/local.py; for 16 short ones 140 and 163), and its answers do not depend on
what else is in the batch. llama.cpp, through the `xllamacpp` wheel, reads quantised weights as they are and so needs a
quarter of the memory or less: large GGUF files go to it where it is installed. `teachers.engine` decides otherwise.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pipeline.core.identity import digest, rng_seed
from pipeline.execution import Execution
from pipeline.models.fetching import Tell, to_stderr
from pipeline.models.named import named
from pipeline.teacher.content import chat_body
from pipeline.teacher.protocol import Desk, Failure, Lane, Question, Reply, Ticket, Trouble, answer_key
from pipeline.teacher.threaded import Result, ThreadLane
from pipeline.teacher.wire import Sampling

LocalEngine = Literal["transformers", "llama.cpp"]
LARGE_BYTES = 256 << 20
"""From this size on, fp32 weights (four to six times as much) are too large to be taken for granted."""
LARGE_BATCH = 64
"""Rows of a large model at once: each step reads all of its weights, so more rows cost little (1.5B in bf16, one Zen 5
core: 53 tokens a CPU second with 32 rows)."""
GROUP = 256
"""Questions handed to the engine at once: it sorts them by length, and the ragged end of a group costs little."""


@dataclass(frozen=True, slots=True)
class LocalTeacher:
    """A local model.

    weights: digest of its files. seed: root of the sampling, scoped by messages and number. tell: hears of a download.
    """

    name: str
    model: str
    weights: dict[str, str]
    sampling: Sampling
    execution: Execution
    cache: Path
    seed: int
    engine: LocalEngine
    tell: Tell = field(default=to_stderr, compare=False)
    kind: str = "local"
    journalled: bool = True
    variant: str = field(init=False)

    def __post_init__(self) -> None:
        told = [self.engine, self.weights, self.seed, self.sampling.identity()]
        object.__setattr__(self, "variant", digest(told))

    @property
    def max_tokens(self) -> int:
        return self.sampling.max_tokens

    def identity(self) -> dict[str, object]:
        return {
            "kind": self.kind,
            "name": self.name,
            "engine": self.engine,
            "weights": self.weights,
            "max_tokens": self.max_tokens,
            **self.sampling.identity(),
            "seed": self.seed,
        }

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        return (answer_key(self.variant, messages, number),)

    def lane(self, desk: Desk) -> Lane:
        if self.engine == "llama.cpp":
            from pipeline.teacher.kinds.llamacpp import LlamaWorker

            return ThreadLane(LlamaWorker(self), desk)
        return ThreadLane(_TransformersWorker(self), desk)

    def ticket_seed(self, ticket: Ticket) -> int:
        """Sampling seed of one answer: equal whatever the batch, the order or the other prompts are."""
        return rng_seed(self.seed, "teacher", ticket.messages, ticket.number)

    def reply(self, ticket: Ticket, text: str, finish: str, prompt_tokens: int, completion_tokens: int) -> Reply:
        """The reply of a generated text; finish: "stop" or "length"."""
        body = chat_body(text, finish, self.model, prompt_tokens, completion_tokens)
        key = answer_key(self.variant, ticket.messages, ticket.number)
        return Reply(key, f"local:{self.engine}", self.model, json.dumps(body).encode(), body, self.max_tokens)


def choose_engine(model: str, device: str) -> LocalEngine:
    """llama.cpp for large GGUF files on a CPU that has no bf16 of its own, where the wheel is installed.

    Where the CPU multiplies bf16 itself, batches through transformers' weights give several times the tokens of
    llama.cpp, whose wheel is built for AVX2 (Qwen2.5-Coder-1.5B on a Zen 5 core: 53 a CPU second against 6).
    """
    if not _is_large(model) or device not in ("auto", "cpu") or _gpu(device) or native_bf16():
        return "transformers"
    return "llama.cpp" if importlib.util.find_spec("xllamacpp") else "transformers"


def _is_large(model: str) -> bool:
    """Whether `model` is a named model or a GGUF file of `LARGE_BYTES` or more."""
    path = Path(model)
    return named(model) is not None or (
        model.endswith(".gguf") and path.is_file() and path.stat().st_size >= LARGE_BYTES
    )


@cache
def native_bf16() -> bool:
    """Whether this CPU multiplies bf16 in hardware (AVX512-BF16, AMX, Arm's bf16); elsewhere it is many times slower
    than fp32. Asks the kernel's list of features; False where there is none."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(text.split()))


def _gpu(device: str) -> bool:
    """Whether "auto" would mean a GPU; asks the driver's device files, because torch is too heavy for that."""
    return device == "auto" and (Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists())


class _TransformersWorker:
    """Batches of `pipeline.models.generate`."""

    group = GROUP

    def __init__(self, teacher: LocalTeacher) -> None:
        self._teacher = teacher
        self._loaded: Any = None
        self._large = False
        self._written = 0
        self.doing = ""

    def prepare(self) -> None:
        import torch

        from pipeline.models.loading import load

        teacher = self._teacher
        torch.set_num_threads(teacher.execution.thread_count())
        self._large = _is_large(teacher.model)
        half = self._large and native_bf16() and not _gpu(teacher.execution.device)
        dtype: Literal["bf16", "auto"] = "bf16" if half else "auto"
        self.doing = f"loading {teacher.model}"
        self._loaded = load(
            teacher.model, device=teacher.execution.device, cache=teacher.cache, dtype=dtype, tell=teacher.tell
        )

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
