"""A convolution with a factor, a constant and a ReLU, which every kernel applies to a piece of y while a cache holds it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_direct_kernels import arrays, memory_formats, windows

from minires import kernels
from minires.kernels import Window
from minires.kernels.choice import CHOICES
from minires.kernels.cpu import convolution, im2col_by_channel, im2col_tiled
from minires.kernels.cpu.winograd import one_axis, two_axes

PLACES = {  # kernel: x shape, w shape, stride and padding
    two_axes: [((3, 64, 14, 13), (64, 64, 3, 3), 1, 1), ((2, 128, 9, 9), (256, 128, 3, 3), 1, 1)],
    one_axis: [((2, 8, 17, 18), (16, 8, 3, 3), 1, 1), ((4, 16, 21, 22), (16, 16, 3, 3), 1, 0)],
    im2col_by_channel: [((1, 32, 4, 4), (40, 32, 1, 1), 1, 0), ((1, 8, 5, 5), (64, 8, 3, 3), 2, 1)],
    im2col_tiled: [
        ((2, 16, 40, 41), (64, 16, 1, 1), 1, 0),
        ((2, 9, 30, 31), (24, 9, 5, 3), 2, 1),
        ((1, 3, 2, 900), (8, 3, 1, 1), 1, 0),
    ],
}


def check(win, x, w, dtype, unit, rng):
    factor = rng.uniform(-2, 2, win.O)
    constant = rng.standard_normal(win.O)
    z = kernels.conv(x, w, win)
    size = np.abs(z).max(initial=0) + 1
    for f in (factor, None):
        for relu in (False, True):
            y = kernels.conv_affine(x, w, win, f, constant, relu)
            expected = (1 if f is None else f.reshape(1, -1, 1, 1)) * z + constant.reshape(1, -1, 1, 1)
            assert y.dtype == dtype
            assert y.shape == win.y_shape
            np.testing.assert_allclose(y, np.maximum(expected, 0) if relu else expected, rtol=0, atol=unit * size)


@pytest.mark.parametrize(("dtype", "unit"), [(np.float64, 1e-13), (np.float32, 1e-4)])
@pytest.mark.parametrize("choice", list(CHOICES))
@settings(max_examples=40, deadline=None)
@given(win=windows(), seed=st.integers(0, 99))
def test_all_of_them_over_random_windows(choice, dtype, unit, win, seed):
    x, w, _ = arrays(win, dtype, seed)
    with kernels.use(choice):
        for laid_out in memory_formats(x):
            check(win, laid_out, w, dtype, unit, np.random.default_rng(seed))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("kernel", "place"), [(kernel, place) for kernel, places in PLACES.items() for place in places]
)
def test_each_kernel_where_it_is_chosen(kernel, place, threads):
    x_shape, w_shape, stride, padding = place
    win = Window.of(x_shape, w_shape, stride, padding)
    x, w, _ = arrays(win, np.float32)
    before = kernels.get_num_threads()
    kernels.set_num_threads(threads)
    try:
        assert convolution.best(x.dtype, win) is kernel
        check(win, x, w, np.float32, 2e-5, np.random.default_rng(0))
    finally:
        kernels.set_num_threads(before)
