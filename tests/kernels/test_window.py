"""Windows: sizes, taps, and the sentence a person gets when something does not fit."""

import pytest

from minires.errors import DTypeError, ShapeError
from minires.kernels import Window

X, W = (2, 4, 8, 9), (6, 4, 3, 3)


def conv(x=X, w=W, **settings):
    return Window.of(x, w, **settings)


def test_sizes_follow_the_formula():
    win = conv(w=(6, 2, 3, 2), stride=(2, 3), padding=(1, 0), dilation=(1, 2), groups=2)
    assert win.y_shape == (2, 6, 4, 3)


def test_taps_tell_which_inputs_meet_which_outputs():
    win = conv(stride=2, padding=1)
    for first, last in ((0, win.OH), (1, 3)):
        for kh, kw, (oh, ow), (h, w) in win.taps(first, last):
            met = [(i, i * 2 + kh - 1) for i in range(first, last) if 0 <= i * 2 + kh - 1 < 8]
            assert [(first + i, r) for i, r in zip(range(8)[oh], range(8)[h], strict=True)] == met
            met = [(j, j * 2 + kw - 1) for j in range(win.OW) if 0 <= j * 2 + kw - 1 < 9]
            assert list(zip(range(9)[ow], range(9)[w], strict=True)) == met


@pytest.mark.parametrize(("settings", "message"), [
    ({"stride": 0}, "stride must be at least 1, got 0"),
    ({"padding": -1}, "padding must be at least 0, got -1"),
    ({"dilation": (1, 0)}, r"dilation must be at least 1, got \(1, 0\)"),
    ({"stride": (1, 2, 3)}, r"stride must be an integer or two, got \(1, 2, 3\)"),
    ({"groups": 3}, "groups=3 must divide the 4 input and the 6 output channels"),
    ({"groups": 0}, "groups=0 must divide"),
    ({"groups": 2}, r"x has 4 channels, w expects 8 \(w\.shape\[1\]·groups\)"),
    ({"x": (2, 3, 8, 9)}, "x has 3 channels, w expects 4"),
    ({"x": (4, 8, 9)}, r"x must be \(N,C,H,W\)"),
    ({"w": (6, 4, 3)}, r"w \(O,C/groups,KH,KW\)"),
    ({"w": (6, 4, 9, 3)}, "the kernel reaches over 9×3, the padded input has only 8×9"),
    ({"dilation": 5}, "reaches over 11×11"),
    ({"x": (2, 4, 0, 9)}, "must not be empty"),
    ({"w": (6, 4, 0, 3)}, "must not be empty"),
])
def test_a_window_that_does_not_fit_is_a_shape_error(settings, message):
    with pytest.raises(ShapeError, match="conv2d: .*" + message):
        conv(**settings)


@pytest.mark.parametrize("settings", [{"stride": 1.0}, {"padding": (1, 0.5)}, {"dilation": "1"}, {"groups": 1.0}], ids=str)
def test_a_setting_that_is_no_integer_is_a_dtype_error(settings):
    with pytest.raises(DTypeError, match="must be an integer"):
        conv(**settings)


@pytest.mark.parametrize(("settings", "message"), [
    ({"kernel_size": 2, "padding": 2}, "padding 2 is more than half of kernel_size 2"),
    ({"kernel_size": 0}, "kernel_size must be at least 1"),
    ({"kernel_size": 10}, "reaches over 10×10"),
    ({"kernel_size": 2, "stride": 0}, "stride must be at least 1"),
])
def test_a_pooling_window_that_does_not_fit_is_a_shape_error(settings, message):
    with pytest.raises(ShapeError, match="max_pool2d: .*" + message):
        Window.pool(X, **settings)
