"""Right gradients pass and wrong ones fail for inputs of any size, by the complex step and by differences."""

import numpy as np
import pytest

from minires import nn, ops
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
    "x/‖x‖": (
        lambda x, s: x / np.sqrt((x * x).sum()),
        lambda x, dy, s: dy / np.sqrt((x * x).sum()) - x * (dy * x).sum() / ((x * x).sum()) ** 1.5,
    ),
    "sin(x/s)": (lambda x, s: np.sin(x / s), lambda x, dy, s: dy * np.cos(x / s) / s),
    "tanh(x/s)": (lambda x, s: np.tanh(x / s), lambda x, dy, s: dy * (1 - np.tanh(x / s) ** 2) / s),
    "softmax(x/s)": (softmax, softmax_dx),
    "tanh x": (lambda x, s: np.tanh(x), lambda x, dy, s: dy * (1 - np.tanh(x) ** 2)),
    "|x|": (lambda x, s: np.abs(x), lambda x, dy, s: dy * np.sign(x)),
    "relu": (lambda x, s: np.maximum(x, 0), lambda x, dy, s: dy * (x > 0)),
    "standardized": (
        lambda x, s: (x - x.mean()) / np.sqrt(((x - x.mean()) ** 2).mean()),
        lambda x, dy, s: (dy - dy.mean() - (x - x.mean()) * (dy * (x - x.mean())).mean() / x.var()) / np.sqrt(x.var()),
    ),
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
    assert not check(
        lambda a, b: (product(a, b)[0], lambda dy: tuple(1.01 * d for d in product(a, b)[1](dy))),
        X * 1e9,
        X[::-1] * 1e-7,
    ).passed


@pytest.mark.parametrize("x", [1e-280, 1e-300, 5e-324, 1e150, 1e300])
def test_the_ends_of_the_floats_raise_no_false_alarm(x):
    for f, slope in (
        (lambda x: 3 * x, lambda x: 3.0),
        (lambda x: x / 4 + 1, lambda x: 0.25),
        (np.tanh, lambda x: x < 20),
        (lambda x: np.maximum(x, 0), lambda x: 1.0),
    ):
        report = check(lambda x, f=f, slope=slope: (f(x), lambda dy: dy * slope(x)), np.array([x, 2 * x]))
        assert report.passed, report


def test_a_fixed_step_would_miss_all_of_these():
    """sin is resolved at 1e6 too, although a relative step would span many waves."""
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


FILLS = (-1e9, -1e15, float(np.finfo(np.float32).min), -np.inf)
WRONG = (1.01, 2.0, -1.0, 0.0)
ALLOWED = np.array([[True, True, False], [True, False, True]])


@pytest.mark.parametrize("by", ["complex step", "4-point"])
@pytest.mark.parametrize("fill", FILLS)
def test_a_huge_number_that_masks_an_element_excuses_no_error(fill, by):
    x = np.random.default_rng(0).standard_normal((2, 3))

    def masked(x, factor):
        if by == "4-point" and x.dtype.kind == "c":
            raise TypeError("real numbers only")
        return np.where(ALLOWED, x, fill), lambda dy: factor * np.where(ALLOWED, dy, 0)

    right = check(masked, x, factor=1.0)
    assert right.passed, right
    assert not right.notes, right
    for factor in WRONG:
        assert not check(masked, x, factor=factor).passed, factor


@pytest.mark.parametrize("fill", FILLS[:3])
def test_a_huge_number_that_masks_an_element_excuses_no_error_of_a_module(fill):
    class Masked(nn.Module):
        def __init__(self, factor):
            self.inner = nn.Linear(3, 3, rng=0)
            self.factor = factor

        def forward(self, x):
            y = self.inner(x)
            if y.requires_grad:
                self.inner.weight.register_hook(lambda g: g * self.factor)
            return ops.where(ALLOWED, y, fill)

    x = np.random.default_rng(0).standard_normal((2, 3))
    assert check_module(Masked(1.0), x).passed
    for factor in WRONG:
        report = check_module(Masked(factor), x)
        assert "weight" not in [w.argument for w in report.arguments if report.agrees(w)], factor
        assert not report.passed, factor


SMOOTH = {  # with a width of 1, whatever x is
    "logaddexp": (lambda x: np.log(1 + np.exp(x)), lambda x: 1 / (1 + np.exp(-x))),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: 1 / ((1 + np.exp(-x)) * (1 + np.exp(x)))),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "exp": (np.exp, np.exp),
}


@pytest.mark.parametrize("by", ["complex step", "4-point"])
@pytest.mark.parametrize("name", SMOOTH)
def test_a_tiny_input_excuses_no_error(name, by):
    f, slope = SMOOTH[name]

    def function(x, factor):
        if by == "4-point" and x.dtype.kind == "c":
            raise TypeError("real numbers only")
        return f(x), lambda dy: factor * dy * slope(x)

    for size in (1e-6, 1e-8, 1e-10, 1e-12, 1e-14, 1e-16):
        right = check(function, X * size, factor=1.0)
        assert right.passed, f"{size}: {right}"
        assert (right.method, right.kinks, right.notes) == (by, 0, []), right
        for factor in WRONG:
            wrong = check(function, X * size, factor=factor)
            assert not wrong.passed, f"{size}, {factor}: {wrong}"


@pytest.mark.parametrize("by", ["complex step", "4-point"])
@pytest.mark.parametrize("x", [[3e-9], [-7e-13], [2.3]], ids=str)
def test_a_gradient_that_is_nothing_but_rounding_is_right(x, by):
    """x/‖x‖ of one element is 1 or −1."""
    f, dx = FUNCTIONS["x/‖x‖"]
    f = only_real(f) if by == "4-point" else f
    report = check(lambda x: (f(x, 1.0), lambda dy: dx(x, dy, 1.0)), np.array(x))
    assert report.passed, report


@pytest.mark.parametrize("offset", [5.0, 1e5])
@pytest.mark.parametrize("size", [1e-6, 1e-12])
def test_a_step_that_grows_over_a_kink_is_not_believed(offset, size):
    report = check(only_real(lambda x, s: (np.maximum(x, 0) + offset, lambda dy: dy * (x > 0))), X * size, s=0)
    hidden = size == 1e-12 and offset == 1e5  # there u·offset/size is 11: nothing of a slope of 1 is left
    assert report.status == ("UNSURE" if hidden else "ok"), report


def test_what_rounding_hides_is_said():
    def function(x, factor):
        return np.logaddexp(0, x) + 1e9, lambda dy: factor * dy / (1 + np.exp(-x))

    right = check(function, X, factor=1.0)
    assert right.passed, right
    assert "rounding leaves dx unsure by" in str(right)
    for factor in WRONG:
        wrong = check(function, X, factor=factor)
        assert not wrong.passed or "rounding leaves dx unsure by" in str(wrong)
    assert not check(function, X, factor=2.0).passed
