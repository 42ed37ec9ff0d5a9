"""Sums by channel keep their digits."""

import numpy as np
import pytest

from minires import kernels
from minires.arrays import channels_last
from minires.kernels.cpu import channel_stats
from minires.kernels.cpu import partition as blocks
from minires.kernels.cpu import threads as workers

FORMATS = [np.ascontiguousarray, channels_last]


@pytest.mark.parametrize("laid_out", FORMATS)
@pytest.mark.parametrize("shape", [(8, 16, 32, 32), (3, 5, 7, 9), (2, 700, 3, 3), (40, 3, 1, 1), (1, 1, 1, 2)])
def test_sums_of_several_maps_in_one_pass(laid_out, shape):
    rng = np.random.default_rng(0)
    x, y = (laid_out(rng.standard_normal(shape).astype(np.float32)) for _ in range(2))
    first, second = channel_stats.sums_of_products((x,), (x, y))
    wide_x = x.astype(float)
    wide_y = y.astype(float)
    m = shape[0] * shape[2] * shape[3]
    for found, terms in ((first, wide_x), (second, wide_x * wide_y)):
        assert found.dtype == np.float64
        # at most TILE additions in float32 before float64 takes over, and one rounding of each product
        bound = 2.0**-24 * (min(m, channel_stats.TILE) + 1) * np.abs(terms).sum(axis=(0, 2, 3))
        assert np.all(np.abs(found - terms.sum(axis=(0, 2, 3))) <= bound + 1e-300)


@pytest.mark.parametrize("laid_out", FORMATS)
@pytest.mark.parametrize(("mean", "std"), [(1e6, 1.0), (0.0, 1.0), (-300.0, 1e-3), (1e-10, 1e-12), (0.0, 1e15)])
def test_mean_and_variance_of_float32_are_accurate_to_3e_7(backend, laid_out, mean, std):
    rng = np.random.default_rng(0)
    x = laid_out((mean + std * rng.standard_normal((16, 8, 24, 20))).astype(np.float32))
    found_mean, found_var = backend.mean_var(x)
    x64 = x.astype(np.float64)
    np.testing.assert_allclose(found_var, x64.var(axis=(0, 2, 3)), rtol=3e-7)
    np.testing.assert_allclose(found_mean, x64.mean(axis=(0, 2, 3)), rtol=3e-7, atol=3e-7 * std)


def test_mean_and_variance_of_channels_that_fill_no_block(backend):
    x = np.random.default_rng(0).standard_normal((4, 70, 60, 61)) + np.arange(70).reshape(1, 70, 1, 1)
    mean, var = backend.mean_var(channels_last(x))
    u, by_channel = 2.0**-53, (0, 2, 3)
    # at most TILE additions one after the other (a GPU's threads: 64), of elements that are at most FAR deviations away
    # or have lost their mean before: E[d²]/var <= FAR² + 1
    bound = channel_stats.TILE * u
    assert np.all(np.abs(mean - x.mean(axis=by_channel)) <= bound * np.abs(x).mean(axis=by_channel))
    np.testing.assert_allclose(var, x.var(axis=by_channel), rtol=bound * (channel_stats.FAR**2 + 1))


@pytest.mark.parametrize("laid_out", FORMATS)
def test_a_first_image_unlike_the_others_does_not_spoil_the_variance(backend, laid_out):
    x = np.random.default_rng(0).standard_normal((16, 4, 8, 8)).astype(np.float32)
    x[0] += 1e4
    _, var = backend.mean_var(laid_out(x))
    # the shift is off by 1e4: E[d²]/var = 16, so rounding of E[d²] (u, and u of each d²) shows sixteenfold
    np.testing.assert_allclose(var, x.astype(float).var(axis=(0, 2, 3)), rtol=16 * 2 * 2.0**-24)


@pytest.mark.parametrize("laid_out", FORMATS)
def test_a_channel_vector_meets_its_channel(laid_out):
    x = laid_out(np.ones((2, 3, 4, 5), np.float32))
    v = np.array([1, 2, 3])
    np.testing.assert_array_equal(x * channel_stats.per_channel(v, x), x * v.reshape(1, 3, 1, 1))
    assert (x * channel_stats.per_channel(v, x)).dtype == np.float32


def test_sums_have_the_same_bits_whichever_image_comes_first():
    """Every other call begins with the last image. In float64, because sums of float32 elements would be nearly exact."""
    x = channels_last(np.random.default_rng(0).standard_normal((10, 16, 96, 96)))
    with workers.alone(0, 1):
        found = [np.array(channel_stats.sums_of_products((x,), (x, x))).tobytes() for _ in range(4)]
    assert len(blocks.blocks(x)) >= 5
    assert len(set(found)) == 1


@pytest.mark.parametrize("laid_out", FORMATS)
@pytest.mark.parametrize(
    "shape", [(8, 16, 32, 32), (3, 5, 7, 9), (2, 70, 3, 3), (40, 3, 1, 1), (1, 1, 1, 2), (3, 8, 61, 70)]
)
@pytest.mark.parametrize("mean", [0, 1e6])
def test_the_scatter_matrix_is_numpys_covariance(laid_out, shape, mean):
    x = laid_out((mean + np.random.default_rng(0).standard_normal(shape)).astype(np.float32))
    found_mean, found = kernels.scatter_matrix(x)
    pixels = x.astype(float).transpose(0, 2, 3, 1).reshape(-1, shape[1])
    expected = np.cov(pixels.T, bias=True).reshape(found.shape) * len(pixels)
    # d = x − shift is exact for a mean of a million, otherwise rounded once
    np.testing.assert_allclose(found, expected, rtol=0, atol=4 * 2.0**-24 * np.abs(expected).max())
    np.testing.assert_allclose(found_mean, pixels.mean(axis=0), rtol=2.0**-24, atol=1e-7)
    np.testing.assert_array_equal(found, found.T)


def test_the_scatter_matrix_has_the_same_bits_each_time():
    x = channels_last(np.random.default_rng(0).standard_normal((5, 8, 33, 34)).astype(np.float32))
    first = kernels.scatter_matrix(x)
    second = kernels.scatter_matrix(x)
    assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
