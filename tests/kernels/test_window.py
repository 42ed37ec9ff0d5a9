"""Windows: sizes, kernel elements, and the message for a user when something does not fit."""

import pytest

from minires.errors import DTypeError, ShapeError
from minires.kernels import Window

X, W = (2, 4, 8, 9), (6, 4, 3, 3)


def conv(x=X, w=W, **settings):
    return Window.of(x, w, **settings)


def test_sizes_follow_the_formula():
    win = conv(w=(6, 2, 3, 2), stride=(2, 3), padding=(1, 0), dilation=(1, 2), groups=2)
    assert win.y_shape == (2, 6, 4, 3)


@pytest.mark.parametrize(
    ("settings", "y_shape", "before"),
    [
        ({"padding": "valid"}, (6, 7), (0, 0)),
        ({"padding": "same"}, (8, 9), (1, 1)),
        ({"padding": "same", "w": (6, 4, 2, 4)}, (8, 9), (0, 1)),  # 1 row and 3 columns: the odd ones come last
        ({"padding": "same", "w": (6, 4, 2, 4), "dilation": (3, 2)}, (8, 9), (1, 3)),
        ({"padding": "same", "w": (6, 4, 12, 11)}, (8, 9), (5, 5)),
        ({"padding": "valid", "stride": 3}, (2, 3), (0, 0)),
    ],
)
def test_padding_by_name(settings, y_shape, before):
    win = conv(**settings)
    assert (win.y_shape, (win.PH, win.PW)) == ((2, 6, *y_shape), before)


def test_back_leads_from_the_outputs_to_the_inputs_whatever_the_padding():
    for padding in (0, 1, "same"):
        win = conv(w=(6, 4, 2, 3), padding=padding, dilation=(3, 1))
        back = win.transposed()
        assert (back.x_shape, back.y_shape) == (win.y_shape, win.x_shape)
        met = {(o, i) for o in range(win.OH) for k in range(2) if 0 <= (i := o + 3 * k - win.PH) < win.H}
        assert met == {(o, i) for i in range(back.OH) for k in range(2) if 0 <= (o := i + 3 * k - back.PH) < back.H}


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "ceil_mode", "counts"),
    [
        (8, 3, 2, 1, False, [[3, 3, 3, 3], [2, 3, 3, 3]]),
        (8, 3, 2, 1, True, [[3, 3, 3, 3, 2], [2, 3, 3, 3, 1]]),  # the last has row 7, one of padding, and one beyond
        (9, 2, 2, 1, True, [[2, 2, 2, 2, 2], [1, 2, 2, 2, 2]]),  # a sixth would begin in the padding
        (5, 7, 3, 0, True, [[5], [5]]),
        (5, 1, 3, 0, True, [[1, 1], [1, 1]]),
    ],
)
def test_windows_over_the_end_and_what_they_count(size, kernel, stride, padding, ceil_mode, counts):
    win = Window.pool((1, 1, size, 4), (kernel, 2), (stride, 2), (padding, 0), ceil_mode=ceil_mode)
    assert [win.counts(counted)[0] for counted in (True, False)] == counts
    assert win.counts()[1] == [2, 2]


def test_a_position_that_serves_no_output_is_left_out():
    for first, last, rows in ((0, 2, [0, 1, 2, 3]), (0, 1, [2, 3]), (1, 2, [0, 1])):
        win = Window.pool((1, 1, 2, 7), (4, 7), (2, 1), (2, 0))
        assert [kh for kh, kw, *_ in win.positions(first, last) if kw == 3] == rows
    win = Window.pool((1, 1, 1, 3), (2, 3), 1, (1, 0), dilation=(2, 1))  # rows −1 and 1 of an image of one row
    assert win.positions() == ()
    win = conv(
        x=(1, 1, 2, 1), w=(1, 1, 6, 1), stride=(4, 1), padding=(4, 0)
    )  # rows −4 … 1 and 0 … 5 of an image of two
    assert [kh for kh, *_ in win.positions()] == [0, 1, 4, 5]


