"""The optimizers' formulas on long arrays, which are cut into pieces: each element as if it were alone."""

import itertools

import numpy as np
import pytest

from minires.arrays import empty
from minires.kernels.cpu import update

ORDERS = [(0, 1, 2), (2, 0, 1)]


@pytest.fixture
def piece(monkeypatch):
    monkeypatch.setattr(update, "PIECE", 7)
    return 7


def lying(values, order):
    array = empty(values.shape, values.dtype, order)
    array[...] = values
    return array


@pytest.mark.parametrize("order", ORDERS)
def test_arrays_that_lie_alike_are_cut_into_stretches_of_memory_and_nothing_is_copied(piece, order):
    x, dx = (lying(np.arange(60.0).reshape(3, 4, 5), order) for _ in range(2))
    pieces = update._pieces((x, dx))
    assert [len(a) for a, _ in pieces] == [piece] * 8 + [4]
    for a, b in pieces:
        assert a.flags.c_contiguous
        assert np.shares_memory(a, x)
        assert np.shares_memory(b, dx)
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(np.sort(np.concatenate([a for a, _ in pieces])), np.arange(60))


@pytest.mark.parametrize(
    "arrays",
    [
        (np.zeros((3, 4, 5)), lying(np.zeros((3, 4, 5)), (2, 0, 1))),  # not alike
        (np.zeros((3, 4, 10))[..., ::2], np.zeros((3, 4, 10))[..., ::2]),  # with gaps
        (np.zeros(7), np.zeros(7)),
    ],
    ids=["not alike", "gaps", "short"],
)
def test_others_are_left_whole(piece, arrays):
    assert [[a is b for a, b in zip(whole, arrays, strict=True)] for whole in update._pieces(arrays)] == [[True, True]]


@pytest.mark.parametrize(("x_order", "dx_order", "v_order"), [*itertools.product(ORDERS, repeat=3)])
def test_every_number_is_updated_once(piece, x_order, dx_order, v_order):
    rng = np.random.default_rng(0)
    values = [rng.standard_normal((3, 4, 5)) for _ in range(3)]
    x, dx, v = map(lying, values, (x_order, dx_order, v_order))
    update.sgd([x], [dx], [v], lr=0.1, momentum=0.9, dampening=0, weight_decay=0.2, nesterov=False, first=False)
    expected_v = values[2] * 0.9 + (values[1] + 0.2 * values[0])
    np.testing.assert_array_equal(v, expected_v)
    np.testing.assert_array_equal(x, values[0] - 0.1 * expected_v)
    np.testing.assert_array_equal(dx, values[1])


def test_without_momentum_too(piece):
    x = np.arange(20.0)
    dx = np.ones(20)
    update.sgd([x], [dx], [None], lr=0.5, momentum=0, dampening=0, weight_decay=0, nesterov=False, first=True)
    np.testing.assert_array_equal(x, np.arange(20) - 0.5)


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize(("x_order", "dx_order"), [*itertools.product(ORDERS, repeat=2)])
def test_adam_in_pieces_is_adam_number_by_number(piece, x_order, dx_order, decoupled):
    rng = np.random.default_rng(0)
    values = [rng.standard_normal((3, 4, 5)), rng.standard_normal((3, 4, 5)), *rng.random((2, 3, 4, 5))]
    x, dx, m, v = map(lying, values, (x_order, dx_order, x_order, x_order))
    update.adam(
        [x], [dx], [m], [v], lr=0.1, beta1=0.9, beta2=0.99, eps=1e-3, weight_decay=0.2, decoupled=decoupled, t=3
    )
    expected = values[0] * (1 - 0.1 * 0.2) if decoupled else values[0]
    g = values[1] if decoupled else values[1] + 0.2 * values[0]
    expected_m, expected_v = 0.9 * values[2] + 0.1 * g, 0.99 * values[3] + 0.01 * g * g
    expected = expected - 0.1 * (expected_m / (1 - 0.9**3)) / (np.sqrt(expected_v / (1 - 0.99**3)) + 1e-3)
    for found, right in ((m, expected_m), (v, expected_v), (x, expected)):
        np.testing.assert_allclose(found, right, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("shape", [(), (1,), (0,), (2, 0, 3)])
def test_an_array_of_one_number_or_none_is_updated_in_its_place(shape):
    for step in (
        lambda x, dx, a, b: update.sgd(
            [x], [dx], [a], lr=0.5, momentum=0, dampening=0, weight_decay=0, nesterov=False, first=True
        ),
        lambda x, dx, a, b: update.adam(
            [x], [dx], [a], [b], lr=0.5, beta1=0, beta2=0, eps=0, weight_decay=0, decoupled=True, t=1
        ),
    ):
        x = np.full(shape, 3.0)
        dx = np.ones(shape)
        a = np.zeros(shape)
        b = np.zeros(shape)
        step(x, dx, a, b)
        np.testing.assert_array_equal(x, np.full(shape, 2.5))
