"""Right gradients pass and wrong ones fail whatever the inputs' size, by the complex step and by differences."""

import numpy as np
import pytest

from minires import nn
from minires.gradcheck import check, check_module

SCALES = (1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e4, 1e7, 1e12)


def softmax(x, s):
    e = np.exp((x - x.real.max()) / s)
    return e / e.sum()


def softmax_dx(x, dy, s):
    y = softmax(x, s)
    return y * (dy - (dy * y).sum()) / s


# f(x) and its dx, for x of the size s: what people write, with s where the function has a width of its own
FUNCTIONS = {
    "x²": (lambda x, s: x * x, lambda x, dy, s: 2 * x * dy),
    "x³": (lambda x, s: x * x * x, lambda x, dy, s: 3 * x * x * dy),
    "1/x": (lambda x, s: 1 / x, lambda x, dy, s: -dy / x**2),
    "√|x|": (lambda x, s: np.sqrt(x * np.sign(x.real)), lambda x, dy, s: dy * np.sign(x) / (2 * np.sqrt(abs(x)))),
    "log |x|": (lambda x, s: np.log(x * np.sign(x.real)), lambda x, dy, s: dy / x),
    "‖x‖": (lambda x, s: np.linalg.norm(x), lambda x, dy, s: dy * x / np.linalg.norm(x)),
    "x/‖x‖": (lambda x, s: x / np.sqrt((x * x).sum()),
              lambda x, dy, s: dy / np.sqrt((x * x).sum()) - x * (dy * x).sum() / ((x * x).sum()) ** 1.5),
    "sin(x/s)": (lambda x, s: np.sin(x / s), lambda x, dy, s: dy * np.cos(x / s) / s),
    "tanh(x/s)": (lambda x, s: np.tanh(x / s), lambda x, dy, s: dy * (1 - np.tanh(x / s) ** 2) / s),
    "softmax(x/s)": (softmax, softmax_dx),
    "tanh x": (lambda x, s: np.tanh(x), lambda x, dy, s: dy * (1 - np.tanh(x) ** 2)),
    "|x|": (lambda x, s: np.abs(x), lambda x, dy, s: dy * np.sign(x)),
    "relu": (lambda x, s: np.maximum(x, 0), lambda x, dy, s: dy * (x > 0)),
    "standardised": (lambda x, s: (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean()),
                     lambda x, dy, s: ((dy - dy.mean() - (x - x.mean()) * (dy * (x - x.mean())).mean() / x.var())
                                       / np.sqrt(x.var()))),
    "sum": (lambda x, s: x.sum(), lambda x, dy, s: dy * np.ones_like(x)),
}
X = np.array([0.7, -1.3, 2.1, -0.4, 1.6])


def only_real(f):
    """The same function, which refuses complex numbers."""
    def real(x, s):
        if x.dtype.kind == "c":
            raise TypeError("real numbers only")
        return f(x, s)
    return real


@pytest.mark.parametrize("by", ["complex step", "4-point"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_gradients_pass_and_wrong_ones_fail_at_every_scale(name, by):
    f, dx = FUNCTIONS[name]
    f = only_real(f) if by == "4-point" else f
    for s in SCALES:
        right = check(lambda x, s=s: (f(x, s), lambda dy: dx(x, dy, s)), X * s)
        assert right.passed, f"{s:g}: {right}"
        assert right.kinks == 0, f"{s:g}: {right}"
        if by == "4-point":
            assert right.method == by
        if name == "tanh x" and s > 1e2:  # its gradient is 0, and so is any multiple of it
            continue
        for factor in (1 + 1e-5, 2.0, -1.0, 0.0):
            wrong = check(lambda x, s=s, factor=factor: (f(x, s), lambda dy: factor * dx(x, dy, s)), X * s)
            assert not wrong.passed, f"{s:g}, {factor}: {wrong}"


@pytest.mark.parametrize("by", ["complex step", "4-point"])
@pytest.mark.parametrize("name", ["x²", "1/x", "√|x|", "log |x|", "‖x‖", "x/‖x‖", "tanh x", "|x|", "relu", "sum"])
@pytest.mark.parametrize("x", [[1e7, 1.0, -2e-8, 3.0], [1e-8, 1e-7, 0.5], [-1e12, 1e-12, 1.0, 1.0]], ids=str)
def test_sizes_may_be_mixed_in_one_array(name, by, x):
    f, dx = FUNCTIONS[name]
    f = only_real(f) if by == "4-point" else f
    report = check(lambda x: (f(x, 1.0), lambda dy: dx(x, dy, 1.0)), np.array(x))
    assert report.passed, report
    assert not check(lambda x: (f(x, 1.0), lambda dy: 1.001 * dx(x, dy, 1.0)), np.array(x)).passed


def test_arguments_may_be_of_different_sizes():
    def product(a, b):
        return np.abs(a * b) + b, lambda dy: (dy * np.sign(a * b) * b, dy * (np.sign(a * b) * a + 1))
    assert check(product, X * 1e9, X[::-1] * 1e-7).passed
    assert not check(lambda a, b: (product(a, b)[0], lambda dy: tuple(1.01 * d for d in product(a, b)[1](dy))),
                     X * 1e9, X[::-1] * 1e-7).passed


@pytest.mark.parametrize("x", [1e-280, 1e-300, 5e-324, 1e150, 1e300])
def test_the_ends_of_the_floats_raise_no_false_alarm(x):
    for f, slope in ((lambda x: 3 * x, lambda x: 3.0), (lambda x: x / 4 + 1, lambda x: 0.25), (np.tanh, lambda x: x < 20),
                     (lambda x: np.maximum(x, 0), lambda x: 1.0)):
        report = check(lambda x, f=f, slope=slope: (f(x), lambda dy: dy * slope(x)), np.array([x, 2 * x]))
        assert report.passed, report


def test_a_fixed_step_would_miss_all_of_these():
    """sin is resolved at 1e6 too, although a step of that size would jump over many waves."""
    report = check(only_real(lambda x, s: (np.sin(x), lambda dy: dy * np.cos(x))), np.array([1e6, 3.0, 1e-5]), s=0)
    assert report.passed, report


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e7])
def test_modules_take_inputs_of_any_size(scale):
    x = np.random.default_rng(0).standard_normal((4, 3)) * scale
    net = nn.Sequential(nn.Linear(3, 5, rng=0), nn.ReLU(), nn.Linear(5, 2, rng=1))
    report = check_module(net, x)
    assert report.passed, report
    maps = np.random.default_rng(0).standard_normal((3, 2, 4, 5)) * scale
    report = check_module(nn.Sequential(nn.Conv2d(2, 3, 3, bias=False, rng=0), nn.BatchNorm2d(3), nn.ReLU()), maps)
    assert report.passed, report
