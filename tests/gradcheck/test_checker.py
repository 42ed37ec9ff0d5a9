"""The checker checked: it fails for wrong gradients, passes right ones, and says where."""

import numpy as np
import pytest

from minires import gradcheck, models, nn, ops
from minires.gradcheck import check, check_module, check_op
from minires.kernels import Window, im2col
from minires.tensor import registry


def broken(name, spoil):
    """The op with its backward's gradients passed through spoil(dxs, arrays, dy, settings)."""
    raw = registry[name].raw

    def function(*arrays, **static):
        y, backward = raw(*arrays, **static)

        def wrong(dy):
            dxs = backward(dy)
            return spoil(dxs if isinstance(dxs, tuple) else (dxs,), arrays, dy, static)
        return y, wrong
    return function


def batch_norm_without_mean_term(x, weight, bias, *, training=False, running_mean=None, running_var=None, eps=1e-5):
    y, backward = ops.batch_norm.raw(x, weight, bias, training=training, running_mean=running_mean,
                                     running_var=running_var, eps=eps)

    def wrong(dy):
        dx, dw, db = backward(dy)
        if training:
            m = x.size // x.shape[1]
            inv_std = 1 / np.sqrt(x.var(axis=(0, 2, 3)) + eps)
            dx = dx + (weight * inv_std * db / m).reshape(1, -1, 1, 1)
        return dx, dw, db
    return y, wrong


def conv2d_whose_col2im_assigns(x, w, b=None, **settings):
    y, backward = ops.conv2d.raw(x, w, b, **settings)
    win = Window.of(x.shape, w.shape, **settings)

    def wrong(dy):
        gradients = list(backward(dy))
        if win.groups == 1:
            cols = dy.transpose(0, 2, 3, 1).reshape(-1, win.O) @ w.transpose(0, 2, 3, 1).reshape(win.O, -1)
            cols = cols.reshape(win.N, win.OH, win.OW, win.KH, win.KW, win.C)
            pixels = np.zeros((win.N, win.H, win.W, win.C))
            for kh, kw, (oh, ow), (h, v) in win.taps():
                pixels[:, h, v] = cols[:, oh, ow, kh, kw]
            gradients[0] = pixels.transpose(0, 3, 1, 2)
        return tuple(gradients)
    return y, wrong


def assigned(dxs, arrays, dy, settings):
    """getitem's gradient, where a place that was read twice keeps the last share only."""
    dx = np.zeros(arrays[0].shape)
    dx[settings["index"]] = dy
    return dx


def again(name, dy, arrays, **settings):
    """The right gradients of another call."""
    return registry[name].raw(*arrays, **settings)[1](dy)


def diagonal(dxs, arrays, dy, settings):
    """softmax's gradient without the terms from one element to another."""
    y = ops.softmax.raw(*arrays, **settings)[0]
    return dy * y * (1 - y)


