"""Pooling kernels against their definition."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minires.arrays import channels_last, is_channels_last
from minires.kernels import Window
from minires.kernels.readable import pool_loops


@st.composite
def pools(draw):
    def axis():
        kernel = draw(st.integers(1, 4))
        dilation = draw(st.sampled_from((1, 1, 2)))
        reach = dilation * (kernel - 1) + 1
        padding = draw(st.integers(0, kernel // 2))
        size = draw(st.integers(reach, reach + 4))
        return size, kernel, draw(st.integers(1, 3)), padding, dilation

    (H, KH, SH, PH, DH) = axis()
    (W, KW, SW, PW, DW) = axis()
    return Window.pool(
        (draw(st.integers(0, 2)), draw(st.integers(1, 3)), H, W),
        (KH, KW),
        (SH, SW),
        (PH, PW),
        dilation=(DH, DW),
        ceil_mode=draw(st.booleans()),
    )


@settings(max_examples=80, deadline=None)
@given(win=pools(), seed=st.integers(0, 99), integers=st.booleans(), counted=st.booleans())
def test_pools_agree_with_naive_and_the_first_of_equal_cells_wins(backend, win, seed, integers, counted):
    rng = np.random.default_rng(seed)
    draw = (
        (lambda *shape: rng.integers(0, 3, shape).astype(float)) if integers else lambda *shape: rng.normal(size=shape)
    )
    x = draw(win.N, win.C, win.H, win.W)
    dy = draw(*win.y_shape)
    for laid_out in (np.ascontiguousarray, channels_last):
        y = backend.max_pool(laid_out(x), win)
        np.testing.assert_array_equal(y, pool_loops.max_pool(x, win))
        dx = backend.max_pool_dx(laid_out(dy), backend.max_pool_argmax(laid_out(x), laid_out(y), win), win)
        np.testing.assert_allclose(
            dx, pool_loops.max_pool_dx(dy, pool_loops.max_pool_argmax(x, y, win), win), atol=1e-15
        )
        if (win.DH, win.DW) == (1, 1):  # a mean has no dilation
            y = backend.avg_pool(laid_out(x), win, counted)
            dx = backend.avg_pool_dx(laid_out(dy), win, counted)
            np.testing.assert_allclose(y, pool_loops.avg_pool(x, win, counted), atol=1e-14)
            np.testing.assert_allclose(dx, pool_loops.avg_pool_dx(dy, win, counted), atol=1e-14)


@pytest.mark.parametrize("stride", [1, 2, (3, 1)])
@pytest.mark.parametrize("size", [2, (3, 5), (5, 4), 6])
def test_the_first_of_equal_maxima_is_found_among_infinities_and_nans(backend, size, stride):
    rng = np.random.default_rng(0)
    x = rng.choice([0, 1, -np.inf, np.inf, np.nan], (2, 3, 11, 9), p=[0.4, 0.25, 0.25, 0.05, 0.05])
    win = Window.pool(x.shape, size, stride, 1)
    dy = rng.standard_normal(win.y_shape)
    y = pool_loops.max_pool(x, win)
    expected = pool_loops.max_pool_dx(dy, pool_loops.max_pool_argmax(x, y, win), win)
    for laid_out in (np.ascontiguousarray, channels_last):
        argmax = backend.max_pool_argmax(laid_out(x), laid_out(y), win)
        np.testing.assert_allclose(backend.max_pool_dx(laid_out(dy), argmax, win), expected, atol=1e-14)


def test_a_pool_keeps_the_memory_format(backend):
    x = channels_last(np.random.default_rng(0).standard_normal((2, 3, 6, 5)))
    win = Window.pool(x.shape, 2)
    assert is_channels_last(backend.max_pool(x, win))
    assert is_channels_last(backend.avg_pool(x, win))


def test_a_window_that_dilation_leads_past_the_image_is_minus_infinity_and_passes_nothing_back(backend):
    win = Window.pool((1, 1, 1, 2), (2, 1), 1, (1, 0), dilation=(2, 1))  # rows −1 and 1 of an image of one row
    x = np.ones((1, 1, 1, 2))
    y = backend.max_pool(x, win)
    assert np.isneginf(y).all()
    argmax = backend.max_pool_argmax(x, y, win)
    np.testing.assert_array_equal(backend.max_pool_dx(np.ones(win.y_shape), argmax, win), np.zeros((1, 1, 1, 2)))


@pytest.mark.parametrize("counted", [True, False])
def test_a_mean_of_float32_stays_float32(backend, counted):
    x = np.ones((1, 1, 5, 4), np.float32)
    win = Window.pool(x.shape, 3, 2, 1, ceil_mode=True)
    y = backend.avg_pool(x, win, counted)
    assert y.dtype == backend.avg_pool_dx(y, win, counted).dtype == np.float32


def test_a_nan_wins_and_minus_infinity_is_a_value(backend):
    x = np.full((1, 1, 4, 4), -np.inf)
    win = Window.pool(x.shape, 3, 1, 1)
    y = backend.max_pool(x, win)
    argmax = backend.max_pool_argmax(x, y, win)
    assert np.all(np.isneginf(y))
    dx = backend.max_pool_dx(np.ones(win.y_shape), argmax, win)
    assert dx.sum() == 16  # no gradient goes to the padding
    x[0, 0, 1, 1] = np.nan
    assert np.isnan(backend.max_pool(x, win)).sum() == 9


@pytest.mark.parametrize("size", [(9, 14), (16, 8), (181, 181)])  # an element's index fits a byte beside a flag, or not
def test_a_window_of_any_size_knows_its_winner(backend, size):
    x = np.random.default_rng(0).standard_normal((1, 2, *size))
    x[0, :, -1, -1] = 9  # the last element wins
    win = Window.pool(x.shape, size)
    y = backend.max_pool(x, win)
    argmax = backend.max_pool_argmax(x, y, win)
    np.testing.assert_array_equal(y, np.full((1, 2, 1, 1), 9.0))
    np.testing.assert_array_equal(backend.max_pool_dx(np.ones(y.shape), argmax, win), x == 9)


def test_a_kernel_far_larger_than_the_map_costs_no_more_than_the_map(backend):
    x = np.arange(25.0).reshape(1, 1, 5, 5)
    win = Window.pool(x.shape, 2**15, padding=2**14)  # 2³⁰ elements, which would take minutes to visit
    assert len(win.positions()) == 25
    assert backend.avg_pool(x, win).item() == 300 / 2**30
    assert backend.avg_pool(x, win, False).item() == 12
    np.testing.assert_array_equal(backend.avg_pool_dx(np.ones(win.y_shape), win), np.full(x.shape, 2.0**-30))
    y = backend.max_pool(x, win)
    argmax = backend.max_pool_argmax(x, y, win)
    assert y.item() == 24
    np.testing.assert_array_equal(backend.max_pool_dx(np.ones(win.y_shape), argmax, win), x == 24)
