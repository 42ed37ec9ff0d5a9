"""Wide ResNets: their counts, dropout inside a block, torchvision's with the same weights, and a twin of the authors'."""

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn
from minires.errors import DTypeError, OptionError, ShapeError
from minires.models import Bottleneck, WideBlock
from minires.summary import summary

COUNTS = [  # of torchvision's networks: parameters, buffers, entries of the state_dict, multiply-adds in 10⁹
    ("wide_resnet50_2", 68_883_240, 68_277, 320, 11.398),
    ("wide_resnet101_2", 126_886_696, 137_960, 626, 22.753),
]


@pytest.mark.parametrize(("name", "parameters", "buffers", "entries", "giga"), COUNTS)
def test_counts_are_those_of_torchvision(name, parameters, buffers, entries, giga):
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, (1, 3, 224, 224))
    assert (table.parameters, table.buffers, len(model.state_dict())) == (parameters, buffers, entries)
    assert round(table.multiply_adds / 1e9, 3) == giga


@pytest.mark.parametrize(
    ("name", "depth", "k", "parameters", "giga"),  # 36.5 and 2.7 million, and 5.2 · 10⁹, in Tables 4 and 6 of the paper
    [("wide_resnet28_10", 28, 10, 36_479_194, 5.2), ("wide_resnet16_4", 16, 4, 2_748_890, 0.4)],
)
def test_cifar_networks_have_the_parameters_of_the_paper(name, depth, k, parameters, giga):
    count, before = 3 * 9 * 16, 16
    for channels in (16 * k, 32 * k, 64 * k):
        for i in range((depth - 4) // 6):
            count += 2 * before + 9 * before * channels + 2 * channels + 9 * channels * channels
            count += before * channels if i == 0 else 0
            before = channels
    count += 2 * before + before * 10 + 10
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, (1, 3, 32, 32))
    assert table.parameters == count == parameters
    assert round(table.multiply_adds / 1e9, 1) == giga


def test_the_depth_counts_the_shortcuts_of_the_three_stages():
    """28 = 25 convolutions and 3 projections, as the authors count; the classifier is not among them."""
    with kernels.shapes_only():
        model = models.wide_resnet28_10()
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 28


def test_a_stage_halves_the_map_and_doubles_the_channels():
    with kernels.shapes_only():
        table = summary(models.wide_resnet16_4(), (2, 3, 32, 32), depth=1)
    stages = [row.output_size for row in table.rows if row.name.startswith("layer")]
    assert stages == [(2, 64, 32, 32), (2, 128, 16, 16), (2, 256, 8, 8)]


