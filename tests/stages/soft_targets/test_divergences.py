"""Divergences: zero iff equal, T^2, alpha, chunks."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.stages.student.divergences import DIVERGENCES, Targets, soft_loss, soften, tail, top_k

LOGITS = st.lists(st.floats(-8, 8), min_size=5, max_size=5)
NAMES = st.sampled_from(sorted(DIVERGENCES))


def log_probabilities(logits: list[float]) -> torch.Tensor:
    return torch.log_softmax(torch.tensor([logits], dtype=torch.float64), -1)


@given(LOGITS, LOGITS, NAMES)
def test_never_negative_and_zero_only_for_equals(first: list[float], second: list[float], name: str) -> None:
    p, q = log_probabilities(first), log_probabilities(second)
    divergence = DIVERGENCES[name]  # type: ignore[index]
    assert float(divergence(p, p)) == pytest.approx(0, abs=1e-12)
    distance = float((p.exp() - q.exp()).abs().sum())
    assert float(divergence(p, q)) >= -1e-12
    # Pinsker's inequality, with the constant that also holds for the mean of two KLs to a mixture.
    assert float(divergence(p, q)) >= distance**2 / 8 - 1e-9


@given(LOGITS, LOGITS)
def test_what_each_divergence_is(first: list[float], second: list[float]) -> None:
    p, q = log_probabilities(first), log_probabilities(second)
    forward = torch.nn.functional.kl_div(q, p, log_target=True, reduction="sum")
    assert float(DIVERGENCES["forward-kl"](p, q)) == pytest.approx(float(forward))
    assert float(DIVERGENCES["reverse-kl"](p, q)) == pytest.approx(float(DIVERGENCES["forward-kl"](q, p)))
    both = float(DIVERGENCES["jensen-shannon"](p, q))
    assert both == pytest.approx(float(DIVERGENCES["jensen-shannon"](q, p)))
    assert both <= math.log(2) + 1e-9


@given(LOGITS, NAMES, st.floats(0.5, 5), st.integers(1, 5))
def test_a_student_equal_to_its_teacher_loses_nothing(
    logits: list[float], name: str, temperature: float, k: int
) -> None:
    teacher = torch.tensor([logits])
    student = (teacher + 3.0).requires_grad_()
    loss = soft_loss(student, top_k(teacher, k, temperature), name, temperature)  # type: ignore[arg-type]
    loss.backward()  # type: ignore[no-untyped-call]
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5)
    assert student.grad is not None
    assert float(student.grad.abs().max()) < 1e-4


@given(LOGITS, LOGITS, NAMES, st.floats(0.5, 5), st.integers(1, 5))
def test_with_a_tail_it_is_zero_only_where_the_outcomes_are_equal(
    first: list[float], second: list[float], name: str, temperature: float, k: int
) -> None:
    """The outcomes are the teacher's k tokens and all others together."""
    teacher, student = torch.tensor([first]), torch.tensor([second])
    targets = top_k(teacher, k, temperature)
    loss = float(soft_loss(student, targets, name, temperature)) / temperature**2  # type: ignore[arg-type]
    chosen = soften(student, temperature).exp().gather(-1, targets.tokens)
    outcomes = torch.cat([chosen, 1 - chosen.sum(-1, keepdim=True)], -1)
    distance = float((targets.log_probabilities.exp() - outcomes).abs().sum())
    assert loss >= distance**2 / 8 - 1e-5


def test_another_student_has_a_loss_and_a_finite_gradient() -> None:
    teacher = torch.tensor([[30.0, 0.0, 0.0, -30.0]])
    for name in DIVERGENCES:
        student = torch.tensor([[-30.0, 0.0, 0.0, 30.0]], requires_grad=True)
        loss = soft_loss(student, top_k(teacher, 2, 1.0), name, 1.0)
        loss.backward()  # type: ignore[no-untyped-call]
        assert float(loss.detach()) > 0.5
        assert student.grad is not None
        assert torch.isfinite(student.grad).all()


@given(LOGITS, LOGITS, st.integers(1, 4))
def test_top_k_is_a_lower_bound_that_the_vocabulary_reaches(first: list[float], second: list[float], k: int) -> None:
    teacher, student = torch.tensor([first]), torch.tensor([second])
    whole = float(DIVERGENCES["forward-kl"](soften(teacher, 2.0), soften(student, 2.0))) * 4
    assert float(soft_loss(student, top_k(teacher, k, 2.0), "forward-kl", 2.0)) <= whole + 1e-3
    assert float(soft_loss(student, top_k(teacher, 5, 2.0), "forward-kl", 2.0)) == pytest.approx(whole, abs=2e-3)


def test_the_gradient_keeps_its_size_when_the_temperature_changes() -> None:
    """Hinton et al. 2015, 2: for high temperatures T^2 * KL tends to a constant."""
    teacher, student = torch.tensor([[1.0, 0.0, -1.0]]), torch.tensor([[0.0, 0.5, 0.0]])
    losses = [float(soft_loss(student, top_k(teacher, 3, t), "forward-kl", t)) for t in (20.0, 40.0)]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


def test_the_tail_is_what_the_top_leaves() -> None:
    values = torch.log(torch.tensor([[0.5, 0.25], [0.6, 0.4]]))
    assert tail(values)[:, 0].exp().tolist() == pytest.approx([0.25, 0.0], abs=1e-6)
    targets = top_k(torch.tensor([[0.0, 1.0, 2.0]]), 2, 1.0)
    assert isinstance(targets, Targets)
    assert targets.tokens.tolist() == [[2, 1]]
    assert float(targets.log_probabilities.exp().sum()) == pytest.approx(1.0)
