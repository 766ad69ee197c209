"""A language model in this process: what an engine needs to know of it, and which engine is the better one here.

Two engines, and the one that answers is part of the identity: other arithmetic and quantised weights give other words.
`pipeline.models.generate` is the default: for SmolLM2 on two cores it gave 258 to 277 tokens/s over 64 questions or
more and llama.cpp 166 to 179 (scripts/bench/local.py; for 16 short ones 140 and 163), and its answers do not depend on
what else is in the batch. llama.cpp, through the `xllamacpp` wheel, reads quantised weights as they are and so needs a
quarter of the memory or less: large GGUF files go to it where it is installed. `teachers.engine` decides otherwise.
"""

import importlib.util
import json
import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

from pipeline.core.identity import digest, rng_seed
from pipeline.execution import Execution
from pipeline.models.fetching import Tell, to_stderr
from pipeline.models.named import named
from pipeline.teacher.content import chat_body
from pipeline.teacher.protocol import Reply, Ticket, answer_key
from pipeline.teacher.wire import Sampling

LocalEngine = Literal["transformers", "llama.cpp"]
LARGE_BYTES = 256 << 20
"""From this size on, fp32 weights (four to six times as much) are too large to be taken for granted."""

GROUP_LIMITS = (("memory.max", "memory.current"), ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"))
"""Limit and use of memory of a control group, of version 2 and 1."""


@dataclass(frozen=True, slots=True)
class LocalModel:
    """A model and how it is sampled.

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
    variant: str = field(init=False)

    def __post_init__(self) -> None:
        told = [self.engine, self.weights, self.seed, self.sampling.identity()]
        object.__setattr__(self, "variant", digest(told))

    @property
    def max_tokens(self) -> int:
        return self.sampling.max_tokens

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
    if not is_large(model) or device not in ("auto", "cpu") or has_gpu(device) or native_bf16():
        return "transformers"
    return "llama.cpp" if importlib.util.find_spec("xllamacpp") else "transformers"


def is_large(model: str) -> bool:
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


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process may still take: of the machine, and of its control group where that has a limit; 0 where
    the kernel does not say."""

    def read(name: str) -> str:
        try:
            return (root / name).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    found = re.search(r"^MemAvailable:\s+(\d+) kB", read("proc/meminfo"), re.MULTILINE)
    free = int(found[1]) << 10 if found else 0
    for most, taken in GROUP_LIMITS:
        limit, used = read(f"sys/fs/cgroup/{most}"), read(f"sys/fs/cgroup/{taken}")
        if limit.isdigit() and used.isdigit():
            free = min(free, max(0, int(limit) - int(used)))
    return free


def has_gpu(device: str) -> bool:
    """Whether "auto" would mean a GPU; asks the driver's device files, because torch is too heavy for that."""
    return device == "auto" and (Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists())
