"""Activations by blocks on all workers: equal to the definition in any block size, memory format and precision."""

import numpy as np
import pytest

from minires import kernels
from minires.arrays import channels_last, memory_order
from minires.kernels.cpu import activation
from minires.kernels.readable import activation as readable

SPECIAL = [-np.inf, -1e30, -200.0, -20, -1, -0.0, 0, 1e-30, 3, 6, 6.5, 200, 1e30, np.inf, np.nan]


@pytest.fixture(params=[5, 1 << 17], ids=["many blocks", "one block"])
def block(request, monkeypatch):
    monkeypatch.setattr(activation, "BLOCK", request.param)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, channels_last, lambda x: x[:, ::-1, :, ::2]])
def test_every_block_is_computed_and_lies_as_x_does(block, laid_out, dtype):
    rng = np.random.default_rng(0)
    x, dy = (laid_out(5 * rng.standard_normal((3, 4, 5, 6)).astype(dtype)) for _ in range(2))
    found = [*activation.silu(x), activation.relu6(x), activation.relu6_dx(dy, x)]
    expected = [*readable.silu(x), readable.relu6(x), readable.relu6_dx(dy, x)]
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == dtype
        assert memory_order(a) == memory_order(x)
        np.testing.assert_allclose(a, b, rtol=0, atol=40 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_values_give_what_the_definition_gives(block, dtype):
    x = np.array(SPECIAL, dtype)
    with np.errstate(invalid="ignore"):  # ∞·0, as in the definition
        for a, b in zip(activation.silu(x), readable.silu(x), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-30)
    np.testing.assert_array_equal(activation.relu6(x), readable.relu6(x))


def test_nothing_warns_where_the_result_is_finite():
    with np.errstate(all="raise", under="ignore"):
        for dtype in (np.float32, np.float64):
            y, slope = activation.silu(np.array([-1e30, -1e4, 1e4, 1e30], dtype))
            assert np.isfinite(y).all()
            assert slope.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize("kernel", [activation, readable])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_an_infinite_gradient_reaches_only_what_is_between_0_and_6(kernel, value):
    y = np.array([0, 2, 6, -0.0], np.float32)
    np.testing.assert_array_equal(kernel.relu6_dx(np.full(4, value, np.float32), y), [0, value, 0, 0])


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,)])
def test_no_elements_and_no_axes_are_right_too(shape):
    x = np.full(shape, 0.5)
    for y in (*activation.silu(x), activation.relu6(x)):
        assert y.shape == shape
        assert isinstance(y, np.ndarray)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_no_bit(monkeypatch, threads):
    monkeypatch.setattr(activation, "BLOCK", 100)
    x = np.random.default_rng(0).standard_normal((7, 3, 11, 13)).astype(np.float32)
    expected = [a.tobytes() for a in activation.silu(x)]
    before = kernels.get_num_threads()
    kernels.set_num_threads(threads)
    try:
        assert [a.tobytes() for a in activation.silu(x)] == expected
    finally:
        kernels.set_num_threads(before)
