"""ops/fused.py: batch norm or a residual add, each with the ReLU after it."""

import numpy as np
import pytest
from against_torch import against_torch, normal, positive

from minires import ops
from minires.arrays import owner
from minires.errors import ShapeError


def batch_norm_relu(f, x, weight, bias):
    if f.ours:
        return f.batch_norm_relu(x, weight, bias, training=True, eps=0.1)
    return f.relu(f.batch_norm(x, None, None, weight, bias, True, 0.1, 0.1))


def residual_add_relu(f, a, b):
    return f.residual_add_relu(a, b) if f.ours else f.relu(a + b)


TestAgainstTorch = against_torch(
    [
        ("batch_norm_relu of (N,C)", batch_norm_relu, (normal(5, 4), positive(4), normal(4))),
        ("batch_norm_relu of (N,C,H,W)", batch_norm_relu, (normal(2, 4, 5, 3), positive(4), normal(4))),
        ("residual_add_relu", residual_add_relu, (normal(2, 4, 5, 3), normal(2, 4, 5, 3))),
    ]
)


def test_batch_norms_backward_keeps_y_for_its_relu_only():
    """One feature map more for each batch norm would make a step of ResNet-50 200 MB larger."""
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    v = np.ones(3)
    for op, keeps in ((ops.batch_norm, False), (ops.batch_norm_relu, True)):
        y, backward = op.raw(x, v, v, training=True)
        kept = any(owner(cell.cell_contents) is owner(y) for cell in backward.__closure__)
        assert kept is keeps


def test_the_mask_of_batch_norms_relu_is_that_of_y_for_negative_weights_too():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 4, 4))
    dy = rng.standard_normal((2, 3, 4, 4))
    weight = np.array([-1.0, 2.0, -0.5])
    bias = rng.standard_normal(3)
    y, backward = ops.batch_norm.raw(x, weight, bias, training=True)
    _, fused = ops.batch_norm_relu.raw(x, weight, bias, training=True)
    for found, expected in zip(fused(dy), backward(dy * (y > 0)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13)


def test_an_error_begins_with_the_name_of_the_op_that_was_called():
    x = np.ones((2, 3, 4, 4))
    v = np.ones(3)
    with pytest.raises(ShapeError, match=r"^batch_norm_relu: weight has shape"):
        ops.batch_norm_relu(x, np.ones(2), v, training=True)
    with pytest.raises(ShapeError, match=r"^batch_norm_relu: training needs more than one value"):
        ops.batch_norm_relu(np.ones((1, 3)), v, v, training=True)
    with pytest.raises(ShapeError, match=r"^batch_norm_relu: x must be"):
        ops.batch_norm_relu(np.ones(3), v, v, training=True)
    with pytest.raises(ShapeError, match=r"^residual_add_relu: the shortcut has shape"):
        ops.residual_add_relu(x, x[:1])