def test_a_kernel_has_no_more_positions_than_can_be_numbered():
    assert Window.pool((1, 1, 5, 5), 2**15, padding=2**14).y_shape == (1, 1, 1, 1)
    with pytest.raises(ShapeError, match=r"max_pool2d: kernel_size 32769 has 1073807361 elements, at most 1073741824"):
        Window.pool((1, 1, 5, 5), 2**15 + 1, padding=2**14)


def test_positions_tell_which_inputs_meet_which_outputs():
    win = conv(stride=2, padding=1)
    for first, last in ((0, win.OH), (1, 3)):
        for kh, kw, (oh, ow), (h, w) in win.positions(first, last):
            met = [(i, i * 2 + kh - 1) for i in range(first, last) if 0 <= i * 2 + kh - 1 < 8]
            assert [(first + i, r) for i, r in zip(range(8)[oh], range(8)[h], strict=True)] == met
            met = [(j, j * 2 + kw - 1) for j in range(win.OW) if 0 <= j * 2 + kw - 1 < 9]
            assert list(zip(range(9)[ow], range(9)[w], strict=True)) == met


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"padding": -1}, "padding must be at least 0, got -1"),
        ({"dilation": (1, 0)}, r"dilation must be at least 1, got \(1, 0\)"),
        ({"stride": (1, 2, 3)}, r"stride must be an integer or two, got \(1, 2, 3\)"),
        ({"groups": 3}, "groups=3 must divide the 4 input and the 6 output channels"),
        ({"groups": 0}, "groups=0 must divide"),
        ({"groups": 2}, r"x has 4 channels, weight expects 8 \(weight\.shape\[1\]·groups\)"),
        ({"x": (2, 3, 8, 9)}, "x has 3 channels, weight expects 4"),
        ({"x": (4, 8, 9)}, r"x must be \(N,C,H,W\)"),
        ({"w": (6, 4, 3)}, r"weight \(O,C/groups,KH,KW\)"),
        ({"w": (6, 4, 9, 3)}, "the kernel reaches over 9×3, the padded input has only 8×9"),
        ({"dilation": 5}, "reaches over 11×11"),
        (
            {"padding": "same", "stride": (1, 2)},
            r"padding='same' needs stride 1, got \(1, 2\); give the padding in numbers",
        ),
        ({"x": (2, 4, 0, 9)}, "must not be empty"),
        ({"w": (6, 4, 0, 3)}, "must not be empty"),
    ],
)
def test_a_window_that_does_not_fit_is_a_shape_error(settings, message):
    with pytest.raises(ShapeError, match="conv2d: .*" + message):
        conv(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"stride": 1.0}, {"padding": (1, 0.5)}, {"dilation": "1"}, {"groups": 1.0}, {"padding": "SAME"}],
    ids=str,
)
def test_a_setting_that_is_no_integer_is_a_dtype_error(settings):
    with pytest.raises(DTypeError, match="must be an integer"):
        conv(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kernel_size": 2, "padding": 2}, "padding 2 is more than half of kernel_size 2"),
        ({"kernel_size": 0}, "kernel_size must be at least 1"),
        ({"kernel_size": 10}, "reaches over 10×10"),
        ({"kernel_size": 10, "stride": 2, "ceil_mode": True}, "reaches over 10×10, the padded input has only 8×9"),
        ({"kernel_size": 2, "stride": 0}, "stride must be at least 1"),
    ],
)
def test_a_pooling_window_that_does_not_fit_is_a_shape_error(settings, message):
    with pytest.raises(ShapeError, match="max_pool2d: .*" + message):
        Window.pool(X, **settings)


@pytest.mark.parametrize("settings", [{"padding": (1, 0)}, {"padding": (0, 1)}, {"stride": (1, 2)}, {"stride": (2, 1)}])
def test_a_kernel_of_one_pixel_with_padding_or_stride_is_not_pointwise(settings):
    assert Window.of((1, 2, 5, 5), (3, 2, 1, 1)).is_pointwise
    assert not Window.of((1, 2, 5, 5), (3, 2, 1, 1), **settings).is_pointwise
