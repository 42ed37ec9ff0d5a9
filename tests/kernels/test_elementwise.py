"""Formulas on whole feature maps: equal to the definition, in either memory format and any precision, at any mean."""

import numpy as np
import pytest
from backends import host

from minires import kernels, ops
from minires.arrays import channels_last, is_channels_last, owner

CHANNEL = (0, 2, 3)


def by(v):
    return v.reshape(1, -1, 1, 1)


@pytest.fixture(
    params=[(2, 3, 4, 5), (6, 16, 64, 48), (4, 70, 24, 25)],
    ids=["small", "shared among workers", "channels in uneven blocks"],
)
def case(request):
    """x, dy (N,C,H,W) in float32 and μ, s, γ, β (C,), and all of them in float64."""
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal(request.param).astype(np.float32) for _ in range(2))
    C = x.shape[1]
    return (
        x,
        dy,
        x.mean(CHANNEL, dtype=float),
        1 / x.std(CHANNEL, dtype=float),
        rng.uniform(0.5, 2, C).astype("f"),
        rng.normal(size=C).astype("f"),
    )


@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, channels_last])
def test_normalization_is_its_definition(case, laid_out, backend):
    x, dy, mean, inv_std, weight, bias = case
    m = x.size // x.shape[1]
    x_hat = (x.astype(float) - by(mean)) * by(inv_std)
    y = backend.normalize(laid_out(x), mean, inv_std, weight, bias)
    assert y.dtype == np.float32
    assert is_channels_last(y) == is_channels_last(laid_out(x))
    np.testing.assert_allclose(y, x_hat * by(weight) + by(bias), atol=2e-6)
    np.testing.assert_array_equal(backend.normalize(laid_out(x), mean, inv_std, weight, bias, True), np.maximum(y, 0))
    dw, db = backend.normalize_sums(laid_out(dy), laid_out(x), mean, inv_std)
    np.testing.assert_allclose(db, dy.sum(CHANNEL, dtype=float), atol=1e-6 * np.sqrt(m) * 4)
    np.testing.assert_allclose(dw, (dy * x_hat).sum(CHANNEL), atol=1e-6 * np.sqrt(m) * 4)
    dx = backend.normalize_dx(laid_out(dy), laid_out(x), mean, inv_std, weight, dw, db)
    np.testing.assert_allclose(dx, by(weight * inv_std) * (dy - by(db / m) - x_hat * by(dw / m)), atol=5e-6)
    own = backend.array(laid_out(dy))
    again = backend.normalize_dx(own, laid_out(x), mean, inv_std, weight, dw, db, own)
    np.testing.assert_array_equal(again, dx)
    if laid_out is channels_last or isinstance(own, np.ndarray):
        np.testing.assert_array_equal(host(own), dx)
    np.testing.assert_allclose(backend.scale(laid_out(dy), weight), dy * by(weight), rtol=1e-6)


def test_channel_vectors_may_lie_apart_in_memory(case, backend):
    x, dy, *vectors = case

    def batch_norm(x, dy, mean, inv_std, weight, bias):
        dw, db = kernels.normalize_sums(dy, x, mean, inv_std)
        return (
            kernels.normalize(x, mean, inv_std, weight, bias),
            db,
            dw,
            kernels.normalize_dx(dy, x, mean, inv_std, weight, bias, bias),
        )

    apart = backend.on(lambda x, dy, *vectors: batch_norm(x, dy, *(v[::2] for v in vectors)))
    found = apart(x, dy, *(np.repeat(v, 2) for v in vectors))
    for ours, expected in zip(found, backend.on(batch_norm)(x, dy, *vectors), strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, channels_last])
def test_relu_and_add_are_their_definitions(case, laid_out, backend):
    x, dy = map(laid_out, case[:2])
    y = backend.relu(x)
    np.testing.assert_array_equal(y, np.where(x > 0, x, 0))
    np.testing.assert_array_equal(backend.relu_dx(dy, y), np.where(x > 0, dy, 0))
    np.testing.assert_array_equal(backend.add(x, dy), x + dy)
    own = backend.array(x)
    for other in (backend.array(dy), backend.array(np.ascontiguousarray(dy))):
        before = host(own) + host(other)
        assert owner(kernels.add(own, other, own)) is owner(own)
        np.testing.assert_array_equal(host(own), before)
    np.testing.assert_array_equal(backend.add_relu(x, dy), np.maximum(x + dy, 0))
    np.testing.assert_array_equal(backend.add_relu(x, np.ascontiguousarray(dy)), np.maximum(x + dy, 0))


def test_a_large_mean_costs_nothing(case, backend):
    """The deviations from a mean of 1e6 that float32 can hold are multiples of 1/8: they come out as they went in."""
    deviations = np.round(case[0] * 8) / 8
    x = (deviations + 2.0**20).astype(np.float32)
    C = x.shape[1]
    mean = np.full(C, 2.0**20 + 1e-3)
    ones = np.ones(C)
    y = backend.normalize(x, mean, ones, ones.astype("f"), np.zeros(C, "f"))
    np.testing.assert_allclose(y, deviations - 1e-3, atol=1e-6)


@pytest.mark.parametrize("op", [ops.batch_norm, ops.conv_norm], ids=["batch_norm", "conv_norm"])
def test_running_statistics_may_change_between_forward_and_backward(backend, op):
    """A training step before the backward of an evaluation moves them in place."""
    rng = np.random.default_rng(0)
    x, w, b, mean, var = map(backend.array, (rng.standard_normal((2, 3, 4, 5)), *rng.uniform(0.5, 2, (4, 3))))
    kernel = [backend.array(rng.standard_normal((3, 3, 1, 1)))] if op is ops.conv_norm else []
    _, backward = op.raw(x, *kernel, w, b, running_mean=mean, running_var=var)
    dy = backend.array(rng.standard_normal(x.shape))
    before = backend.on(backward)(dy)
    mean += 1
    var *= 2
    for ours, expected in zip(backend.on(backward)(dy), before, strict=True):
        np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("laid_out", [np.ascontiguousarray, channels_last])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(6, 16, 64, 48), (4, 70, 24, 25), (1, 3, 5, 4)])
def test_a_map_times_factors_of_its_channels_and_the_sum_over_the_map(shape, dtype, laid_out):
    rng = np.random.default_rng(0)
    x, dy = (laid_out(rng.standard_normal(shape).astype(dtype)) for _ in range(2))
    s = rng.standard_normal((*shape[:2], 1, 1)).astype(dtype)
    for y in (kernels.multiply(x, s), kernels.multiply(s, x)):
        np.testing.assert_array_equal(y, x * s)
        assert is_channels_last(y) == is_channels_last(x)
    ds = kernels.multiply_sum(dy, x, (2, 3))
    assert ds.dtype == dtype
    size = np.abs(dy.astype(float) * x).sum((2, 3))
    assert (np.abs(ds - (dy.astype(float) * x).sum((2, 3))) <= 30 * np.finfo(dtype).eps * size).all()


def test_numbers_and_arrays_of_other_shapes_are_multiplied_as_numpy_does():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for a, b in ((x, 2), (0.5, x), (x, x[0]), (x[:, :1], x), (x[0], x[:, :1]), (x.astype(int), x), (x, np.float32(3))):
        found = kernels.multiply(a, b)
        np.testing.assert_array_equal(found, a * b)
        assert found.dtype == (a * b).dtype
