"""ops/activation.py: the nonlinearities, and the softmax family."""

import numpy as np
import pytest
from against_torch import against_torch, normal
from bad_input import refusals, t

from minires import Tensor, ops
from minires.errors import DTypeError, OptionError, ShapeError

X = normal(2, 4, 7, 6)
V = normal(3, 5)

TestAgainstTorch = against_torch(
    [
        ("relu", lambda f, x: f.relu(x), (np.append(V, 0.0),)),
        ("relu6", lambda f, x: f.relu6(x), (np.append(V * 5, [0.0, 6.0]),)),
        ("leaky_relu", lambda f, x: f.leaky_relu(x, negative_slope=0.2), (V,)),
        ("tanh", lambda f, x: f.tanh(x), (V,)),
        ("sigmoid", lambda f, x: f.sigmoid(x), (V * 10,)),
        ("silu", lambda f, x: f.silu(x), (V * 10,)),
        ("gelu", lambda f, x: f.gelu(x), (V * 4,)),
        ("gelu tanh", lambda f, x: f.gelu(x, approximate="tanh"), (V * 4,)),
        ("softmax", lambda f, x: f.softmax(x, dim=1), (X * 5,)),
        ("log_softmax", lambda f, x: f.log_softmax(x, dim=-1), (X * 5,)),
        ("logsumexp", lambda f, x: f.logsumexp(x, dim=1, keepdim=True), (X * 5,)),
        ("logsumexp, axis gone", lambda f, x: f.logsumexp(x, dim=0), (V,)),
        ("logsumexp over two axes", lambda f, x: f.logsumexp(x, (0, -1)), (X * 5,)),
    ]
)

test_bad_input = refusals(
    [
        (DTypeError, lambda: ops.relu(np.array(["a"])), "relu: argument 1 is <U1"),
        (DTypeError, lambda: ops.tanh(np.ones(2, np.float16) * 1j), "tanh: argument 1 is complex"),
        (OptionError, lambda: ops.gelu(t(3), approximate="erf"), "gelu: approximate must be"),
        (ShapeError, lambda: ops.softmax(t(2, 3), dim=-3), "softmax: dim -3 is out of range for 2 axes"),
        (DTypeError, lambda: ops.softmax(t(2, 3), dim=(0, 1)), r"softmax: dim must be an integer, got \(0, 1\)"),
        (ShapeError, lambda: ops.softmax(t(0, 3), dim=0), r"softmax: nothing to add up along dim 0 of shape \(0, 3\)"),
        (ShapeError, lambda: ops.log_softmax(t(3, 0), dim=1), "log_softmax: nothing to add up along dim 1"),
        (ShapeError, lambda: ops.logsumexp(t(3, 0), dim=1), "logsumexp: nothing to add up along dim 1"),
    ]
)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_overflows_where_the_result_is_finite(dtype):
    x = Tensor(np.array([[-1e4, -100, 0, 100, 1e4]], dtype))
    for y in (ops.sigmoid(x), ops.silu(x), ops.softmax(x, dim=1), ops.logsumexp(x, dim=1), ops.tanh(x), ops.gelu(x)):
        assert np.isfinite(y.data).all()


def test_sigmoid_keeps_its_relative_precision_far_below_zero():
    np.testing.assert_allclose(ops.sigmoid(Tensor(np.array([-700.0, -40.0]))).data, np.exp([-700.0, -40.0]), rtol=1e-15)


def test_logsumexp_of_nothing_but_minus_infinity_is_minus_infinity():
    with np.errstate(divide="ignore"):
        assert ops.logsumexp(Tensor(np.full(3, -np.inf)), dim=0).item() == -np.inf
