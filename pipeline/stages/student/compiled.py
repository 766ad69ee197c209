"""The forward and backward pass through torch.compile, where that is faster here.

With rows of many lengths compiled code must leave sizes open and is slower than plain code. So "auto" tries it for rows
of one length only (tokens.mask_documents = false), where training will last, and keeps it where it wins on the machine.

Compiled code rounds otherwise, so a run keeps to its choice: "auto" is decided once and stored in the checkpoint. What
is compiled depends on shapes alone, not on the order in which batches came, so a resumed run is the uninterrupted one.
"""

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.stages.student.batches import IGNORE, Batch
from pipeline.stages.student.objective import Objective
from pipeline.training.world import World

BACKEND = "inductor"

SHAPES = 64
"""Most shapes compiled in one run, further ones are plain; micro-batches of rows of one length have two or three."""

ROUNDS = 3
"""Passes of each kind that "auto" times; the fastest counts."""


AUTO_SECONDS = 600.0
"""Training that will be done sooner is not tried by "auto": compiling takes some 20 s on two cores, more for a large
model, and wins some percent."""


class Choice(NamedTuple):
    """Whether passes are compiled, and why, as the start of a sentence; told: whether that is news to the user."""

    compiled: bool
    why: str
    told: bool = True


class CompiledPasses:
    """What `Objective` calls in the place of its own functions while it trains."""

    def __init__(self, objective: Objective, one_length: bool) -> None:
        assert objective.lean is not None
        lean = objective.lean
        self.hidden = _quiet(torch.compile(lean.hidden, dynamic=not one_length, backend=BACKEND))

        def loss(selected: Tensor, labels: Tensor) -> Tensor:
            return functional.cross_entropy(lean.lm_head(selected).float(), labels, reduction="sum")

        # The summed next-token loss of hidden states (labels, hidden).
        self.cross_entropy = _quiet(torch.compile(loss, dynamic=True, backend=BACKEND))


def _quiet(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function` without its warnings: tracing warns of what it looks at itself (`.grad` of what is no leaf)."""

    def quiet(*arguments: Any) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*arguments)

    return quiet


def choose(
    wanted: str,
    objective: Objective,
    batch: Batch,
    *,
    one_length: bool,
    autocast: Callable[[], AbstractContextManager[None]],
    world: World,
    before: bool | None = None,
    passes: int = 0,
) -> Choice:
    """Compile the passes of `objective`, or leave them plain.

    wanted: "off", "on" or "auto". batch: of the usual shape, any content; it is what is compiled and timed first.
    one_length: whether all rows have one length. before: what an earlier part of this run chose, which "auto" keeps.
    passes: how many there will be in this process.

    Where nothing can be compiled (no C++ compiler, an architecture without a lean forward, weights split over
    processes, prompts without gradient) passes are plain, and `why` says so; that is not an error.
    """
    told = wanted == "on"
    if wanted == "off":
        return Choice(False, "execution.compile is off", told)
    if objective.lean is None:
        return Choice(False, "not compiled: only Llama, Qwen2 and Phi with whole weights in each process are", told)
    if not objective.prompt_gradient:
        return Choice(False, "not compiled: student.prompt_gradient = false has two passes of many shapes", told)
    if wanted == "auto" and before is not None:
        # Compiled anew from the same batch: code with open sizes is laid out for the first that it sees.
        if not before:
            return Choice(False, "not compiled, as before the restart", told)
        wanted = "on"
    if wanted == "auto" and not one_length:
        return Choice(False, "not compiled: tokens.mask_documents makes rows of many lengths, where it is slower", told)
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
    with _undone(objective, batch):
        if wanted == "auto":
            took = min(_timed(objective, batch, autocast) for _ in range(2))
            expected = world.sum(took) / world.size * passes
            if expected < AUTO_SECONDS:
                return Choice(False, f"not compiled: training takes about {expected:.0f} s", told=False)
        return _tried(wanted, objective, batch, CompiledPasses(objective, one_length), autocast, world)


@contextmanager
def _undone(objective: Objective, batch: Batch) -> Iterator[None]:
    """Whatever passes are made inside leave no gradient and draw no random number."""
    random = torch.get_rng_state()
    on_gpu = batch.ids.device.type == "cuda"
    random_gpu = torch.cuda.get_rng_state(batch.ids.device) if on_gpu else None
    try:
        yield
    finally:
        objective.model.zero_grad(set_to_none=True)
        torch.set_rng_state(random)
        if random_gpu is not None:
            torch.cuda.set_rng_state(random_gpu, batch.ids.device)


def _tried(
    wanted: str,
    objective: Objective,
    batch: Batch,
    passes: CompiledPasses,
    autocast: Callable[[], AbstractContextManager[None]],
    world: World,
) -> Choice:
    failed, times = "", {False: float("inf"), True: float("inf")}
    try:
        for number in range(ROUNDS + 1 if wanted == "auto" else 1):
            for compiled in (True, False):
                objective.compiled = passes if compiled else None
                seconds = _timed(objective, batch, autocast)
                if number:  # the first pass compiles
                    times[compiled] = min(times[compiled], seconds)
    except RuntimeError as error:
        failed = _reason(error)
    finally:
        objective.compiled = None
    if world.greatest(int(bool(failed))):
        return Choice(False, f"not compiled: {failed or 'it failed in another process'}")
    plain, fused = world.sum(times[False]), world.sum(times[True])
    if wanted == "auto" and fused >= plain:
        return Choice(False, f"not compiled: a pass took {fused:.3f} s compiled, {plain:.3f} s plain")
    objective.compiled = passes
    measured = f": a pass takes {fused:.3f} s, plain {plain:.3f} s" if wanted == "auto" else ""
    return Choice(True, f"compiled{measured}")


def _reason(error: RuntimeError) -> str:
    """The innermost error's class and first line: those around it are torch's own stations."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return f"{type(inner).__name__}: {(str(inner).strip() or 'no message').splitlines()[0]}"


def _timed(objective: Objective, batch: Batch, autocast: Callable[[], AbstractContextManager[None]]) -> float:
    start = time.perf_counter()
    with autocast():
        loss = objective(batch, training=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if batch.ids.device.type == "cuda":
        torch.cuda.synchronize(batch.ids.device)
    return time.perf_counter() - start


def usual_batch(tokens: int, length: int, vocabulary: int) -> Batch:
    """A batch of `tokens` tokens in rows of `length`, with loss on every token."""
    rows = max(tokens // length, 1)
    ids = torch.arange(rows * length).remainder(vocabulary).view(rows, length)
    labels = torch.full_like(ids, IGNORE)
    labels[:, :-1] = ids[:, 1:]
    return Batch(ids, labels, torch.full_like(ids, -1))
