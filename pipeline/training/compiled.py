"""The forward and backward pass through torch.compile, where that is faster here.

Measured on two cores (fp32, rows of one length): 1.09 of the plain rate at 1M parameters, 1.07 at 5M, 1.02 at 10M;
with rows of many lengths, for which the code must leave sizes open, 0.82, 0.91 and 0.93. So "auto" tries it for rows
of one length only (tokens.mask_documents = false), and keeps it where it wins on the machine.

Compiled code rounds otherwise, so a run keeps to its choice: "auto" is decided once and stored in the checkpoint. What
is compiled depends on shapes alone, not on the order in which batches came, so a resumed run is the uninterrupted one.
"""

import time
import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.training.batches import IGNORE, Batch
from pipeline.training.objective import Objective
from pipeline.training.world import World

BACKEND = "inductor"

SHAPES = 64
"""Most shapes compiled in one run, further ones are plain; micro-batches of rows of one length have two or three."""

ROUNDS = 3
"""Passes of each kind that "auto" times; the fastest counts."""


class Choice(NamedTuple):
    """Whether passes are compiled, and why, as the start of a sentence."""

    compiled: bool
    why: str


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
) -> Choice:
    """Compile the passes of `objective`, or leave them plain.

    wanted: "off", "on" or "auto". batch: of the usual shape, any content; it is what is compiled and timed first.
    one_length: whether all rows have one length. before: what an earlier part of this run chose, which "auto" keeps.

    Where nothing can be compiled (no C++ compiler, an architecture without a lean forward, weights split over
    processes, prompts without gradient) passes are plain, and `why` says so; that is not an error.
    """
    if wanted == "off":
        return Choice(False, "execution.compile is off")
    if objective.lean is None:
        return Choice(False, "not compiled: only Llama and Phi with whole weights in each process are")
    if not objective.prompt_gradient:
        return Choice(False, "not compiled: student.prompt_gradient = false has two passes of many shapes")
    if wanted == "auto" and before is not None:
        # Compiled anew from the same batch: code with open sizes is laid out for the first that it sees.
        if not before:
            return Choice(False, "not compiled, as before the restart")
        wanted = "on"
    if wanted == "auto" and not one_length:
        return Choice(False, "not compiled: tokens.mask_documents makes rows of many lengths, where it is slower")
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, SHAPES)
    return _tried(wanted, objective, batch, CompiledPasses(objective, one_length), autocast, world)


def _tried(
    wanted: str,
    objective: Objective,
    batch: Batch,
    passes: CompiledPasses,
    autocast: Callable[[], AbstractContextManager[None]],
    world: World,
) -> Choice:
    random = torch.get_rng_state()
    on_gpu = batch.ids.device.type == "cuda"
    random_gpu = torch.cuda.get_rng_state(batch.ids.device) if on_gpu else None
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
        objective.model.zero_grad(set_to_none=True)
        torch.set_rng_state(random)
        if random_gpu is not None:
            torch.cuda.set_rng_state(random_gpu, batch.ids.device)
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