def test_dropout_is_between_the_convolutions_in_training_only():
    block = WideBlock(4, 4, dropout=0.75, rng=0)
    taken = []
    for layer in (block.dropout, block.conv2):
        layer.register_forward_hook(lambda layer, inputs, y: taken.append(inputs[0].data))
    x = Tensor(np.random.default_rng(0).standard_normal((4, 4, 16, 16)).astype(np.float32))
    block(x)
    activated, dropped = taken
    assert (activated >= 0).all()
    assert set(np.unique(dropped[activated > 0] / activated[activated > 0])) == {0.0, 4.0}
    assert (dropped[activated > 0] == 0).mean() == pytest.approx(0.75, abs=0.05)
    block.eval()(x)
    np.testing.assert_array_equal(taken[3], taken[2])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.CifarWideResNet(20, 2), OptionError, r"6N \+ 4 layers .* got depth 20"),
        (lambda: models.CifarWideResNet("16", 2), DTypeError, "depth must be an integer, got '16'"),
        (lambda: models.CifarWideResNet(10, 0), ShapeError, "widen must be at least 1, got 0"),
        (lambda: models.wide_resnet16_4(dropout=2), OptionError, "Dropout: p must be a number"),
        (lambda: models.wide_resnet16_4(shortcut="A"), OptionError, "shortcut must be 'B' or None here, got 'A'"),
        (lambda: models.wide_resnet16_4(num_classes=0), ShapeError, "num_classes must be at least 1, got 0"),
        (lambda: models.wide_resnet50_2(width_per_group=9), TypeError, "there is no option 'width_per_group'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_plain_twin_has_the_branches_and_no_projections():
    wide = models.CifarWideResNet(10, 2, rng=0).state_dict()
    plain = models.CifarWideResNet(10, 2, shortcut=None, rng=0).state_dict()
    assert [name for name in wide if "downsample" not in name] == list(plain)


@pytest.mark.parametrize("name", [row[0] for row in COUNTS])
def test_names_and_shapes_are_torchvisions(same_as_torch, torchvision, name):
    import torch

    with torch.device("meta"):  # shapes without numbers
        theirs = getattr(torchvision.models, name)()
    with kernels.shapes_only():
        assert same_as_torch.shapes(models.create(name)) == same_as_torch.shapes(theirs)


def test_a_wide_bottleneck_is_torchvisions(same_as_torch, torchvision):
    import torch

    ours = Bottleneck(16, 8, 2, width_per_group=128, rng=0)
    downsample = torch.nn.Sequential(torch.nn.Conv2d(16, 32, 1, 2, bias=False), torch.nn.BatchNorm2d(32))
    theirs = torchvision.models.resnet.Bottleneck(16, 8, 2, downsample, base_width=128)
    assert ours.conv2.out_channels == 16
    same_as_torch.assert_same(ours, theirs, (2, 16, 5, 7))


def torch_twin(activated_shortcut=True):
    """CifarWideResNet(16, 2) with torch.nn alone, as the authors' code computes it."""
    import torch
    from torch import nn as torch_nn

    class Block(torch_nn.Module):
        def __init__(self, i, o, stride):
            super().__init__()
            self.bn1 = torch_nn.BatchNorm2d(i)
            self.conv1 = torch_nn.Conv2d(i, o, 3, stride, 1, bias=False)
            self.bn2 = torch_nn.BatchNorm2d(o)
            self.conv2 = torch_nn.Conv2d(o, o, 3, 1, 1, bias=False)
            self.downsample = torch_nn.Sequential(torch_nn.Conv2d(i, o, 1, stride, bias=False)) if i != o else None

        def forward(self, x):
            a = torch.relu(self.bn1(x))
            f = self.conv2(torch.relu(self.bn2(self.conv1(a))))
            if self.downsample is None:
                return x + f
            return self.downsample(a if activated_shortcut else x) + f

    def stage(i, o, stride):
        return torch_nn.Sequential(Block(i, o, stride), Block(o, o, 1))

    class Net(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch_nn.Conv2d(3, 16, 3, padding=1, bias=False)
            self.layer1 = stage(16, 32, 1)
            self.layer2 = stage(32, 64, 2)
            self.layer3 = stage(64, 128, 2)
            self.bn = torch_nn.BatchNorm2d(128)
            self.linear = torch_nn.Linear(128, 10)

        def forward(self, x):
            x = self.layer3(self.layer2(self.layer1(self.conv1(x))))
            return self.linear(torch.relu(self.bn(x)).mean((2, 3)))

    return Net()


@pytest.mark.parametrize("training", [True, False])
def test_the_cifar_network_is_the_authors(same_as_torch, training):
    ours = models.CifarWideResNet(16, 2, rng=0)
    assert same_as_torch.shapes(ours) == same_as_torch.shapes(torch_twin())
    same_as_torch.assert_same(ours, torch_twin(), (2, 3, 8, 12), training=training)


def test_a_twin_whose_shortcut_starts_before_the_activation_is_noticed(same_as_torch):
    with pytest.raises(AssertionError, match="logits"):
        same_as_torch.assert_same(models.CifarWideResNet(16, 2), torch_twin(activated_shortcut=False), (2, 3, 8, 12))
