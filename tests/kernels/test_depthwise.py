"""Depthwise convolution on a CPU: against the definition, over random windows, types, memory formats and tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_direct_kernels import U32, U64, arrays, assert_agrees_with_naive

from minires import kernels
from minires.arrays import is_channels_last
from minires.kernels import Window
from minires.kernels.cpu import convolution, depthwise
from minires.kernels.readable import convolution as readable


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    for name in ("BUFFER_BYTES", "LOOP"):
        monkeypatch.setattr(depthwise, name, getattr(depthwise, name))


@st.composite
def windows(draw):
    """A depthwise convolution that fits: sizes, and everything per axis; more padding than the kernel reaches, too."""

    def axis():
        kernel = draw(st.integers(1, 5))
        padding = draw(st.integers(0, 4))
        return draw(st.integers(max(1, kernel - 2 * padding), 9)), kernel, draw(st.integers(1, 4)), padding

    (H, KH, SH, PH) = axis()
    (W, KW, SW, PW) = axis()
    C = draw(st.integers(1, 4))
    return Window.of((draw(st.integers(0, 3)), C, H, W), (C, 1, KH, KW), (SH, SW), (PH, PW), 1, C)


@pytest.mark.parametrize(("dtype", "unit"), [(np.float64, U64), (np.float32, U32)])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_it_agrees_with_the_definition(dtype, unit, data):
    win = data.draw(windows())
    depthwise.BUFFER_BYTES = data.draw(st.sampled_from([1, 600, 1 << 20]))
    depthwise.LOOP = data.draw(st.sampled_from([1, 8, 4096]))
    assert_agrees_with_naive(depthwise, win, dtype, unit, data.draw(st.integers(0, 99)))


@settings(max_examples=20, deadline=None)
@given(win=windows())
def test_feature_maps_are_channels_last(win):
    x, w, dy = arrays(win)
    assert is_channels_last(depthwise.conv(x, w, win))
    assert is_channels_last(depthwise.conv_dx(dy, w, win))
    assert is_channels_last(depthwise.conv_dx_dw(dy, x, w, win)[0])


@settings(max_examples=100, deadline=None)
@given(win=windows(), seed=st.integers(0, 999))
def test_the_gradients_are_exact_adjoints_on_integers(win, seed):
    x, w, dy = arrays(win, seed=seed, integers=True)
    forward = np.vdot(depthwise.conv(x, w, win), dy)
    assert forward == np.vdot(x, depthwise.conv_dx(dy, w, win)) == np.vdot(w, depthwise.conv_dw(dy, x, win))


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (3, 2), (5, 1), (5, 2), (7, 1)])
def test_it_is_taken_and_gives_what_the_readable_version_gives_at_real_sizes(kernel, stride):
    win = Window.of((3, 24, 28, 28), (24, 1, kernel, kernel), stride, kernel // 2, 1, 24)
    x, w, dy = arrays(win, np.float32)
    assert convolution.best(x.dtype, win) is depthwise
    for found, expected in (
        (kernels.conv(x, w, win), readable.conv(x, w, win)),
        (kernels.conv_dx(dy, w, win), readable.conv_dx(dy, w, win)),
        (kernels.conv_dw(dy, x, win), readable.conv_dw(dy, x, win)),
        *zip(kernels.conv_dx_dw(dy, x, w, win), readable.conv_dx_dw(dy, x, w, win), strict=True),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


@pytest.mark.parametrize("relu", [False, True])
def test_a_factor_a_constant_and_a_relu_are_applied_to_each_tile(relu):
    win = Window.of((4, 6, 20, 21), (6, 1, 5, 5), 2, 2, 1, 6)
    x, w, _ = arrays(win)
    depthwise.BUFFER_BYTES = 4000
    factor, constant = np.random.default_rng(0).standard_normal((2, 6))
    found = kernels.conv_affine(x, w, win, factor, constant, relu)
    expected = readable.conv(x, w, win) * factor.reshape(1, -1, 1, 1) + constant.reshape(1, -1, 1, 1)
    np.testing.assert_allclose(found, np.maximum(expected, 0) if relu else expected, atol=1e-12)


def test_it_is_taken_for_one_filter_a_channel_only():
    def fits(C, O, groups, dtype=np.float32, dilation=1):
        win = Window.of((2, C, 9, 9), (O, C // groups, 3, 3), 1, 1, dilation, groups)
        return depthwise.fits(np.dtype(dtype), win)

    assert fits(8, 8, 8)
    assert fits(8, 8, 8, np.float64)
    assert not fits(8, 8, 4)
    assert not fits(8, 16, 8)
    assert not fits(8, 8, 8, np.complex128)
    assert not fits(8, 8, 8, dilation=2)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_number_of_threads_gives_the_same_bits(threads):
    win = Window.of((5, 16, 20, 20), (16, 1, 3, 3), 1, 1, 1, 16)
    x, w, dy = arrays(win, np.float32)
    depthwise.BUFFER_BYTES = 8000
    before = kernels.get_num_threads()
    kernels.set_num_threads(threads)
    try:
        first, *others = [
            [a.tobytes() for a in (depthwise.conv(x, w, win), *depthwise.conv_dx_dw(dy, x, w, win))] for _ in range(4)
        ]
        assert all(other == first for other in others)
    finally:
        kernels.set_num_threads(before)


def test_dw_keeps_its_digits_over_many_pixels():
    """A sum in float32 over 2¹⁶ ones of 0.1 would be off by a thousandth."""
    win = Window.of((16, 2, 64, 64), (2, 1, 1, 1), 1, 0, 1, 2)
    x = np.full(win.x_shape, 0.1, np.float32)
    dw = depthwise.conv_dw(np.ones(win.y_shape, np.float32), x, win)
    np.testing.assert_allclose(dw, 16 * 64 * 64 * float(np.float32(0.1)), rtol=1e-6)


def test_an_infinite_weight_or_pixel_stays_where_it_belongs():
    win = Window.of((1, 2, 5, 5), (2, 1, 3, 3), 1, 1, 1, 2)
    x, w, _ = arrays(win)
    x[0, 0, 2, 2] = np.inf
    y = depthwise.conv(x, w, win)
    assert not np.isfinite(y[0, 0, 1:4, 1:4]).any()
    assert np.isfinite(y[0, 0, 0]).all()
    assert np.isfinite(y[0, 1]).all()
