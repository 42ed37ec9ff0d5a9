"""The standard deviation of layer responses."""

import numpy as np
import pytest

from minires import Tensor, models
from minires.probes import response_stds


@pytest.fixture
def images():
    return np.random.default_rng(0).standard_normal((8, 1, 8, 8)).astype(np.float32)


def test_one_for_each_3x3_layer(images):
    model = models.resnet20(in_channels=1, rng=0)
    assert len(response_stds(model, images)) == 19
    assert next(iter(response_stds(model, images))) == "bn1"


@pytest.mark.parametrize("training", [True, False])
def test_it_is_that_of_the_output_before_the_relu(images, training):
    model = models.resnet8(in_channels=1, rng=0).train(training)
    for module in model.modules():
        if type(module).__name__ == "BatchNorm2d":
            module.weight.data[:] = np.linspace(0.5, 2, len(module.weight.data))
    stds = response_stds(model, images)
    y = model.bn1(model.conv1(Tensor(images))).data.astype(float)
    assert stds["bn1"] == pytest.approx(y.std(), rel=1e-5)
    if training:  # then σ² is the mean of γ², because each channel has the variance 1
        assert stds["layer3.0.bn2"] == pytest.approx(np.sqrt((np.linspace(0.5, 2, 64) ** 2).mean()), rel=1e-3)


def test_norms_in_shortcuts_are_left_out(images):
    projecting = models.resnet8(in_channels=1, shortcut="B", rng=0)
    assert list(response_stds(projecting, images)) == list(response_stds(models.resnet8(in_channels=1, rng=0), images))


def test_hooks_are_gone_and_the_mode_stays(images):
    model = models.resnet8(in_channels=1, rng=0).eval()
    response_stds(model, images)
    assert not any(module._hooks for module in model.modules())
    assert not model.training


def test_a_mean_far_from_zero_does_not_hide_it(images):
    model = models.plain8(in_channels=1, rng=0)
    model.bn1.bias.data[:] = 1e4
    assert response_stds(model, images)["bn1"] == pytest.approx(1, rel=1e-2)
