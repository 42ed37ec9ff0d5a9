"""Convolution in groups on a CPU: against the definition, over random windows, types, memory formats and tiles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_direct_kernels import U32, U64, arrays, assert_agrees_with_naive

from minires import kernels
from minires.arrays import empty, is_channels_last
from minires.kernels import Window
from minires.kernels.cpu import convolution, depthwise, grouped
from minires.kernels.readable import convolution as readable
from minires.kernels.readable import loops as naive


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    for name in ("COLUMN_BYTES", "LEAST"):
        monkeypatch.setattr(grouped, name, getattr(grouped, name))


@st.composite
def windows(draw):
    """A convolution of several groups that fits: sizes, and everything per axis; more padding than the kernel, too."""

    def axis():
        kernel = draw(st.integers(1, 3))
        padding = draw(st.integers(0, 3))
        return draw(st.integers(max(1, kernel - 2 * padding), 7)), kernel, draw(st.integers(1, 3)), padding

    (H, KH, SH, PH) = axis()
    (W, KW, SW, PW) = axis()
    G = draw(st.integers(2, 6))
    c = draw(st.integers(1, 3))
    O = G * draw(st.integers(1, 3))
    return Window.of((draw(st.integers(1, 3)), G * c, H, W), (O, c, KH, KW), (SH, SW), (PH, PW), 1, G)


@pytest.mark.parametrize(("dtype", "unit"), [(np.float64, U64), (np.float32, U32)])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_it_agrees_with_the_definition(dtype, unit, data):
    win = data.draw(windows())
    grouped.COLUMN_BYTES = data.draw(st.sampled_from([1, 2000, 1 << 20]))
    grouped.LEAST = data.draw(st.sampled_from([1, 3, 8]))
    assert_agrees_with_naive(grouped, win, dtype, unit, data.draw(st.integers(0, 99)))


@settings(max_examples=20, deadline=None)
@given(win=windows())
def test_feature_maps_are_channels_last(win):
    x, w, dy = arrays(win)
    assert is_channels_last(grouped.conv(x, w, win))
    assert is_channels_last(grouped.conv_dx(dy, w, win))
    assert is_channels_last(grouped.conv_dx_dw(dy, x, w, win)[0])


@settings(max_examples=100, deadline=None)
@given(win=windows(), seed=st.integers(0, 999))
def test_the_gradients_are_exact_adjoints_on_integers(win, seed):
    x, w, dy = arrays(win, seed=seed, integers=True)
    forward = np.vdot(grouped.conv(x, w, win), dy)
    assert forward == np.vdot(x, grouped.conv_dx(dy, w, win)) == np.vdot(w, grouped.conv_dw(dy, x, win))


@pytest.mark.parametrize("width", [1, 4, 8, 16])
@pytest.mark.parametrize("stride", [1, 2])
def test_it_is_taken_and_gives_what_the_readable_version_gives_at_real_sizes(width, stride):
    win = Window.of((2, 8 * width, 28, 28), (16 * width, width, 3, 3), stride, 1, 1, 8)
    x, w, dy = arrays(win, np.float32)
    assert convolution.best(x.dtype, win) is grouped
    for found, expected in (
        (kernels.conv(x, w, win), readable.conv(x, w, win)),
        (kernels.conv_dx(dy, w, win), readable.conv_dx(dy, w, win)),
        (kernels.conv_dw(dy, x, win), readable.conv_dw(dy, x, win)),
        *zip(kernels.conv_dx_dw(dy, x, w, win), readable.conv_dx_dw(dy, x, w, win), strict=True),
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * abs(expected).max())


def test_groups_are_put_together_until_a_block_has_eight_channels():
    def blocks(C, O, G):
        return grouped._blocks(Window.of((1, C, 5, 5), (O, C // G, 3, 3), groups=G))[0]

    assert blocks(128, 128, 32) == 16  # of 2 groups of 4 channels
    assert blocks(256, 256, 32) == 32
    assert blocks(1024, 1024, 32) == 32
    assert blocks(12, 12, 6) == 1  # 4 would be enough, but 4 does not divide 6
    assert blocks(6, 6, 3) == 1
    assert blocks(32, 16, 4) == 2  # y has 4 channels a group


@pytest.mark.parametrize("order", [(2, 3, 1, 0), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_the_weights_may_lie_in_memory_in_any_order(order):
    win = Window.of((2, 6, 6, 5), (4, 3, 3, 2), (1, 2), 1, 1, 2)
    x, w, dy = arrays(win)
    other = empty(w.shape, w.dtype, order)
    other[...] = w
    np.testing.assert_allclose(grouped.conv(x, other, win), naive.conv(x, w, win), atol=1e-13)
    np.testing.assert_allclose(grouped.conv_dx(dy, other, win), naive.conv_dx(dy, w, win), atol=1e-13)


@pytest.mark.parametrize("relu", [False, True])
def test_a_factor_a_constant_and_a_relu_are_applied_to_each_tile(relu):
    win = Window.of((4, 6, 20, 21), (8, 3, 3, 3), 2, 1, 1, 2)
    x, w, _ = arrays(win)
    grouped.COLUMN_BYTES = 20000
    factor, constant = np.random.default_rng(0).standard_normal((2, 8))
    found = kernels.conv_affine(x, w, win, factor, constant, relu)
    expected = readable.conv(x, w, win) * factor.reshape(1, -1, 1, 1) + constant.reshape(1, -1, 1, 1)
    np.testing.assert_allclose(found, np.maximum(expected, 0) if relu else expected, atol=1e-12)


def test_it_is_taken_for_several_groups_only():
    def best(groups, N=2, dtype=np.float32, dilation=1):
        win = Window.of((N, 8, 9, 9), (8, 8 // groups, 3, 3), 1, 1, dilation, groups)
        return convolution.best(np.dtype(dtype), win)

    assert best(2) is best(4) is best(4, dtype=np.float64) is grouped
    assert best(8) is depthwise
    assert best(1) is not grouped
    assert best(4, N=0) is best(4, dilation=2) is best(4, dtype=np.complex128) is readable


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_number_of_threads_gives_the_same_bits(threads):
    win = Window.of((5, 16, 20, 20), (16, 4, 3, 3), 1, 1, 1, 4)
    x, w, dy = arrays(win, np.float32)
    grouped.COLUMN_BYTES = 8000
    before = kernels.get_num_threads()
    kernels.set_num_threads(threads)
    try:
        first, *others = [
            [a.tobytes() for a in (grouped.conv(x, w, win), *grouped.conv_dx_dw(dy, x, w, win))] for _ in range(4)
        ]
        assert all(other == first for other in others)
    finally:
        kernels.set_num_threads(before)
