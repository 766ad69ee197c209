"""Divergences between a teacher's and a student's next-token distributions, each 0 if and only if they are equal.

All are in nats, take log-probabilities (positions, outcomes) and return one number per position, (positions,). They
are true divergences: the entropy of the teacher is taken off, so the value says how far the student is (a
cross-entropy does not, and is not 0 for a perfect student).

Temperature: both sides are softened by T and the loss is multiplied by T^2, which keeps the size of its gradient when
T changes (Hinton et al. 2015, 2). The mixture with the hard labels is `alpha * T^2 * soft + (1 - alpha) * hard`.
"""

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

Name = Literal["forward-kl", "reverse-kl", "jensen-shannon"]
Divergence = Callable[[Tensor, Tensor], Tensor]

FLOOR = -60.0
"""Log-probability that stands for "impossible": below the smallest fp32 probability that matters, above -inf, whose
gradient is not a number."""


def kl(log_p: Tensor, log_q: Tensor) -> Tensor:
    """KL(p || q) = sum p (log p - log q)."""
    return (log_p.exp() * (log_p - log_q)).sum(-1)


def forward_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(teacher || student): the student must cover all that the teacher finds likely."""
    return kl(teacher, student)


def reverse_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """KL(student || teacher): the student must not do what the teacher finds unlikely (Gu et al. 2024, MiniLLM)."""
    return kl(student, teacher)


def jensen_shannon(teacher: Tensor, student: Tensor) -> Tensor:
    """The mean KL of both to their mixture; symmetric, at most log 2 (Agarwal et al. 2024, GKD, beta = 0.5)."""
    mixture = torch.logaddexp(teacher, student) - math.log(2)
    return (kl(teacher, mixture) + kl(student, mixture)) / 2


DIVERGENCES: Mapping[Name, Divergence] = {
    "forward-kl": forward_kl,
    "reverse-kl": reverse_kl,
    "jensen-shannon": jensen_shannon,
}


class Targets(NamedTuple):
    """A teacher's softened distributions.

    tokens: ids of the k likeliest tokens, (positions, k). log_probabilities: theirs and, last, that of all other
    tokens together, (positions, k + 1).
    """

    tokens: Tensor
    log_probabilities: Tensor


def soften(logits: Tensor, temperature: float) -> Tensor:
    """Log-probabilities of logits / temperature, fp32."""
    return functional.log_softmax(logits.float() / temperature, -1)


def top_k(logits: Tensor, k: int, temperature: float) -> Targets:
    """The `k` likeliest tokens and the mass of the rest; with k the whole vocabulary the rest is `FLOOR`."""
    values, tokens = soften(logits, temperature).topk(min(k, logits.shape[-1]), -1)
    return Targets(tokens, torch.cat([values, tail(values)], -1))


def tail(values: Tensor) -> Tensor:
    """Log of what log-probabilities `values` (positions, k) leave of 1, (positions, 1), at least `FLOOR`."""
    rest = torch.log1p(-values.exp().sum(-1, keepdim=True).clamp(max=1 - 1e-7))
    return rest.clamp(min=FLOOR)


def soft_losses(student: Tensor, targets: Targets, divergence: Name, temperature: float) -> Tensor:
    """T^2 times the divergence from `targets` at each position, (positions,), for student logits (positions, vocab).

    Both sides are compared on k + 1 outcomes, the teacher's k tokens and "another": a lower bound of the divergence
    on the whole vocabulary (the data-processing inequality), equal to it where k is the vocabulary.
    """
    chosen = soften(student, temperature).gather(-1, targets.tokens)
    ours = torch.cat([chosen, tail(chosen)], -1)
    return temperature**2 * DIVERGENCES[divergence](targets.log_probabilities, ours)


def soft_loss(student: Tensor, targets: Targets, divergence: Name, temperature: float) -> Tensor:
    """The sum of `soft_losses` over positions."""
    return soft_losses(student, targets, divergence, temperature).sum()


def whole_losses(student: Tensor, teacher: Tensor, divergence: Name, temperature: float) -> Tensor:
    """`soft_losses` on the whole vocabulary, from the teacher's logits themselves, (positions, entries).

    The student may have more logits than the teacher (an embedding padded further): those are one more outcome, which
    the teacher finds impossible.
    """
    theirs, ours = soften(teacher, temperature), soften(student, temperature)
    entries = theirs.shape[-1]
    if ours.shape[-1] > entries:
        beyond = ours[:, entries:].logsumexp(-1, keepdim=True).clamp(min=FLOOR)
        ours = torch.cat([ours[:, :entries], beyond], -1)
        theirs = torch.cat([theirs, torch.full_like(beyond, FLOOR)], -1)
    return temperature**2 * DIVERGENCES[divergence](theirs, ours)