# d the right gradients, a the inputs, dy the upstream, s the settings
SPOILED = {
    "conv2d, db averaged": lambda d, a, dy, s: (*d[:2], *(g / max(len(dy), 1) for g in d[2:])),
    "conv2d, dw of the last picture": lambda d, a, dy, s: (
        d[0], again("conv2d", dy[-1:], (a[0][-1:], *a[1:]), **s)[1], *d[2:]),
    "conv2d, kernel turned": lambda d, a, dy, s: (
        again("conv2d", dy, (a[0], a[1][:, :, ::-1, ::-1], *a[2:]), **s)[0], *d[1:]),
    "batch_norm, ε forgotten": lambda d, a, dy, s: again("batch_norm", dy, a, **{**s, "eps": 0}),
    "layer_norm, γ ignored": lambda d, a, dy, s: (again("layer_norm", dy, [a[0], *map(np.ones_like, a[1:])], **s)[0], *d[1:]),
    "relu, mask of the upstream": lambda d, a, dy, s: dy * (dy > 0),
    "relu, no mask": lambda d, a, dy, s: dy,
    "residual_add, identity dropped": lambda d, a, dy, s: (0 * dy, dy),
    "residual_add, identity twice": lambda d, a, dy, s: (2 * dy, dy),
    "add, broadcast axes averaged": lambda d, a, dy, s: (d[0] * a[0].size / max(dy.size, 1), d[1]),
    "sub, b not negated": lambda d, a, dy, s: (d[0], -d[1]),
    "max_pool2d, spread evenly": lambda d, a, dy, s: again("avg_pool2d", dy, a, **s),
    "mean, not divided": lambda d, a, dy, s: d[0] * a[0].size / dy.size,
    "var, divided by m": lambda d, a, dy, s: again("var", dy, a, **{**s, "correction": 0}),
    "getitem, repeated places assigned": assigned,
    "softmax, diagonal only": diagonal,
    "cross_entropy, not averaged": lambda d, a, dy, s: (d[0] * len(a[0]), None),
    "cross_entropy, smoothing ignored": lambda d, a, dy, s: again("cross_entropy", dy, a, **{**s, "label_smoothing": 0}),
    "dropout, scale missing": lambda d, a, dy, s: d[0] * 0.7,
}


def op_of(label):
    return label.partition(",")[0]


PLANTED = {label: broken(op_of(label), spoil) for label, spoil in SPOILED.items()} | {
    "conv2d, col2im assigns": conv2d_whose_col2im_assigns,
    "batch_norm, mean term missing": batch_norm_without_mean_term,
}


@pytest.mark.parametrize("label", PLANTED)
def test_a_planted_error_is_found(label):
    assert not all(report.passed for report in check_op(op_of(label), PLANTED[label]))


def test_the_report_names_the_argument_the_place_and_both_numbers():
    def product(a, b):
        def backward(dy):
            db = dy * a
            db[1, 2] += 0.25
            return dy * b, db
        return a * b, backward
    report = check(product, np.ones((3, 4)), np.full((3, 4), 2.0))
    assert not report.passed
    assert (report.worst.argument, report.worst.index) == ("b", (1, 2))
    assert report.worst.analytic - report.worst.numeric == pytest.approx(0.25, abs=1e-12)
    line = str(report)
    assert line.startswith("FAILED product")
    assert "db[1, 2]" in line
    assert "\n" not in line


@pytest.mark.parametrize(("backward", "problem"), [
    (lambda x: lambda dy: None, "no gradient for x"),
    (lambda x: lambda dy: dy[:1], r"a gradient of shape (1,) for x of shape (3,)"),
    (lambda x: lambda dy: dy.__imul__(2), "backward changes the gradient that it is given"),
    (lambda x: lambda dy: x.__imul__(0) + 2 * dy, "an input array was changed"),
])
def test_what_is_wrong_besides_the_numbers_is_said(backward, problem):
    report = check(lambda x: (x * 2, backward(x)), np.ones(3), label="double")
    assert not report.passed
    assert problem in str(report)


def test_a_second_call_that_gives_something_else_is_noticed():
    def forgetful(x):
        calls = []
        return 2 * x, lambda dy: calls.append(1) or 2 * dy * len(calls)
    assert "called twice gives two different gradients" in str(check(forgetful, np.ones(3)))


def test_nan_gradients_fail():
    assert not check(lambda x: (x * 2, lambda dy: dy * np.nan), np.ones(3)).passed


def test_known_derivatives_are_met_to_rounding():
    x = np.random.default_rng(0).uniform(0.2, 2, (3, 4))
    for function in (lambda x: (np.sin(x), lambda dy: dy * np.cos(x)),
                     lambda x: (np.exp(x) / x, lambda dy: dy * np.exp(x) * (1 / x - 1 / x**2)),
                     lambda x: (x @ x.T, lambda dy: (dy + dy.T) @ x)):
        report = check(function, x)
        assert report.passed
        assert report.method == "complex step"
        assert report.worst.error < 2e-15


