"""All convolutions against the naive one, over random windows, types and memory formats."""

import doctest

import numpy as np
import pytest
from backends import BACKENDS, GPUS
from hypothesis import given, settings
from hypothesis import strategies as st

from minires import kernels
from minires.arrays import channels_last, empty, is_channels_last
from minires.kernels import Window, readable
from minires.kernels.cpu import convolution, im2col_by_channel, im2col_tiled
from minires.kernels.readable import convolution as readable_convolution
from minires.kernels.readable import im2col
from minires.kernels.readable import loops as naive

U32, U64 = 2.0**-24, 2.0**-53
CPU = {"readable": readable_convolution, "tiled": im2col_tiled, "by channel": im2col_by_channel}
every_kernel = pytest.mark.parametrize("kernel", [*CPU.values(), *GPUS], ids=[*CPU, *map(repr, GPUS)])


@pytest.fixture(autouse=True)
def _restored(monkeypatch):
    monkeypatch.setattr(im2col_tiled, "FEW", im2col_tiled.FEW)


@st.composite
def windows(draw, groups=(1, 2, 3)):
    """A convolution that fits: sizes, and everything per axis."""

    def axis():
        kernel = draw(st.integers(1, 3))
        dilation = draw(st.integers(1, 2))
        padding = draw(st.integers(0, 2))
        least = max(1, dilation * (kernel - 1) + 1 - 2 * padding)
        return draw(st.integers(least, least + 4)), kernel, draw(st.integers(1, 3)), padding, dilation

    (H, KH, SH, PH, DH) = axis()
    (W, KW, SW, PW, DW) = axis()
    G = draw(st.sampled_from(groups))
    C = G * draw(st.integers(1, 2))
    O = G * draw(st.integers(1, 2))
    return Window.of((draw(st.integers(0, 3)), C, H, W), (O, C // G, KH, KW), (SH, SW), (PH, PW), (DH, DW), G)


def arrays(win, dtype=np.float64, seed=0, integers=False):
    rng = np.random.default_rng(seed)
    shapes = (win.N, win.C, win.H, win.W), (win.O, win.C // win.groups, win.KH, win.KW), win.y_shape
    if integers:
        return [rng.integers(-8, 9, shape).astype(dtype) for shape in shapes]
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def memory_formats(x):
    """The same values in every memory format that users pass."""
    yield np.ascontiguousarray(x)
    yield channels_last(x)
    yield np.repeat(x, 2, axis=3)[:, :, :, ::2]  # not contiguous
    yield np.ascontiguousarray(x[:, ::-1, ::-1])[:, ::-1, ::-1]  # negative strides


def close(ours, exact, magnitude, unit):
    """|error| ≤ 8·unit·Σ|x||w|: the rounding of the products and of a blocked sum, with a margin."""
    assert ours.shape == exact.shape
    assert np.all(np.abs(ours - exact) <= 8 * unit * magnitude)


def assert_agrees_with_naive(kernel, win, dtype, unit, seed):
    """A convolution and its gradients against the loops, in all memory formats. unit: the rounding of the type."""
    x, w, dy = arrays(win, dtype, seed=seed)
    in_double = [a.astype(np.float64) for a in (x, w, dy)]
    sizes = [np.abs(a) for a in in_double]
    if dtype == np.float32:  # the oracle in higher precision
        X, W, DY = in_double
    else:
        X, W, DY = x, w, dy
    exact = naive.conv(X, W, win), naive.conv_dx(DY, W, win), naive.conv_dw(DY, X, win)
    bound = (
        naive.conv(sizes[0], sizes[1], win),
        naive.conv_dx(sizes[2], sizes[1], win),
        naive.conv_dw(sizes[2], sizes[0], win),
    )
    if dtype == np.float64:  # the oracle rounds too, once per product
        unit = unit * (win.KH * win.KW * (win.C + win.O) // win.groups + win.N * win.OH * win.OW)
    for xs, dys in zip(memory_formats(x), memory_formats(dy), strict=True):
        found = kernel.conv(xs, w, win), kernel.conv_dx(dys, w, win), kernel.conv_dw(dys, xs, win)
        found += kernel.conv_dx_dw(dys, xs, w, win)
        for ours, reference, magnitude in zip(found, exact + exact[1:], bound + bound[1:], strict=True):
            assert ours.dtype == dtype
            close(ours, reference, magnitude, unit)


@pytest.mark.parametrize("kernel", [*CPU.values(), *BACKENDS], ids=[*CPU, *map(repr, BACKENDS)])
@pytest.mark.parametrize(("dtype", "unit"), [(np.float64, U64), (np.float32, U32)])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_convolution_agrees_with_naive(kernel, dtype, unit, data):
    win = data.draw(windows(groups=(1,) if kernel in (im2col_tiled, im2col_by_channel) else (1, 2, 3)))
    im2col_tiled.FEW = data.draw(st.sampled_from([1, 8]))  # dx of a strided convolution by phases, or by sums
    assert_agrees_with_naive(kernel, win, dtype, unit, data.draw(st.integers(0, 99)))


@every_kernel
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_the_gradients_are_exact_adjoints_on_integers(kernel, data):
    win = data.draw(windows(groups=(1,) if kernel in (im2col_tiled, im2col_by_channel) else (1, 2, 3)))
    im2col_tiled.FEW = data.draw(st.sampled_from([1, 8]))  # dx of a strided convolution by phases, or by sums
    x, w, dy = arrays(win, seed=data.draw(st.integers(0, 999)), integers=True)
    forward = np.vdot(kernel.conv(x, w, win), dy)
    assert forward == np.vdot(x, kernel.conv_dx(dy, w, win)) == np.vdot(w, kernel.conv_dw(dy, x, win))


@pytest.mark.parametrize("stride", [2, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 4, 5, 7])
def test_dx_by_phases_is_exact_for_every_size(stride, kernel_size):
    im2col_tiled.FEW = 1
    for padding in range(kernel_size // 2 + 1):
        for H in range(max(1, kernel_size - 2 * padding), 10):
            win = Window.of((2, 2, H, 11 - H % 3), (3, 2, kernel_size, kernel_size), stride, padding)
            _, w, dy = arrays(win, integers=True)
            np.testing.assert_array_equal(im2col_tiled.conv_dx(dy, w, win), naive.conv_dx(dy, w, win))


@settings(max_examples=150, deadline=None)
@given(win=windows(), seed=st.integers(0, 999))
def test_col2im_is_the_exact_adjoint_of_im2col(win, seed):
    x = arrays(win, seed=seed, integers=True)[0]
    cols = im2col.im2col(x, win)
    other = np.random.default_rng(seed).integers(-8, 9, cols.shape).astype(float)
    assert np.vdot(cols, other) == np.vdot(x, im2col.col2im(other, win))


def test_the_example_of_im2col_is_what_it_computes():
    assert doctest.testmod(im2col, extraglobs={"np": np, "Window": Window}) == (0, 6)  # failed, attempted


@pytest.mark.parametrize(
    "kernel", [readable_convolution, im2col_tiled, *GPUS], ids=["readable", "tiled", *map(repr, GPUS)]
)
@pytest.mark.parametrize("nbytes", [1, 3000, 1 << 30])
@pytest.mark.parametrize(("stride", "kernel_size"), [(1, 3), (2, 3), (1, 1), (2, 1)])
def test_the_size_of_a_tile_does_not_change_the_result(monkeypatch, kernel, nbytes, stride, kernel_size):
    win = Window.of((5, 4, 9, 7), (6, 4, kernel_size, kernel_size), stride, kernel_size // 2)
    x, w, dy = arrays(win)
    if kernel in GPUS:
        from minires.kernels.device import convolution as on_gpu
    monkeypatch.setattr(on_gpu if kernel in GPUS else kernel, "COLUMN_BYTES", nbytes)
    for few in (1, 8):  # the second time in buffers that were used
        im2col_tiled.FEW = few
        np.testing.assert_allclose(kernel.conv(x, w, win), naive.conv(x, w, win), atol=1e-13)
        np.testing.assert_allclose(kernel.conv_dx(dy, w, win), naive.conv_dx(dy, w, win), atol=1e-13)
        np.testing.assert_allclose(kernel.conv_dw(dy, x, win), naive.conv_dw(dy, x, win), atol=1e-12)


@every_kernel
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [1, 3])
def test_the_result_is_channels_last_however_the_input_lies(kernel, stride, size):
    win = Window.of((2, 4, 6, 5), (3, 4, size, size), stride, size // 2)
    x, w, dy = arrays(win)
    for laid_out in (np.ascontiguousarray, channels_last):
        assert is_channels_last(kernel.conv(laid_out(x), w, win))
        assert is_channels_last(kernel.conv_dx(laid_out(dy), w, win))
        assert is_channels_last(kernel.conv_dx_dw(laid_out(dy), laid_out(x), w, win)[0])


@every_kernel
@pytest.mark.parametrize("order", [(2, 3, 1, 0), (0, 2, 3, 1), (3, 2, 1, 0)])
def test_the_weights_may_lie_in_memory_in_any_order(kernel, order):
    win = Window.of((2, 4, 6, 5), (3, 4, 3, 2), (1, 2), 1)
    x, w, dy = arrays(win)
    other = empty(w.shape, w.dtype, order)
    other[...] = w
    np.testing.assert_allclose(kernel.conv(x, other, win), naive.conv(x, w, win), atol=1e-13)
    np.testing.assert_allclose(kernel.conv_dx(dy, other, win), naive.conv_dx(dy, w, win), atol=1e-13)


@every_kernel
@pytest.mark.parametrize("size", [5, 300])  # 300: so large that a tile is a part of an image
@pytest.mark.parametrize("stride", [1, 2])
def test_no_images_give_no_maps_and_a_gradient_of_zeros(kernel, size, stride):
    win = Window.of((0, 3, size, size), (2, 3, 3, 3), stride, 1)
    x, w, dy = arrays(win)
    assert kernel.conv(x, w, win).shape == win.y_shape
    assert kernel.conv_dx(dy, w, win).shape == x.shape
    np.testing.assert_array_equal(kernel.conv_dw(dy, x, win), np.zeros(w.shape))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_same_number_of_threads_gives_the_same_bits(threads):
    win = Window.of((9, 16, 20, 20), (16, 16, 3, 3), 1, 1)
    x, w, dy = (channels_last(a) if a.shape[-1] > 3 else a for a in arrays(win, np.float32))
    before = kernels.get_num_threads()
    kernels.set_num_threads(threads)
    try:
        for kernel in (im2col_tiled, im2col_by_channel):
            first, *others = [
                [f.tobytes() for f in (kernel.conv(x, w, win), kernel.conv_dx(dy, w, win), kernel.conv_dw(dy, x, win))]
                for _ in range(4)
            ]
            assert all(other == first for other in others)
            close(
                kernel.conv_dw(dy, x, win),
                readable_convolution.conv_dw(dy.astype(float), x.astype(float), win),
                readable_convolution.conv_dw(abs(dy), abs(x), win),
                U32,
            )
    finally:
        kernels.set_num_threads(before)


def test_wide_is_taken_for_few_pixels_and_many_channels():
    def fits(N, H, O, dtype=np.float32, **options):
        win = Window.of((N, 8, H, H), (O, 8 // options.get("groups", 1), 1, 1), **options)
        return im2col_by_channel.fits(np.dtype(dtype), win)

    assert fits(8, 7, 512)
    assert fits(8, 7, 392)
    assert not fits(8, 7, 391)
    assert not fits(0, 7, 512)
    assert not fits(8, 7, 512, np.complex64)
    assert not fits(8, 7, 512, groups=2)


def test_the_kernel_can_be_chosen_for_a_block_or_for_good(monkeypatch):
    win = Window.of((2, 3, 5, 5), (3, 3, 3, 3))
    x, w, _ = arrays(win)
    calls = []
    monkeypatch.setattr(im2col_tiled, "conv", lambda *a: calls.append("tiled"))
    monkeypatch.setattr(readable, "conv", lambda *a: calls.append("readable"))
    kernels.conv(x, w, win)
    with kernels.use("readable"):
        kernels.conv(x, w, win)
    kernels.conv(x, w, win)
    kernels.use("readable")
    kernels.conv(x, w, win)
    kernels.use("fastest")
    assert calls == ["tiled", "readable", "tiled", "readable"]
    assert convolution.best(np.dtype(complex), win) is readable_convolution
    with pytest.raises(ValueError, match="choose one of fastest, direct, readable, naive, got 'fast'"):
        kernels.use("fast")


def test_the_pixel_in_the_middle_of_nine_has_the_gradient_that_the_pages_say():
    rng = np.random.default_rng(0)
    w = rng.standard_normal((1, 1, 2, 2))
    dy = rng.standard_normal((1, 1, 2, 2))
    win = Window.of((1, 1, 3, 3), w.shape)
    by_products = np.sum(dy * w[..., ::-1, ::-1])  # dy[0,0]·w[1,1] + dy[0,1]·w[1,0] + …
    dcols = im2col.as_pixels(dy) @ im2col.as_rows(w)
    by_columns = dcols[0, 3] + dcols[1, 2] + dcols[2, 1] + dcols[3, 0]
    np.testing.assert_allclose(by_columns, by_products)
    for kernel in (naive, im2col):
        np.testing.assert_allclose(kernel.conv_dx(dy, w, win)[0, 0, 1, 1], by_products)
