"""On-policy batches (Agarwal et al. 2024, GKD): prompts that the student itself has continued, for a teacher to score.

Trained on text alone, a student never meets its own mistakes; here some rows of a batch keep their prompt and get the
student's own continuation in the place of the corpus' answer.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline.models.engines import Engine, LeanEngine, TransformersEngine
from pipeline.models.lean import Lean
from pipeline.stages.student.batches import IGNORE, Batch

SAMPLING_TEMPERATURE = 1.0
"""The student's own distribution, unchanged (Agarwal et al. 2024, 4)."""


class Sampled(NamedTuple):
    """A batch some of whose rows are the student's.

    own: which rows, (rows,). weights: per row, (rows,): a sampled row counts as many labels as the text that it
    replaces, so that a step's mean loss does not depend on how long the student talks.
    """

    batch: Batch
    own: Tensor
    weights: Tensor


def with_own_samples(
    batch: Batch, student: Any, *, share: float, new_tokens: int, length: int, vocabulary: int, end: int
) -> Sampled:
    """Replace each row's answer, with probability `share`, by a sample of the student.

    A row is replaced where it has a prompt: tokens before its first label. new_tokens: longest sample. length: longest
    row. vocabulary: entries of the tokenizer, past which nothing is drawn. end: the token that ends a sample, and is
    part of it. Departs from GKD in tossing the coin per row, not per batch. Which rows and what they say comes from
    torch's global generator, whose state is in a checkpoint: a resumed run is the uninterrupted one.
    """
    carried = batch.labels != IGNORE
    first = carried.int().argmax(-1)
    own = (torch.rand(len(batch.ids)) < share) & carried.any(-1) & (first > 0)
    seed = int(torch.randint(1 << 62, ()))
    weights = torch.ones(len(batch.ids))
    if not own.any():
        return Sampled(batch, own, weights)
    chosen = own.nonzero()[:, 0].tolist()
    prompts = [batch.ids[row, : int(first[row]) + 1].tolist() for row in chosen]
    limits = [min(new_tokens, length - len(prompt)) for prompt in prompts]
    answers = continuations(student, prompts, limits, vocabulary=vocabulary, end=end, seed=seed)
    made = {row: (prompt, answer) for row, prompt, answer in zip(chosen, prompts, answers, strict=True)}
    width = max([batch.ids.shape[1], *(len(prompt) + len(answer) for prompt, answer in made.values())])
    ids = torch.zeros((len(batch.ids), width), dtype=batch.ids.dtype)
    labels = torch.full_like(ids, IGNORE)
    numbers = torch.full_like(ids, -1)
    for whole, part in ((ids, batch.ids), (labels, batch.labels), (numbers, batch.numbers)):
        whole[:, : part.shape[1]] = part
    for row, (prompt, answer) in made.items():
        ids[row], labels[row], numbers[row] = 0, IGNORE, -1
        ids[row, : len(prompt) + len(answer)] = torch.tensor([*prompt, *answer])
        labels[row, len(prompt) - 1 : len(prompt) + len(answer) - 1] = torch.tensor(answer)
        weights[row] = int(carried[row].sum()) / len(answer)
    return Sampled(Batch(ids, labels, numbers), own, weights)


@torch.no_grad()
def continuations(
    student: Any,
    prompts: Sequence[Sequence[int]],
    limits: Sequence[int],
    *,
    vocabulary: int,
    end: int,
    seed: int,
) -> list[list[int]]:
    """A sample of the student's for each prompt, at most `limits` tokens and at least one, `end` included."""
    training = student.training
    student.eval()
    try:
        return _continuations(student, prompts, limits, vocabulary, end, torch.Generator().manual_seed(seed))
    finally:
        student.train(training)


def _continuations(
    student: Any,
    prompts: Sequence[Sequence[int]],
    limits: Sequence[int],
    vocabulary: int,
    end: int,
    generator: torch.Generator,
) -> list[list[int]]:
    longest = max(len(prompt) + limit for prompt, limit in zip(prompts, limits, strict=True))
    engine: Engine
    if Lean.knows(student):
        # On the live weights: `packed` ones would be laid out anew at every step of the optimiser.
        engine = LeanEngine(student, len(prompts), longest, Lean(student))
    else:
        engine = TransformersEngine(student, len(prompts), longest)
    answers: list[list[int]] = [[] for _ in prompts]
    active = list(range(len(prompts)))
    logits = engine.admit(prompts)
    while True:
        likely = (logits[:, :vocabulary] / SAMPLING_TEMPERATURE).softmax(-1).cpu()
        drawn = torch.multinomial(likely, 1, generator=generator)[:, 0].tolist()
        for row, token in zip(active, drawn, strict=True):
            answers[row].append(token)
        going = [n for n, row in enumerate(active) if answers[row][-1] != end and len(answers[row]) < limits[row]]
        if not going:
            break
        if len(going) < len(active):
            engine.keep(going)
            active = [active[n] for n in going]
        logits = engine.step([answers[row][-1] for row in active])
    return answers
