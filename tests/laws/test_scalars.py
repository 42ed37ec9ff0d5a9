"""Tensors without axes or with one element, used once or many times."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minires import Tensor, ops
from minires.errors import MiniresError
from minires.mode import complex_step
from minires.op import registry

SHAPES = ((), (1,), (1, 1))
VARIADIC = {"cat", "stack"}
SETTINGS = {  # of ops that cannot do without
    "broadcast_to": {"shape": (1, 1)},
    "clip": {"min": 0, "max": 1},
    "dropout": {"training": False},
    "getitem": {"index": ...},
    "log_softmax": {"dim": -1},
    "logsumexp": {"dim": -1},
    "permute": {"dims": (1, 0)},
    "reshape": {"shape": (1, 1)},
    "softmax": {"dim": 0},
    "to": {"device": "cpu"},
    "transpose": {"dim0": 0, "dim1": -1},
    "var": {"correction": 0},
}
AT = 0.7  # where all of them are smooth
WITHOUT_AXES = {
    "abs",
    "add",
    "clip",
    "div",
    "exp",
    "gelu",
    "leaky_relu",
    "log",
    "maximum",
    "mean",
    "mul",
    "neg",
    "pow",
    "relu",
    "residual_add",
    "sigmoid",
    "silu",
    "sqrt",
    "sub",
    "sum",
    "tanh",
    "reshape",
    "broadcast_to",
    "to",
}


def applied(name, x, uses):
    """op(x, …, x)·x·x…, in which x occurs `uses` times (or as often as the op takes tensors)."""
    op = registry[name]
    y = op([x, x], **SETTINGS.get(name, {})) if name in VARIADIC else op(*[x] * takes(name), **SETTINGS.get(name, {}))
    for _ in range(uses - takes(name)):
        y = y * x
    return y.sum()


def takes(name):
    return (
        2
        if name in VARIADIC | {"add", "sub", "mul", "div", "pow", "maximum", "matmul", "residual_add", "mse_loss"}
        else 1
    )


def accepted(shape):
    """The ops that take tensors of this shape, and need nothing else."""
    found = []
    for name in sorted(registry):
        try:
            applied(name, Tensor(np.full(shape, AT)), takes(name))
        except (MiniresError, TypeError, IndexError):
            continue
        found.append(name)
    return found


def test_elementwise_ops_and_reductions_take_tensors_without_axes():
    assert set(accepted(())) >= WITHOUT_AXES
    assert set(accepted((1,))) >= WITHOUT_AXES | {"cat", "stack", "softmax", "flatten"}
    assert set(accepted((1, 1))) >= WITHOUT_AXES | {"matmul", "permute", "transpose"}


def measured(name, shape, uses):
    """d/dx by the complex step: no backward is involved."""
    x = Tensor(np.full(shape, AT))
    x.data = np.asarray(x.data + 1e-20j)
    with complex_step():
        return applied(name, x, uses).data.imag / 1e-20


@pytest.mark.parametrize(("shape", "name"), [(shape, name) for shape in SHAPES for name in accepted(shape)])
def test_the_gradient_of_a_leaf_that_is_used_many_times_is_an_array_of_its_shape(shape, name):
    for dtype, tolerance in ((np.float64, 1e-14), (np.float32, 1e-6)):
        for uses in range(1, 6):
            x = Tensor(np.full(shape, AT, dtype), requires_grad=True)
            applied(name, x, uses).backward()
            assert isinstance(x.grad, np.ndarray)
            assert (x.grad.shape, x.grad.dtype) == (shape, dtype)
            exact = measured(name, shape, uses)
            np.testing.assert_allclose(x.grad.sum(), exact, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("formula", "y", "slope"),
    [
        (lambda x: x * x * x + x, 10.0, 13.0),
        (lambda x: x * x * x + 2 * x * x - x / (x + 1), 8 + 8 - 2 / 3, 12 + 8 - 1 / 9),
        (
            lambda x: ops.sigmoid(x) * x * x,
            4 / (1 + math.exp(-2)),
            4 / (1 + math.exp(-2)) + 4 * math.exp(-2) / (1 + math.exp(-2)) ** 2,
        ),
        (lambda x: (x**2 + 2 * x + 1) ** 2 / x, 81 / 2, 2 * 9 * 6 / 2 - 81 / 4),
        (lambda x: x, 2.0, 1.0),
        (lambda x: (x + x) + (x + x) + x, 10.0, 5.0),
    ],
)
def test_formulas_of_a_first_lesson_have_the_values_of_the_blackboard(formula, y, slope, dtype):
    x = Tensor(2.0, requires_grad=True, dtype=dtype)
    value = formula(x)
    value.backward()
    assert value.item() == pytest.approx(y, rel=1e-6 if dtype == np.float32 else 1e-15)
    assert x.grad.shape == ()
    assert float(x.grad) == pytest.approx(slope, rel=1e-6 if dtype == np.float32 else 1e-14)
    formula(x).backward()  # a second graph adds to it
    assert isinstance(x.grad, np.ndarray)
    assert float(x.grad) == pytest.approx(2 * slope, rel=1e-6 if dtype == np.float32 else 1e-14)


class Dual:
    """A number and its derivatives by each leaf, computed in forward mode: the oracle."""

    def __init__(self, value, slopes):
        self.value = value
        self.slopes = np.asarray(slopes)

    def then(self, value, slope):
        return Dual(value, slope * self.slopes)


OPERATIONS = {
    "add": (ops.add, lambda a, b: Dual(a.value + b.value, a.slopes + b.slopes)),
    "sub": (ops.sub, lambda a, b: Dual(a.value - b.value, a.slopes - b.slopes)),
    "mul": (ops.mul, lambda a, b: Dual(a.value * b.value, a.value * b.slopes + b.value * a.slopes)),
    "residual_add": (
        lambda a, b: ops.residual_add(a.reshape(1), b.reshape(1)),
        lambda a, b: Dual(a.value + b.value, a.slopes + b.slopes),
    ),
    "tanh": (lambda a, b: ops.tanh(a), lambda a, b: a.then(math.tanh(a.value), 1 - math.tanh(a.value) ** 2)),
    "sigmoid": (
        lambda a, b: ops.sigmoid(a),
        lambda a, b: a.then(1 / (1 + math.exp(-a.value)), math.exp(-a.value) / (1 + math.exp(-a.value)) ** 2),
    ),
    "relu": (lambda a, b: ops.relu(a), lambda a, b: a.then(max(a.value, 0.0), float(a.value > 0))),
    "one axis": (lambda a, b: a.reshape(1), lambda a, b: a),
    "two axes": (lambda a, b: a.reshape(1, 1), lambda a, b: a),
    "no axis": (lambda a, b: a.sum(), lambda a, b: a),
    "mean": (lambda a, b: a.mean(), lambda a, b: a),
    "the number": (lambda a, b: a * 0.5 + 1.0, lambda a, b: a.then(0.5 * a.value + 1, 0.5)),
    "cat": (
        lambda a, b: ops.cat([a.reshape(1), b.reshape(1)]).sum(),
        lambda a, b: Dual(a.value + b.value, a.slopes + b.slopes),
    ),
}
STEPS = st.lists(
    st.tuples(st.sampled_from(sorted(OPERATIONS)), st.integers(0, 99), st.integers(0, 99)), min_size=1, max_size=12
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.floats(0.25, 1.5), st.sampled_from(SHAPES)), min_size=1, max_size=3), STEPS)
def test_whole_graphs_of_single_numbers_have_the_gradients_that_dual_numbers_have(starts, steps):
    leaves = [Tensor(np.full(shape, value), requires_grad=True) for value, shape in starts]
    tensors = list(leaves)
    duals = [Dual(value, np.eye(len(starts))[k]) for k, (value, _) in enumerate(starts)]
    for name, i, j in steps:
        ours, oracle = OPERATIONS[name]
        a = i % len(tensors)
        b = j % len(tensors)
        tensors.append(ours(tensors[a], tensors[b]))
        duals.append(oracle(duals[a], duals[b]))
    total = leaves[0] * 0.0
    expected = np.zeros(len(starts))
    for tensor, dual in zip(tensors, duals):  # everything counts, so that much is used more than once
        total = total + ops.tanh(tensor)
        expected = expected + (1 - math.tanh(dual.value) ** 2) * dual.slopes
    total.sum().backward()
    for leaf, (_, shape), slope in zip(leaves, starts, expected):
        assert isinstance(leaf.grad, np.ndarray)
        assert (leaf.grad.shape, leaf.grad.dtype) == (shape, np.float64)
        np.testing.assert_allclose(leaf.grad, np.full(shape, slope), rtol=1e-11, atol=1e-11)
