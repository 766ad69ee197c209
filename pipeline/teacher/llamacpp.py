"""llama.cpp inside this process, for GGUF models on a CPU (the `xllamacpp` wheel).

Its server keeps a number of slots busy and takes a new question as soon as one is free, so no answer waits for the
longest of a batch; it also listens on a free port of the loopback interface, which we do not use. Greedy answers may
differ in a few words between two runs: which questions share a batch changes the arithmetic. What was answered is in
the journal and stays.
"""

import concurrent.futures
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipeline.core.errors import MissingExtra, TeacherError
from pipeline.models.specs import file_of
from pipeline.teacher.content import Content, content_of
from pipeline.teacher.local_model import LocalModel
from pipeline.teacher.protocol import Failure, Reply, Ticket, Trouble
from pipeline.teacher.threaded import Result
from pipeline.teacher.wire import error_of

SLOTS = 8
"""Questions at once. On two cores 32 slots gave no more tokens a second than 8."""
PROMPT_TOKENS = 2048
"""Room for a prompt in each slot; a longer one is dropped as failed (context too long)."""
GROUP = 256


class LlamaWorker:
    """One llama.cpp server, asked from as many threads as it has slots."""

    group = GROUP

    def __init__(self, teacher: LocalModel) -> None:
        self._teacher = teacher
        self._server: Any = None
        self.doing = ""
        self._pool: concurrent.futures.ThreadPoolExecutor | None = None

    def prepare(self) -> None:
        try:
            import xllamacpp
        except ImportError:
            raise MissingExtra("llama.cpp is not installed", hint="pip install 'hornbook[llamacpp]'") from None
        execution = self._teacher.execution
        slots = execution.batch or SLOTS
        file = file_of(self._teacher.model)
        assert file is not None, "kinds/local.py gives llama.cpp nothing else"
        path = file.here(self._teacher.cache, self._teacher.tell)
        settings = xllamacpp.CommonParams()
        settings.model.path = str(path)
        settings.n_parallel = slots
        settings.n_ctx = slots * (PROMPT_TOKENS + self._teacher.max_tokens)
        settings.cpuparams.n_threads = execution.thread_count()
        settings.cpuparams_batch.n_threads = execution.thread_count()
        # Threads that spin while they wait for each other lose their core to whoever else wants it.
        settings.cpuparams.poll = settings.cpuparams_batch.poll = 0
        settings.n_gpu_layers = 0
        settings.verbosity = -1
        settings.warmup = False
        self.doing = f"loading {self._teacher.model}"
        try:
            self._server = xllamacpp.Server(settings)
        except Exception as error:
            raise TeacherError(
                f"llama.cpp cannot load {path}: {error}", hint="check that the file is a whole GGUF model"
            ) from error
        self.doing = ""
        self._pool = concurrent.futures.ThreadPoolExecutor(slots, thread_name_prefix="llama")

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
        self._server = None

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        assert self._pool is not None

        def answer(ticket: Ticket) -> Result | None:
            return None if stopping() else (ticket, self._answer(ticket))

        asked = [self._pool.submit(answer, ticket) for ticket in tickets]
        for future in concurrent.futures.as_completed(asked):
            result = future.result()
            if result is not None:
                yield [result]

    def _answer(self, ticket: Ticket) -> Reply | Failure:
        body: dict[str, Any] = self._server.handle_chat_completions(self._request(ticket))
        if "error" in body:
            code = body["error"].get("code") if isinstance(body["error"], dict) else None
            return error_of(code if isinstance(code, int) else 500, json.dumps(body).encode())
        content = content_of(body)
        if not isinstance(content, Content):
            return content
        if content.finish == "filter" or content.refusal:
            return Failure(Trouble.REFUSAL, content.refusal or "the model refused")
        counts = (content.prompt_tokens, content.completion_tokens)
        return self._teacher.reply(ticket, content.text, content.finish, *counts)

    def _request(self, ticket: Ticket) -> dict[str, Any]:
        sampling = self._teacher.sampling
        return {
            "messages": [{"role": m.role, "content": m.content} for m in ticket.question.messages],
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "stop": list(sampling.stop),
            "seed": self._teacher.ticket_seed(ticket) & 0x7FFFFFFF,
            **dict(sampling.extra_body),
        }
