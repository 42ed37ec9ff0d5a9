"""Layers and whole networks, for each parameter by name; the Taylor test."""

import numpy as np
import pytest
from backends import needs_gpu

import minires
from minires import models, nn, op, ops
from minires.gradcheck import check_module, taylor_test
from minires.mode import mode


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


@needs_gpu
@pytest.mark.parametrize("right", [True, False])
def test_a_module_is_checked_on_a_gpu(right):
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 3))
    layer = nn.Linear(3, 2, rng=0) if right else Scaled()
    assert check_module(nn.Sequential(nn.BatchNorm2d(4), layer, nn.ReLU()), x, device="cuda").passed is right
    assert taylor_test(layer, x, device="cuda").passed is right


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


def test_everything_at_once_is_one_of_the_entries():
    report = check_module(nn.Linear(3, 2, rng=0), np.random.default_rng(0).standard_normal((4, 3)))
    assert [w.argument for w in report.arguments] == ["input 0", "weight", "bias", "everything"]


def test_a_taylor_test_of_a_right_gradient_has_rate_2():
    x = np.random.default_rng(0).standard_normal((4, 1, 8, 8))
    for model in (models.resnet8(in_channels=1, rng=0), models.resnet20(in_channels=1, rng=1).eval()):
        result = taylor_test(model, x)
        assert result.passed
        assert result.rate == pytest.approx(2, abs=0.05)
        assert str(result).startswith("ok     CifarResNet  Taylor test: the remainder falls as ε^2.0")


class Excessive(nn.Module):
    """A ResNet-8 in which the gradient of one weight is too large by a fraction."""

    def __init__(self, excess):
        self.inner = models.resnet8(in_channels=1, rng=0)
        self.excess = excess

    def forward(self, x):
        if mode.recording:
            self.inner.layer2[0].conv1.weight.register_hook(lambda g: g * (1 + self.excess))
        return self.inner(x)


@pytest.mark.parametrize("excess", [0.01, 1e-4, -1.0])
def test_a_taylor_test_of_a_wrong_gradient_has_rate_1(excess):
    result = taylor_test(Excessive(excess), np.random.default_rng(0).standard_normal((4, 1, 8, 8)))
    assert not result.passed
    assert result.rate == pytest.approx(1, abs=0.1)


def test_what_is_linear_along_the_direction_is_predicted_to_rounding():
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 4))
    assert taylor_test(nn.AdaptiveAvgPool2d(1), x).rate == np.inf


def head_alone():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, rng=0), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3, rng=1))
    net.requires_grad_(False)
    net[4].requires_grad_(True)
    return net


@pytest.mark.parametrize("training", [True, False])
def test_frozen_parameters_are_counted_and_not_checked(training):
    net = head_alone().train(training)
    x = np.random.default_rng(0).standard_normal((3, 1, 4, 4))
    before = {name: value.copy() for name, value in net.state_dict().items()}
    report = check_module(net, x)
    assert report.passed, report
    assert [w.argument for w in report.arguments] == ["input 0", "4.weight", "4.bias", "everything"]
    assert "4 frozen parameters not checked" in str(report)
    assert taylor_test(net, x).passed
    for name, value in net.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_a_wrong_gradient_beside_frozen_parameters_is_found():
    layer = Scaled()
    layer.inner.bias.requires_grad = False
    report = check_module(layer, np.random.default_rng(0).standard_normal((4, 3)))
    assert not report.passed
    assert report.wrong == ["inner.weight", "everything"]
    assert "1 frozen parameter not checked" in str(report)


def test_a_module_in_which_nothing_can_be_differentiated_says_so():
    class Table(nn.Module):
        def __init__(self):
            self.weight = nn.Parameter(np.eye(3))

        def forward(self, rows):
            return self.weight[rows]

    report = check_module(Table().requires_grad_(False), np.array([0, 2]))
    assert report.status == "UNSURE"
    assert "nothing to differentiate; 1 frozen parameter not checked" in str(report)
    assert check_module(Table(), np.array([0, 2, 2])).passed


def test_gradients_that_a_module_came_with_are_not_counted():
    layer = nn.Linear(3, 2, rng=0)
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)
    layer(minires.Tensor(x)).sum().backward()
    kept = layer.weight.grad.copy()
    assert check_module(layer, x).passed
    np.testing.assert_array_equal(layer.weight.grad, kept)


class Scalars(nn.Module):
    """A parameter without axes and one of a single element, used more than once."""

    def __init__(self, excess=0.0):
        self.a = nn.Parameter(np.array(0.7))
        self.b = nn.Parameter(np.array([1.3]))
        self.excess = excess

    def forward(self, x):
        y = (self.a * x * self.b + self.a).sum() * self.a
        if self.excess and y.requires_grad:
            self.a.register_hook(lambda g: g * (1 + self.excess))
        return y


