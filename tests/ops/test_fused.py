"""ops/fused.py: batch norm or a residual add, each with the ReLU after it."""

import numpy as np
from against_torch import against_torch, normal, positive

from minires import ops
from minires.arrays import owner


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