@pytest.mark.parametrize("function", [
    lambda x: (np.abs(x), lambda dy: dy * np.sign(x)),  # |x| of a complex number is no derivative
    lambda x: (np.array([float(v) ** 2 for v in x]), lambda dy: 2 * x * dy),  # floats only
    lambda x: (x.real**2, lambda dy: 2 * x * dy),  # drops the imaginary part
    lambda x: ((x * np.conj(x)).real, lambda dy: 2 * x * dy),
    lambda x: (x * np.conj(x), lambda dy: 2 * x * dy),  # complex, but its imaginary part is 0
])
def test_a_right_function_that_takes_no_complex_numbers_passes_by_differences(function):
    report = check(function, np.array([0.3, -1.2, 2.0]))
    assert report.method == "4-point"
    assert report.passed
    assert 0 < report.worst.error < 1e-10


def test_a_kink_next_to_the_sample_does_not_disturb_the_complex_step():
    x = np.array([1e-9, -1e-9, 1e-300, -3.0])
    assert check(ops.relu, x).passed
    assert check(ops.abs, x).passed


def test_integer_arguments_are_not_differentiated():
    report = check(ops.cross_entropy, np.random.default_rng(0).standard_normal((3, 4)), np.array([0, 3, 1]))
    assert [w.argument for w in report.arguments] == ["logits"]
    assert report.passed


class Scaled(nn.Module):
    """A layer whose weight's gradient is 1 % too large."""

    def __init__(self):
        self.inner = nn.Linear(3, 2, rng=0)

    def forward(self, x):
        y = self.inner(x)
        if y.requires_grad:
            self.inner.weight.register_hook(lambda g: g * 1.01)
        return y


def test_a_module_is_checked_by_the_names_of_its_parameters():
    x = np.random.default_rng(0).standard_normal((4, 3))
    assert check_module(nn.Linear(3, 2, rng=0), x).passed
    report = check_module(Scaled(), x)
    assert not report.passed
    assert report.worst.argument == "inner.weight"
    assert report.worst.error == pytest.approx(0.01, rel=0.1)


class Counting(nn.Module):
    """Multiplies by the number of calls so far."""

    def __init__(self):
        self.register_buffer("calls", np.zeros(1))

    def forward(self, x):
        self.calls += 1
        return x * self.calls


def test_every_measurement_of_a_module_starts_from_the_same_buffers():
    assert check_module(Counting(), np.ones(3)).passed


def test_checking_a_module_leaves_it_as_it_was():
    model = models.resnet8(in_channels=1, rng=0)
    before = {k: v.copy() for k, v in model.state_dict().items()}
    assert check_module(model, np.random.default_rng(0).standard_normal((2, 1, 8, 8))).passed
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        np.testing.assert_array_equal(value, before[name])
    assert all(p.grad is None for p in model.parameters())


def test_the_upstream_is_not_the_input():
    """Drawn from the inputs' seed it would be, and batch norm's gradient would vanish."""
    for case in gradcheck.cases_of("batch_norm"):
        report = check(ops.batch_norm, *case.arrays, **case.static)
        x = next(w for w in report.arguments if w.argument == "x")
        assert abs(x.analytic) + abs(x.numeric) > 1e-3


def test_an_unknown_op_is_an_error():
    with pytest.raises(ValueError, match="there is no op 'conv3d'"):
        check_op("conv3d")


def test_the_readable_convolution_is_what_complex_numbers_use():
    from minires import kernels
    win = kernels.Window.of((1, 1, 3, 3), (1, 1, 2, 2))
    x = np.random.default_rng(0).standard_normal((1, 1, 3, 3)) * (1 + 1j)
    np.testing.assert_array_equal(kernels.conv(x, np.ones((1, 1, 2, 2)), win),
                                  im2col.conv(x, np.ones((1, 1, 2, 2)), win))
