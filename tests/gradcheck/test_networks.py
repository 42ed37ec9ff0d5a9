"""Layers and whole networks, by name of parameter; the Taylor test."""

import numpy as np
import pytest
from backends import needs_gpu

from minires import models, nn
from minires.gradcheck import check_module, taylor_test
from minires.graph import mode


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
        self.inner, self.excess = models.resnet8(in_channels=1, rng=0), excess

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
