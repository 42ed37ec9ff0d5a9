"""SE-ResNets: their counts, what the excitation does, timm's with the same weights, and a twin of a block."""

import numpy as np
import pytest

from minires import Tensor, kernels, models
from minires.errors import DTypeError, OptionError, ShapeError
from minires.gradcheck import check_module
from minires.models import SEBasicBlock, SEBottleneck
from minires.models.squeeze_excitation import SqueezeExcitation
from minires.summary import summary

COUNTS = [  # of timm's networks: parameters, entries of the state_dict
    ("se_resnet18", 11_779_624, 154),
    ("se_resnet34", 21_960_416, 282),
    ("se_resnet50", 28_088_024, 384),
    ("se_resnet101", 49_326_872, 758),
    ("se_resnet152", 66_821_848, 1132),
]


@pytest.mark.parametrize(("name", "parameters", "entries"), COUNTS)
def test_counts_are_those_of_timm(name, parameters, entries):
    with kernels.shapes_only():
        model = models.create(name)
        resnet = models.create(name.removeprefix("se_"))
    assert (summary(model, (1, 3, 224, 224)).parameters, len(model.state_dict())) == (parameters, entries)
    assert [key for key in model.state_dict() if ".se." not in key] == list(resnet.state_dict())


@pytest.mark.parametrize("depth", [20, 32, 44, 56, 110])
def test_cifar_networks_add_two_small_layers_to_each_block(depth):
    n = (depth - 2) // 6
    added = n * sum(c * (c // 16) + c // 16 + (c // 16) * c + c for c in (16, 32, 64))
    with kernels.shapes_only():
        ours = summary(models.create(f"se_resnet{depth}"), (1, 3, 32, 32)).parameters
        plain = summary(models.create(f"resnet{depth}"), (1, 3, 32, 32)).parameters
    assert ours == plain + added
    assert {20: 272_095, 110: 1_742_200}.get(depth, ours) == ours


def test_se_resnet50_costs_a_tenth_more_parameters_and_a_thousandth_more_products():
    """Hu et al. 2018, §4: 2.5 million parameters, and 3.87 in place of 3.86 · 10⁹ products."""
    with kernels.shapes_only():
        ours = summary(models.se_resnet50(), (1, 3, 224, 224))
        plain = summary(models.resnet50(), (1, 3, 224, 224))
    assert round((ours.parameters - plain.parameters) / 1e6, 1) == 2.5
    assert 0 < ours.multiply_adds / plain.multiply_adds - 1 < 0.001


def test_timms_names_make_the_same_networks():
    with kernels.shapes_only():
        assert repr(models.create("seresnet50")) == repr(models.se_resnet50())


def test_each_channel_is_weighed_by_a_factor_between_0_and_1_that_depends_on_all_means():
    layer = SqueezeExcitation(6, 3, rng=0)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 6, 4, 5)).astype(np.float32)
    factors = layer(Tensor(x)).data / x
    assert np.ptp(factors, axis=(2, 3)).max() < 1e-5
    assert ((factors > 0) & (factors < 1)).all()
    shuffled = rng.permuted(x.reshape(2, 6, 20), axis=2).reshape(x.shape)
    np.testing.assert_allclose(layer(Tensor(shuffled)).data / shuffled, factors, rtol=1e-4)  # means stay
    mean = x.mean(axis=(2, 3))
    hidden = np.maximum(mean @ layer.fc1.weight.data[:, :, 0, 0].T + layer.fc1.bias.data, 0)
    z = hidden @ layer.fc2.weight.data[:, :, 0, 0].T + layer.fc2.bias.data
    np.testing.assert_allclose(factors[:, :, 0, 0], 1 / (1 + np.exp(-z)), rtol=1e-4)


