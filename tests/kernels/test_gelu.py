"""GELU in float32 by a polynomial: its error, and what it does far from zero."""

import math

import numpy as np

from minires.kernels import cpu


def exact(x):
    """y and dy/dx of double-precision numbers, by the C library's erfc."""
    cdf = np.array([math.erfc(-v / math.sqrt(2)) / 2 for v in x])
    return x * cdf, cdf + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def test_the_float32_formula_is_off_by_a_rounding_unit_of_x_or_of_1():
    """The tail is off by 1.4e-8 and rounded a few times: a·tail, which is at most 0.17, by 2e-8. What is left is the
    rounding of y ≤ |x| and of a slope up to 1.13, in up to four sums."""
    x = np.linspace(-12, 12, 20_001, dtype=np.float32)
    for found, right in zip(cpu.gelu(x), exact(x.astype(float)), strict=True):
        assert found.dtype == np.float32
        assert np.all(np.abs(found - right) <= 4 * 2.0**-24 * np.maximum(1, np.abs(right)))


def test_far_from_zero_it_is_x_or_0_and_a_nan_stays_one():
    x = np.array([np.inf, 1e30, 50, -50, -1e30, -np.inf, np.nan], np.float32)
    y, slope = cpu.gelu(x)
    np.testing.assert_array_equal(y, [np.inf, np.float32(1e30), 50, 0, 0, 0, np.nan])
    np.testing.assert_array_equal(slope, [1, 1, 1, 0, 0, 0, np.nan])


def test_blocks_of_any_layout_are_put_together_in_order():
    x = np.random.default_rng(0).standard_normal((3, 200, 301)).astype(np.float32)
    whole = cpu.gelu(x)
    for view in (x[:, ::-1, ::2], x.transpose(2, 0, 1), np.broadcast_to(x[:1], x.shape)):
        for found, right in zip(cpu.gelu(view), cpu.gelu(np.ascontiguousarray(view)), strict=True):
            np.testing.assert_array_equal(found, right)
    np.testing.assert_array_equal(whole[0][1, 7], cpu.gelu(x[1, 7])[0])
