"""probes/smoothness.py against the softmax regression, whose loss and gradient are written out here."""

import math

import numpy as np
import pytest

from minires import models, nn
from minires.probes import along_gradient


def loss_and_gradient(W, x, labels):
    """Of softmax(x·Wᵀ): the mean cross-entropy, and ∂L/∂W = (p − onehot)ᵀ·x / N."""
    z = x @ W.T
    p = np.exp(z - z.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    onehot = np.eye(len(W))[labels]
    return -np.log(p[np.arange(len(x)), labels]).mean(), (p - onehot).T @ x / len(x)


def test_losses_and_changes_are_those_of_a_softmax_regression():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 4))
    labels = np.array([0, 1, 2, 0, 1, 2])
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False, rng=0)).to(np.float64)
    W = model[1].weight.data.copy()
    found = along_gradient(model, x.reshape(6, 1, 2, 2), labels, [0.1, 0.5, 2.0])
    loss, g = loss_and_gradient(W, x, labels)
    assert found.loss == pytest.approx(loss)
    assert found.norm == pytest.approx(np.linalg.norm(g))
    there = [loss_and_gradient(W - step * g, x, labels) for step in found.steps]
    np.testing.assert_allclose(found.losses, [loss for loss, _ in there])
    changes = np.array([np.linalg.norm(gradient - g) for _, gradient in there])
    np.testing.assert_allclose(found.changes, changes)
    assert found.variation == pytest.approx(max(loss, *found.losses) - min(loss, *found.losses))
    assert found.beta == pytest.approx(max(changes / (np.array(found.steps) * np.linalg.norm(g))))
    np.testing.assert_array_equal(model[1].weight.data, W)
    assert model[1].weight.grad is None


def test_a_network_and_its_statistics_stay_as_they_were_and_a_long_step_is_infinite():
    rng = np.random.default_rng(0)
    model = models.plain8(norm=None, rng=0)
    images = rng.standard_normal((4, 3, 8, 8)).astype(np.float32)
    found = along_gradient(model, images, np.array([0, 1, 2, 3]), [1e-3, 1e20])
    assert math.isinf(found.variation)
    assert math.isinf(found.beta)
    normed = models.plain8(rng=0)
    before = {name: value.copy() for name, value in normed.state_dict().items()}
    along_gradient(normed, images, np.array([0, 1, 2, 3]), [1e-3])
    assert all((before[name] == value).all() for name, value in normed.state_dict().items())