@pytest.mark.parametrize("kind", [SEBasicBlock, SEBottleneck])
def test_the_gradients_of_a_block_are_checked(kind):
    block = kind(3, 2, 2, rng=0)
    assert check_module(block, np.random.default_rng(0).standard_normal((2, 3, 4, 5)), seed=2).passed


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.se_resnet18(reduction=0), ShapeError, "reduction must be at least 1, got 0"),
        (lambda: models.se_resnet50(reduction=1.5), DTypeError, "reduction must be an integer, got 1.5"),
        (lambda: models.se_resnet50(variant="v2"), OptionError, "variant must be 'v1' or 'v1.5', got 'v2'"),
        (lambda: models.se_resnet18(variant="v1"), TypeError, "se_resnet18: there is no option 'variant'"),
        (lambda: models.se_resnet20(order="relu_first"), TypeError, "se_resnet20: there is no option 'order'"),
        (lambda: models.resnet50(reduction=4), TypeError, "resnet50: there is no option 'reduction'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("name", ["se_resnet50", "se_resnet20"])
def test_options_of_the_plain_network_work_too(name):
    with kernels.shapes_only():
        model = models.create(name, zero_init_residual=True, stochastic_depth=0.5, num_classes=3, in_channels=1)
    assert model.layer1[0].drop is not None
    assert summary(model, (2, 1, 33, 40)).rows[-1].output_size == (2, 3)


def test_reduction_says_how_narrow_the_middle_is():
    with kernels.shapes_only():
        assert models.se_resnet50(reduction=8).layer4[0].se.fc1.out_channels == 256
        assert models.se_resnet18().layer1[0].se.fc1.out_channels == 8  # not 4, as in timm
        assert models.se_resnet20().layer1[0].se.fc1.out_channels == 1


@pytest.fixture
def timm():
    return pytest.importorskip("timm", reason="timm is not installed; this test compares with it")


@pytest.mark.parametrize("name", [row[0] for row in COUNTS])
def test_names_and_shapes_are_timms(same_as_torch, timm, name):
    import torch

    with torch.device("meta"):  # shapes without numbers
        theirs = timm.create_model(name.replace("_", ""))
    with kernels.shapes_only():
        assert dict(same_as_torch.shapes(models.create(name))) == dict(same_as_torch.shapes(theirs))


@pytest.mark.parametrize("training", [True, False])
def test_a_network_is_timms(same_as_torch, timm, training):
    ours = models.ResNet(SEBottleneck, (1, 1, 1, 1), num_classes=3, rng=0)
    block = timm.models.resnet.Bottleneck
    theirs = timm.models.resnet.ResNet(block, (1, 1, 1, 1), num_classes=3, block_args={"attn_layer": "se"})
    same_as_torch.assert_same(ours, theirs, (2, 3, 33, 40), training=training)


def torch_twin(sigmoid_last=True):
    """SEBasicBlock(4, 32, 2) with torch.nn alone."""
    import torch
    from torch import nn as torch_nn

    class SE(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = torch_nn.Conv2d(32, 8, 1)
            self.fc2 = torch_nn.Conv2d(8, 32, 1)

        def forward(self, x):
            s = self.fc1(x.mean((2, 3), keepdim=True))
            s = torch.sigmoid(self.fc2(torch.relu(s))) if sigmoid_last else torch.relu(self.fc2(torch.sigmoid(s)))
            return x * s

    class Block(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch_nn.Conv2d(4, 32, 3, 2, 1, bias=False)
            self.bn1 = torch_nn.BatchNorm2d(32)
            self.conv2 = torch_nn.Conv2d(32, 32, 3, 1, 1, bias=False)
            self.bn2 = torch_nn.BatchNorm2d(32)
            self.downsample = torch_nn.Sequential(torch_nn.Conv2d(4, 32, 1, 2, bias=False), torch_nn.BatchNorm2d(32))
            self.se = SE()

        def forward(self, x):
            f = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(self.se(f) + self.downsample(x))

    return Block()


@pytest.mark.parametrize("training", [True, False])
def test_a_block_is_its_torch_twin(same_as_torch, training):
    ours = SEBasicBlock(4, 32, 2, rng=0)
    assert same_as_torch.shapes(ours) == same_as_torch.shapes(torch_twin())
    same_as_torch.assert_same(ours, torch_twin(), (2, 4, 6, 5), training=training)


def test_a_twin_with_two_layers_exchanged_is_noticed(same_as_torch):
    with pytest.raises(AssertionError, match="logits"):
        same_as_torch.assert_same(SEBasicBlock(4, 32, 2, rng=0), torch_twin(sigmoid_last=False), (2, 4, 6, 5))
