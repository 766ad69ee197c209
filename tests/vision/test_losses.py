"""Every loss against a plain float64 reference, and its laws."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.vision.losses.cached_features import cached_feature_loss
from pipeline.vision.losses.centring import SoftmaxCentring, sinkhorn_knopp
from pipeline.vision.losses.class_token import class_token_loss
from pipeline.vision.losses.koleo import koleo_loss
from pipeline.vision.losses.masked_patches import masked_patch_loss

seeds = st.integers(0, 2**16)
few = settings(max_examples=25, deadline=None)


def numbers(seed: int, *shape: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape)).float()


def targets(seed: int, *shape: int) -> torch.Tensor:
    return torch.softmax(2 * numbers(seed, *shape), dim=-1)


def log_softmax(row: Any) -> Any:
    return row - row.max() - math.log(np.exp(row - row.max()).sum())


@given(seeds, st.integers(2, 5), st.integers(1, 4), st.integers(2, 6))
@few
def test_the_class_token_loss_is_the_mean_over_pairs_of_different_crops(
    seed: int, crops: int, images: int, prototypes: int
) -> None:
    student, wanted = numbers(seed, crops, images, prototypes), targets(seed + 1, 2, images, prototypes)
    found = []
    for g in range(2):
        for c in range(crops):
            for i in range(images):
                if c != g:
                    row = student[c, i].double().numpy() / 0.1
                    found.append(-(wanted[g, i].double().numpy() * log_softmax(row)).sum())
    assert float(class_token_loss(student, wanted, 0.1)) == pytest.approx(np.mean(found), rel=1e-5, abs=1e-5)


@given(seeds)
@few
def test_no_student_has_less_loss_than_the_entropy_of_the_targets(seed: int) -> None:
    wanted = targets(seed, 1, 3, 5).expand(2, 3, 5)
    entropy = float(-torch.special.xlogy(wanted, wanted).sum(-1).mean())
    same = class_token_loss(wanted.log() * 0.1, wanted, 0.1)
    assert float(same) == pytest.approx(entropy, abs=1e-5)
    assert float(class_token_loss(numbers(seed + 1, 2, 3, 5), wanted, 0.1)) >= entropy - 1e-5


@given(seeds, st.lists(st.integers(0, 4), min_size=1, max_size=5))
@few
def test_the_masked_patch_loss_counts_every_image_alike(seed: int, masked: list[int]) -> None:
    count = sum(masked)
    student, wanted = numbers(seed, count, 4), targets(seed + 1, count, 4)
    weights = torch.tensor([1 / n for n in masked for _ in range(n)])
    total, place = 0.0, 0
    for n in masked:
        rows = range(place, place + n)
        each = [-(wanted[p].double().numpy() * log_softmax(student[p].double().numpy() / 0.1)).sum() for p in rows]
        total, place = total + (sum(each) / n if n else 0.0), place + n
    found = masked_patch_loss(student, wanted, weights, len(masked), 0.1)
    assert float(found) == pytest.approx(total / len(masked), rel=1e-5, abs=1e-5)


@given(seeds, st.integers(2, 8), st.floats(0.1, 10))
@few
def test_koleo_is_minus_the_mean_log_distance_to_the_nearest_and_depends_on_directions(
    seed: int, images: int, scale: float
) -> None:
    features = numbers(seed, images, 4)
    rows = features.double().numpy()
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    distances = np.linalg.norm(rows[:, None] - rows[None], axis=-1) + np.diag(np.full(images, np.inf))
    wanted = -np.log(distances.min(axis=1) + 1e-8).mean()
    assert float(koleo_loss(features)) == pytest.approx(wanted, rel=1e-4, abs=1e-4)
    assert float(koleo_loss(features.double())) == pytest.approx(wanted, abs=1e-5)
    assert float(koleo_loss(features.double() * scale)) == pytest.approx(wanted, abs=1e-5)


def test_koleo_of_equal_features_has_a_gradient() -> None:
    features = torch.ones(3, 4, requires_grad=True)
    koleo_loss(features).backward()
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()


@given(seeds, st.integers(1, 12), st.integers(2, 9))
@few
def test_sinkhorn_rows_sum_to_one_and_columns_come_to_be_even(seed: int, rows: int, prototypes: int) -> None:
    logits = numbers(seed, rows, prototypes)
    three, many = (sinkhorn_knopp(logits.double(), 0.5, n) for n in (3, 200))
    assert torch.allclose(three.sum(1), torch.ones(rows).double(), atol=1e-9)
    assert torch.allclose(many.sum(0), torch.full((prototypes,), rows / prototypes).double(), atol=1e-4)
    reference = np.exp((logits.double().numpy() - float(logits.max())) / 0.5)
    for _ in range(3):
        reference = reference / reference.sum(0, keepdims=True) * rows / prototypes
        reference = reference / reference.sum(1, keepdims=True)
    assert np.allclose(sinkhorn_knopp(logits, 0.5).double().numpy(), reference, atol=1e-5)


@given(seeds, st.floats(-50, 50))
@few
def test_targets_do_not_change_where_all_logits_are_shifted(seed: int, shift: float) -> None:
    logits = numbers(seed, 4, 6).double()
    assert torch.allclose(sinkhorn_knopp(logits, 0.1), sinkhorn_knopp(logits + shift, 0.1), atol=1e-6)


def test_the_softmax_centre_follows_the_logits_and_evens_them_out() -> None:
    centring = SoftmaxCentring(3, momentum=0.5)
    logits = torch.tensor([[4.0, 0.0, 0.0], [4.0, 0.0, 0.0]])
    before = centring(logits, 1.0)
    assert torch.allclose(before, torch.softmax(logits, dim=-1))
    assert torch.allclose(centring.centre, torch.tensor([2.0, 0.0, 0.0]))
    for _ in range(60):
        after = centring(logits, 1.0)
    assert torch.allclose(after, torch.full((2, 3), 1 / 3), atol=1e-5)


@given(seeds, st.floats(0, 2))
@few
def test_the_regression_of_features_is_nothing_only_where_they_are_equal(seed: int, smooth: float) -> None:
    student, teacher = numbers(seed, 3, 5), numbers(seed + 1, 3, 5)
    a, b = student.double().numpy(), teacher.double().numpy()
    cosine = 1 - ((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).mean()
    gap = np.abs(a - b)
    wanted = cosine + smooth * np.where(gap < 1, gap**2 / 2, gap - 0.5).mean()
    assert float(cached_feature_loss(student, teacher, smooth)) == pytest.approx(wanted, rel=1e-5, abs=1e-5)
    assert float(cached_feature_loss(teacher, teacher, smooth)) == pytest.approx(0, abs=1e-6)