@pytest.mark.parametrize("x", [np.array([1.0, -2.0, 0.5]), np.array(0.4), np.array([0.4]), 0.4], ids=repr)
def test_parameters_and_inputs_of_no_axes_or_one_element_are_checked(x):
    report = check_module(Scalars(), x)
    assert (report.passed, report.method) == (True, "complex step"), report
    assert taylor_test(Scalars(), x).passed
    report = check_module(Scalars(1e-6), x)
    assert not report.passed
    assert report.worst.argument == "a"


# Kinks in modules: held to the gradients nearby, as those of functions are.


def winners(x):
    return x == x.max()


def first(x):
    return np.eye(x.size)[x.argmax()]


def equal(x):
    return winners(x) / winners(x).sum()


class Largest(nn.Module):
    """The largest of w·x, with its gradient divided among equal ones. real: it refuses complex numbers."""

    def __init__(self, part, real=False, n=4):
        self.weight = nn.Parameter(np.ones(n))
        self.real = real

        @op
        def largest(x):
            values = np.asarray(np.array(max(map(float, x))) if real else x[np.argmax(x.real)])
            return values.copy(), lambda dy: dy * part(x.real)

        self.largest = largest

    def forward(self, x):
        return self.largest(self.weight * x)


@pytest.mark.parametrize("real", [False, True], ids=["complex step", "4-point"])
@pytest.mark.parametrize(
    ("part", "passes"),
    [
        (first, True),
        (equal, True),
        (lambda x: first(x)[::-1], True),
        (winners, False),
        (lambda x: 0 * x, False),
        (lambda x: -first(x), False),
        (lambda x: 2 * first(x) / 3, False),
        (lambda x: 1.001 * equal(x), False),
    ],
)
@pytest.mark.usefixtures("own_ops")
def test_a_module_at_a_tie_is_held_to_the_gradients_nearby(part, passes, real):
    report = check_module(Largest(part, real), np.ones(4))
    assert (report.passed, report.method) == (passes, "4-point" if real else "complex step"), report
    assert report.kinks
    if not passes:
        assert set(report.wrong) & {"input 0", "weight"}


@pytest.mark.parametrize("samples", [0, 1, 4])
@pytest.mark.usefixtures("own_ops")
def test_a_direction_alone_shows_a_wrong_gradient_at_a_tie_of_many(samples):
    for part, passes in ((first, True), (equal, True), (winners, False)):
        assert check_module(Largest(part, n=50), np.ones(50), samples=samples).passed is passes


class Pieces(nn.Module):
    """x as relu(x) − relu(−x): at 0 both parts have the gradient 0, but the whole has not."""

    def forward(self, x):
        return ops.relu(x) - ops.relu(-x)


def test_a_module_made_of_right_parts_may_be_wrong_at_a_kink():
    assert check_module(Pieces(), np.array([1.0, -2.0])).passed
    report = check_module(Pieces(), np.array([1.0, 0.0]))
    assert report.wrong == ["input 0", "everything"], report


class Bent(nn.Module):
    """Kinks in the input, and a layer whose weight has a gradient that is wrong by a fraction."""

    def __init__(self, excess=0.0):
        self.inner = nn.Linear(3, 2, rng=0)
        self.excess = excess

    def forward(self, x):
        y = self.inner(ops.relu(x))
        if y.requires_grad:
            self.inner.weight.register_hook(lambda g: g * (1 + self.excess))
        return y


def test_kinks_of_a_module_excuse_no_wrong_gradient_elsewhere():
    x = np.array([[0.0, 1.0, -2.0], [0.0, 0.5, 3.0]])
    report = check_module(Bent(), x)
    assert report.passed, report
    assert report.kinks
    for excess in (1e-10, 1e-3):
        report = check_module(Bent(excess), x)
        assert report.wrong[0] == "inner.weight", report
        assert report.arguments[0].kinks


@pytest.mark.parametrize("after", [nn.ReLU(), nn.MaxPool2d(2), nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))], ids=repr)
def test_images_with_black_borders_raise_no_false_alarm(after):
    module = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False, rng=0), after)
    x = np.zeros((2, 1, 6, 6))
    x[:, :, 2:4, 2:4] = np.random.default_rng(0).standard_normal((2, 1, 2, 2))
    for seed in range(3):
        report = check_module(module, x, seed=seed)
        assert report.passed, report


@pytest.mark.usefixtures("own_ops")
def test_the_place_in_the_report_of_a_module_is_that_of_the_element():
    report = check_module(Largest(winners), np.ones(4))
    kinks = next(w for w in report.arguments if w.argument == "weight").kinks
    assert sorted(k.index for k in kinks) == [(), (0,), (1,), (2,), (3,)]
    wrong = check_module(Scaled(), np.random.default_rng(0).standard_normal((4, 3)))
    assert "dinner.weight" in str(wrong)
    assert len(wrong.worst.index) in (0, 2)
