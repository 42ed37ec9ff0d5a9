"""ops/residual.py: the residual add."""

import numpy as np
from against_torch import against_torch, normal
from bad_input import refusals, t

from minires import ops
from minires.errors import ShapeError


def add(f, x, branch):
    return f.residual_add(x, branch) if f.ours else x + branch


TestAgainstTorch = against_torch([("residual_add", add, (normal(2, 4, 7, 6), normal(2, 4, 7, 6)))])

test_bad_input = refusals(
    [(ShapeError, lambda: ops.residual_add(t(2, 3), t(3)), r"residual_add: the shortcut has shape \(2, 3\)")]
)


def test_the_gradient_of_the_sum_goes_to_both_unchanged():
    y, backward = ops.residual_add.raw(np.array([1.0, 2.0]), np.array([3.0, 5.0]))
    assert y.tolist() == [4, 7]
    assert [dx.tolist() for dx in backward(np.array([6.0, -1.0]))] == [[6, -1], [6, -1]]
