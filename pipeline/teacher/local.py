"""A language model in this process as a teacher: the embedded SmolLM2, any Hugging Face folder, any GGUF file.

Two engines, and the one that answers is part of the identity: other arithmetic and quantised weights give other words.
`pipeline.student.generate` is the default: for SmolLM2 on two cores it gave 258 to 277 tokens/s over 64 questions or
more and llama.cpp 166 to 179 (scripts/bench/local.py; for 16 short ones 140 and 163), and its answers do not depend on
what else is in the batch. llama.cpp, through the `xllamacpp` wheel, reads quantised weights as they are and so needs a
quarter of the memory or less: large GGUF files go to it where it is installed. `teachers.engine` decides otherwise.
"""

import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipeline.execution import Execution
from pipeline.identity import digest, rng_seed
from pipeline.teacher.content import chat_body
from pipeline.teacher.protocol import Desk, Failure, Lane, Question, Reply, Ticket, Trouble, answer_key
from pipeline.teacher.threaded import Result, ThreadLane
from pipeline.teacher.wire import Sampling

LocalEngine = Literal["transformers", "llama.cpp"]
LARGE_BYTES = 512 << 20
"""From this size on, fp32 weights (about six times as much) are too large to be taken for granted."""
GROUP = 256
"""Questions handed to the engine at once: it sorts them by length, and the ragged end of a group costs little."""


@dataclass(frozen=True, slots=True)
class LocalTeacher:
    """A local model. weights: digest of its files; seed: root of the sampling, scoped by messages and number."""

    name: str
    model: str
    weights: dict[str, str]
    sampling: Sampling
    execution: Execution
    cache: Path
    seed: int
    engine: LocalEngine
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
            from pipeline.teacher.llamacpp import LlamaWorker

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
    """llama.cpp for GGUF files of `LARGE_BYTES` or more on a CPU where the wheel is installed, else transformers."""
    if not model.endswith(".gguf") or device not in ("auto", "cpu") or _gpu(device):
        return "transformers"
    path = Path(model)
    large = path.is_file() and path.stat().st_size >= LARGE_BYTES
    return "llama.cpp" if large and importlib.util.find_spec("xllamacpp") else "transformers"


def _gpu(device: str) -> bool:
    """Whether "auto" would mean a GPU; asks the driver's device files, because torch is too heavy for that."""
    return device == "auto" and (Path("/dev/nvidiactl").exists() or Path("/dev/kfd").exists())


class _TransformersWorker:
    """Batches of `pipeline.student.generate`."""

    group = GROUP

    def __init__(self, teacher: LocalTeacher) -> None:
        self._teacher = teacher
        self._loaded: Any = None

    def prepare(self) -> None:
        import torch

        from pipeline.student import load

        torch.set_num_threads(self._teacher.execution.thread_count())
        self._loaded = load(self._teacher.model, device=self._teacher.execution.device, cache=self._teacher.cache)

    def close(self) -> None:
        self._loaded = None

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        from pipeline.student.architectures import positions_of
        from pipeline.student.generation import generate
        from pipeline.student.prompts import chat_prompt, encode_prompt

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
            batch=teacher.execution.batch,
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
