"""Both kernels of Winograd's against the definition, their error against the bound, and where they are chosen."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from minires import kernels
from minires.arrays import channels_last, empty, is_channels_last
from minires.kernels import Window
from minires.kernels.cpu import convolution, im2col_by_channel, im2col_tiled
from minires.kernels.cpu import threads as workers
from minires.kernels.cpu.winograd import one_axis, transforms, two_axes
from minires.kernels.readable import convolution as readable
from minires.kernels.readable import loops as naive

U32, U64 = 2.0**-24, 2.0**-53

BT, _, G, AT = transforms.matrices(np.dtype(float))


def window(N, C, H, W, O, padding=1):
    return Window.of((N, C, H, W), (O, C, 3, 3), 1, padding)


def back(win):
    return Window.of(win.y_shape, (win.C, win.O, 3, 3), 1, (2 - win.PH, 2 - win.PW))


@st.composite
def windows(draw):
    (H, PH), (W, PW) = [
        (draw(st.integers(max(1, 3 - 2 * p), 10)), p) for p in (draw(st.integers(0, 2)), draw(st.integers(0, 2)))
    ]
    return window(draw(st.integers(0, 3)), draw(st.integers(1, 3)), H, W, draw(st.integers(1, 3)), (PH, PW))


def arrays(win, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    shapes = (win.N, win.C, win.H, win.W), (win.O, win.C, 3, 3), win.y_shape
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def all_results(kernel, x, w, dy, win):
    return (
        kernel.conv(x, w, win),
        kernel.conv_dx(dy, w, win),
        kernel.conv_dw(dy, x, win),
        *kernel.conv_dx_dw(dy, x, w, win),
    )


class Tiles:
    """What two_axes.py's error is bounded by: its formulas in absolute values, in units of u."""

    kernel = two_axes

    @staticmethod
    def cut(x, win, size, padding=(0, 0)):
        """Every fourth window of `size` in the padded feature map, filled up with zeros -> (N,C,TH,TW,size,size)."""
        TH, TW = -(-win.OH // 4), -(-win.OW // 4)
        padding = [(p, 4 * T + size - 4 - n - p) for p, T, n in zip(padding, (TH, TW), x.shape[2:], strict=True)]
        padded = np.pad(x, ((0, 0), (0, 0), *((before, max(after, 0)) for before, after in padding)))
        return np.lib.stride_tricks.sliding_window_view(padded, (size, size), (2, 3))[:, :, ::4, ::4][:, :, :TH, :TW]

    @staticmethod
    def both_axes(first, a, second):
        return np.abs(first) @ np.abs(a.astype(float)) @ np.abs(second).T

    @staticmethod
    def kinds(win):
        """Of the whole windows of each axis and the last, which is smaller if there are others: their matrices."""
        for rows in transforms.windows(win.OH):
            for columns in transforms.windows(win.OW):
                i, j = rows.full, columns.full
                yield (
                    rows.which,
                    columns.which,
                    i,
                    j,
                    *zip(*(transforms.matrices(np.dtype(float), size) for size in (i, j)), strict=True),
                )

    @classmethod
    def y(cls, x, w, win):
        tiles = cls.cut(x, win, 6, (win.PH, win.PW))
        y = np.zeros((win.N, win.O, tiles.shape[2], 4, tiles.shape[3], 4))
        for q, t, i, j, BTs, _, Gs, ATs in cls.kinds(win):
            V = cls.both_axes(BTs[0], tiles[:, :, q, t, : i + 2, : j + 2], BTs[1])
            M = np.einsum("ncabij,ocij->noabij", V, cls.both_axes(Gs[0], w, Gs[1]), optimize=True)
            y[:, :, q, :i, t, :j] = cls.both_axes(ATs[0], M, ATs[1]).swapaxes(3, 4)
        return np.sqrt(26 + win.C) * y.reshape(*y.shape[:2], 4 * y.shape[2], 4 * y.shape[4])[:, :, : win.OH, : win.OW]

    @classmethod
    def dw(cls, dy, x, win):
        tiles = cls.cut(x, win, 6, (win.PH, win.PW))
        dys = cls.cut(dy, win, 4)
        dw, number = 0, win.N * tiles.shape[2] * tiles.shape[3]
        for q, t, i, j, BTs, As, Gs, _ in cls.kinds(win):
            V = cls.both_axes(BTs[0], tiles[:, :, q, t, : i + 2, : j + 2], BTs[1])
            D = cls.both_axes(As[0], dys[:, :, q, t, :i, :j], As[1])
            dw += cls.both_axes(Gs[0].T, np.einsum("ncabij,noabij->ocij", V, D, optimize=True), Gs[1].T)
        return np.sqrt(30 + number) * dw


class Rows:
    """The same of one_axis.py."""

    kernel = one_axis

    @staticmethod
    def cut(x, win, size, top, left):
        """`size` rows at every fourth row of the padded feature map, filled up with zeros -> (size,N,C,OH/4,W)"""
        tiles = -(-win.OH // 4)
        padding = max(4 * tiles + size - 4 - x.shape[2] - top, 0)
        padded = np.pad(np.abs(x.astype(float)), ((0, 0), (0, 0), (top, padding), (left, left)))
        return np.stack([padded[:, :, i : i + 4 * tiles : 4][:, :, :tiles] for i in range(size)])

    @staticmethod
    def apply(matrix, rows):
        return np.einsum("ij,j...->i...", np.abs(matrix), rows)

    @classmethod
    def columns(cls, x, win):
        """|Bᵀ||x| under the three elements of a row of the kernel -> (3,6,N,C,OH/4,OW)"""
        V = cls.apply(BT, cls.cut(x, win, 6, win.PH, win.PW))
        return np.stack([V[..., k : k + win.OW] for k in range(3)])

    @classmethod
    def y(cls, x, w, win):
        U = np.einsum("ij,ocjk->iock", np.abs(G), np.abs(w.astype(float)))
        y = cls.apply(AT, np.einsum("iock,kincqw->inoqw", U, cls.columns(x, win), optimize=True))
        y = y.transpose(1, 2, 3, 0, 4).reshape(win.N, win.O, 4 * y.shape[3], win.OW)
        return np.sqrt(13 + 3 * win.C) * y[:, :, : win.OH]

    @classmethod
    def dw(cls, dy, x, win):
        columns = cls.columns(x, win)
        D = cls.apply(AT.T, cls.cut(dy, win, 4, 0, 0))
        number = win.N * D.shape[3] * win.OW
        dU = np.einsum("inoqw,kincqw->iock", D, columns, optimize=True)
        return np.sqrt(15 + number) * np.einsum("ij,iock->ocjk", np.abs(G), dU)


def bounds(kind, x, w, dy, win):
    """√n times the formula in absolute values, for each of all_results, in units of u."""
    flip_kernel = w[:, :, ::-1, ::-1].swapaxes(0, 1)
    other = back(win)
    dx = kind.y(dy, flip_kernel, other)
    return kind.y(x, w, win), dx, kind.dw(dy, x, win), dx, kind.dw(x, dy, other).swapaxes(0, 1)[:, :, ::-1, ::-1]


both = pytest.mark.parametrize("kind", [Tiles, Rows])


def memory_formats(x):
    yield np.ascontiguousarray(x)
    yield channels_last(x)
    yield np.repeat(x, 2, axis=3)[:, :, :, ::2]  # not contiguous
    yield np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1]  # negative strides


@both
@settings(max_examples=100, deadline=None)
@given(win=windows(), seed=st.integers(0, 99))
@example(win=window(1, 1, 1, 1, 1), seed=0)
@example(win=window(2, 2, 1, 1, 3, 2), seed=0)
@example(win=window(0, 2, 5, 5, 3), seed=0)
@example(win=window(3, 2, 8, 8, 3, 0), seed=0)
def test_it_agrees_with_naive_in_float64(kind, win, seed):
    x, w, dy = arrays(win, seed=seed)
    exact = naive.conv(x, w, win), naive.conv_dx(dy, w, win), naive.conv_dw(dy, x, win)
    for xs, dys in zip(memory_formats(x), memory_formats(dy), strict=True):
        for ours, reference, bound in zip(
            all_results(kind.kernel, xs, w, dys, win), exact + exact[1:], bounds(kind, x, w, dy, win), strict=True
        ):
            assert ours.shape == reference.shape
            assert ours.dtype == np.float64
            assert np.all(np.abs(ours - reference) <= 2 * U64 * bound)  # both round


@both
@pytest.mark.parametrize(("channels", "size"), [(16, 32), (32, 16), (64, 14), (128, 10), (256, 9), (512, 7)])
def test_the_error_in_float32_stays_below_the_bound_in_the_layers_of_resnets(kind, channels, size):
    win = window(2, channels, size, size, channels)
    x, w, dy = (channels_last(a) for a in arrays(win, np.float32))
    exact = all_results(readable, *(a.astype(float) for a in (x, w, dy)), win)
    for ours, reference, bound in zip(
        all_results(kind.kernel, x, w, dy, win), exact, bounds(kind, x, w, dy, win), strict=True
    ):
        assert ours.dtype == np.float32
        assert np.all(np.abs(ours - reference) <= U32 * bound)


@both
@pytest.mark.parametrize(("channels", "size"), [(16, 32), (32, 16), (64, 14), (128, 10), (256, 9), (512, 7)])
def test_the_error_is_as_many_times_im2cols_as_is_said(kind, channels, size):
    """A bound in absolute values is far above the error for elements of both signs; this is not."""
    win = window(2, channels, size, size, channels)
    most = {two_axes: 10, one_axis: 3.7}[kind.kernel]
    x, w, dy = (channels_last(a) for a in arrays(win, np.float32))
    exact = all_results(readable, *(a.astype(float) for a in (x, w, dy)), win)
    for ours, direct, reference in zip(
        all_results(kind.kernel, x, w, dy, win), all_results(im2col_tiled, x, w, dy, win), exact, strict=True
    ):
        assert np.std(ours - reference) <= most * np.std(direct - reference)


@pytest.mark.parametrize(
    ("kernel", "settings"),
    [
        (two_axes, {"NUMBERS": 1, "LINE": 1}),
        (two_axes, {"NUMBERS": 1 << 30, "LINE": 0}),
        (two_axes, {"TILES": 1}),
        (two_axes, {"TILES": 30, "BLOCK": 4}),
        (two_axes, {"BLOCK": 1}),
        (two_axes, {"BLOCK": 2}),
        (two_axes, {"INPUTS": 1}),
        (two_axes, {"INPUTS": 3, "BLOCK": 4}),
        (two_axes, {"FEW": 1, "WIDE": 1}),
        (two_axes, {"FEW": 2, "WIDE": 4}),
        (two_axes, {"SMALL": 1}),
        (one_axis, {"PRODUCTS": 1}),
        (one_axis, {"PRODUCTS": 24 * 16 * 24 * 2}),
        (one_axis, {"PRODUCTS": 1 << 30}),
        (one_axis, {"NUMBERS": 1}),
        (one_axis, {"NUMBERS": 24 * 4 * 6}),
    ],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_how_the_work_is_cut_does_not_change_the_result(monkeypatch, kernel, settings, threads):
    win = window(3, 4, 13, 22, 6)
    x, w, dy = arrays(win)
    exact = all_results(readable, x, w, dy, win)
    for name, value in settings.items():
        assert hasattr(kernel, name)
        monkeypatch.setattr(kernel, name, value)
    before = kernels.get_num_threads()
    kernels.set_num_threads(threads)
    try:
        for _ in range(2):  # the second time in buffers that were used
            for ours, reference in zip(all_results(kernel, x, w, dy, win), exact, strict=True):
                np.testing.assert_allclose(ours, reference, rtol=0, atol=1e-12)
    finally:
        kernels.set_num_threads(before)


def test_nothing_is_left_of_a_nan_in_the_lines_of_another_geometry():
    """Lines of 6 and of 4 pixels, of which each row has 2, both have windows for 6."""
    first = window(3, 2, 4, 1, 2)
    second = window(2, 2, 4, 1, 2)
    with workers.alone(0, 1):
        x, _, dy = arrays(first)
        assert np.isnan(one_axis.conv_dw(dy, x * np.nan, first)).any()
        x, _, dy = arrays(second)
        np.testing.assert_allclose(one_axis.conv_dw(dy, x, second), naive.conv_dw(dy, x, second), atol=1e-13)


@both
def test_the_result_is_channels_last_however_the_input_lies(kind):
    win = window(2, 4, 6, 5, 3)
    x, w, dy = arrays(win)
    for laid_out in (np.ascontiguousarray, channels_last):
        assert is_channels_last(kind.kernel.conv(laid_out(x), w, win))
        assert is_channels_last(kind.kernel.conv_dx(laid_out(dy), w, win))
        assert is_channels_last(kind.kernel.conv_dx_dw(laid_out(dy), laid_out(x), w, win)[0])


@both
@pytest.mark.parametrize("order", [(2, 3, 1, 0), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_the_weights_may_lie_in_memory_in_any_order(kind, order):
    win = window(2, 4, 6, 5, 3)
    x, w, dy = arrays(win)
    other = empty(w.shape, w.dtype, order)
    other[...] = w
    for ours, same in zip(
        all_results(kind.kernel, x, other, dy, win), all_results(kind.kernel, x, w, dy, win), strict=True
    ):
        np.testing.assert_array_equal(ours, same)


@both
def test_inputs_are_left_alone(kind):
    win = window(2, 4, 7, 5, 3)
    inputs = arrays(win)
    before = [a.copy() for a in inputs]
    all_results(kind.kernel, *inputs, win)
    for a, b in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(a, b)


@both
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_number_of_threads_gives_the_same_bits(kind, threads):
    win = window(9, 16, 22, 21, 16)
    x, w, dy = (channels_last(a) for a in arrays(win, np.float32))
    before = kernels.get_num_threads()
    kernels.set_num_threads(threads)
    try:
        first, *others = [[r.tobytes() for r in all_results(kind.kernel, x, w, dy, win)] for _ in range(4)]
        assert all(other == first for other in others)
    finally:
        kernels.set_num_threads(before)


@both
def test_nan_and_infinity_reach_only_the_tiles_that_meet_them(kind):
    win = window(2, 2, 16, 16, 2)
    x, w, dy = arrays(win, np.float32)
    before = [r.tobytes() for r in all_results(kind.kernel, x, w, dy, win)]
    sound = x.copy()
    x[0, 0, 1, 1] = np.nan
    y = kind.kernel.conv(x, w, win)
    assert np.isnan(y[0, :, :3, :3]).all()
    assert np.isfinite(y[0, :, 4:]).all()
    assert np.isfinite(y[1]).all()
    all_results(kind.kernel, x, w, dy, win)
    assert [r.tobytes() for r in all_results(kind.kernel, sound, w, dy, win)] == before  # nothing is left of them


@pytest.mark.parametrize(
    ("win", "fastest"),
    [
        (window(128, 16, 32, 32, 16), one_axis),
        (window(64, 3, 32, 32, 16), one_axis),
        (window(1, 1, 28, 28, 8), one_axis),
        (window(8, 16, 112, 112, 16), one_axis),
        (window(32, 32, 13, 13, 32), one_axis),
        (window(2, 64, 4, 4, 64), one_axis),
        (window(32, 3, 32, 32, 64), one_axis),
        (window(1, 16, 6, 6, 16), one_axis),
        (window(32, 24, 32, 32, 24), one_axis),
        (window(64, 32, 16, 16, 32), two_axes),
        (window(64, 64, 8, 8, 64), two_axes),
        (window(1, 64, 56, 56, 64), two_axes),
        (window(4, 128, 28, 28, 128), two_axes),
        (window(4, 256, 14, 14, 256), two_axes),
        (window(2, 512, 7, 7, 512), two_axes),
        (window(32, 64, 9, 9, 64), two_axes),
        (window(8, 256, 6, 6, 256), two_axes),
        (window(1, 512, 7, 7, 512), im2col_by_channel),
        (window(2, 128, 4, 4, 128), im2col_by_channel),
        (window(32, 64, 5, 5, 64), im2col_tiled),
        (window(32, 32, 5, 5, 32), im2col_tiled),
        (window(1, 16, 5, 5, 16), im2col_tiled),
        (window(0, 16, 32, 32, 16), im2col_tiled),
        (window(0, 64, 56, 56, 64), im2col_tiled),
    ],
)
def test_each_version_is_chosen_where_it_is_the_fastest(win, fastest):
    """As measured on one core of Zen 4, by turns."""
    assert convolution.best(np.dtype(np.float32), win) is fastest
    assert convolution.best(np.dtype(np.float64), win) in (im2col_tiled, im2col_by_channel)
    with kernels.use("direct"):
        assert convolution.best(np.dtype(np.float32), win) in (im2col_tiled, im2col_by_channel)


@both
def test_it_fits_no_other_convolution(kind):
    shape = {two_axes: (16, 128, 28, 28), one_axis: (16, 16, 32, 32)}[kind.kernel]
    float32 = np.dtype(np.float32)
    C = shape[1]
    win = Window.of(shape, (C, C, 3, 3), 1, 1)
    assert kind.kernel.fits(float32, win)
    assert not any(kind.kernel.fits(np.dtype(other), win) for other in (np.float64, np.complex64, np.int32))
    for options in ({"stride": 2}, {"stride": (1, 2)}, {"dilation": 2}, {"padding": 3}):
        assert not kind.kernel.fits(float32, Window.of(shape, (C, C, 3, 3), **{"padding": 1, **options}))
    for w_shape, options in (
        ((C, C // 2, 3, 3), {"padding": 1, "groups": 2}),
        ((C, C, 1, 3), {}),
        ((C, C, 5, 5), {"padding": 2}),
    ):
        assert not kind.kernel.fits(float32, Window.of(shape, w_shape, **options))
