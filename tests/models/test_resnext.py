"""ResNeXts: their counts, the groups of their convolutions, and torchvision's with the same weights."""

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn
from minires.errors import DTypeError, OptionError, ShapeError
from minires.models import Bottleneck
from minires.summary import summary

COUNTS = [  # of torchvision's networks: parameters, buffers, entries of the state_dict, multiply-adds in 10⁹
    ("resnext50_32x4d", 25_028_904, 68_277, 320, 4.23),
    ("resnext101_32x8d", 88_791_336, 202_984, 626, 16.414),
    ("resnext101_64x4d", 83_455_272, 202_984, 626, 15.46),
]


@pytest.mark.parametrize(("name", "parameters", "buffers", "entries", "giga"), COUNTS)
def test_counts_are_those_of_torchvision(name, parameters, buffers, entries, giga):
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, (1, 3, 224, 224))
    assert (table.parameters, table.buffers, len(model.state_dict())) == (parameters, buffers, entries)
    assert round(table.multiply_adds / 1e9, 3) == giga


def test_resnext29_has_the_34_4_million_parameters_of_the_paper():
    """Xie et al. 2017, Table 7; added up here from the definition."""
    count, before = 3 * 9 * 64 + 2 * 64, 64
    for channels in (64, 128, 256):
        width, out = 8 * channels, 4 * channels
        for i in range(3):
            count += before * width + 2 * width + 9 * width * width // 8 + 2 * width + width * out + 2 * out
            count += before * out + 2 * out if i == 0 else 0
            before = out
    count += 1024 * 10 + 10
    with kernels.shapes_only():
        model = models.resnext29_8x64d()
    assert summary(model, (1, 3, 32, 32)).parameters == count == 34_426_698
    layers = [n for n, m in model.named_modules() if isinstance(m, (nn.Conv2d, nn.Linear)) and "downsample" not in n]
    assert len(layers) == 29


@pytest.mark.parametrize(
    ("name", "groups", "widths"),
    [
        ("resnext50_32x4d", 32, [128, 256, 512, 1024]),
        ("resnext101_32x8d", 32, [256, 512, 1024, 2048]),
        ("resnext101_64x4d", 64, [256, 512, 1024, 2048]),
        ("resnext29_8x64d", 8, [512, 1024, 2048]),
        ("resnet50", 1, [64, 128, 256, 512]),
    ],
)
def test_only_the_3_by_3_convolutions_have_groups_and_each_stage_doubles_the_width(name, groups, widths):
    with kernels.shapes_only():
        model = models.create(name)
    blocks = [m for m in model.modules() if isinstance(m, Bottleneck)]
    assert {block.conv2.groups for block in blocks} == {groups}
    assert {block.conv1.groups for block in blocks} == {block.conv3.groups for block in blocks} == {1}
    assert list(dict.fromkeys(block.conv2.out_channels for block in blocks)) == widths


def test_a_group_sees_its_own_channels_only():
    """Figure 3: the grouped convolution is as many branches, added up by the last 1×1."""
    block = Bottleneck(8, 4, groups=4, width_per_group=32, rng=0)
    assert block.conv2.weight.shape == (8, 2, 3, 3)
    x = np.random.default_rng(0).standard_normal((1, 8, 5, 5)).astype(np.float32)
    before = block.conv2(Tensor(x)).data
    x[:, 2:4] += 1
    changed = (block.conv2(Tensor(x)).data != before).any(axis=(0, 2, 3))
    assert changed.tolist() == [False, False, True, True, False, False, False, False]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.CifarResNeXt(30), OptionError, r"9n \+ 2 layers .* got depth 30"),
        (lambda: models.CifarResNeXt("29"), DTypeError, "depth must be an integer, got '29'"),
        (lambda: models.CifarResNeXt(11, groups=0), ShapeError, "Bottleneck: groups must be at least 1, got 0"),
        (lambda: models.CifarResNeXt(11, num_classes=0), ShapeError, "num_classes must be at least 1, got 0"),
        (lambda: Bottleneck(8, 8, width_per_group=2.5), DTypeError, "width_per_group must be an integer, got 2.5"),
        (
            lambda: Bottleneck(8, 8, width_per_group=4),
            ShapeError,
            "width_per_group must be at least 8 .* 8 channels, got 4",
        ),
        (lambda: models.resnext50_32x4d(groups=2), TypeError, "resnext50_32x4d: there is no option 'groups'"),
        (lambda: models.resnet18(groups=2), TypeError, "resnet18: there is no option 'groups'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_zero_init_residual_silences_the_last_norm_of_each_branch():
    model = models.CifarResNeXt(11, groups=2, width_per_group=4, zero_init_residual=True, rng=0)
    zero = {name for name, m in model.named_modules() if isinstance(m, nn.BatchNorm2d) and not m.weight.data.any()}
    assert zero == {f"layer{i}.0.bn3" for i in (1, 2, 3)}


@pytest.mark.parametrize("name", [row[0] for row in COUNTS])
def test_names_and_shapes_are_torchvisions(same_as_torch, torchvision, name):
    import torch

    with torch.device("meta"):  # shapes without numbers
        theirs = getattr(torchvision.models, name)()
    with kernels.shapes_only():
        assert same_as_torch.shapes(models.create(name)) == same_as_torch.shapes(theirs)


@pytest.mark.parametrize("training", [True, False])
def test_a_network_with_groups_is_torchvisions(same_as_torch, torchvision, training):
    options = {"groups": 4, "width_per_group": 2, "num_classes": 3}
    ours = models.ResNet(Bottleneck, (1, 2, 1, 1), **options, rng=0)
    theirs = torchvision.models.ResNet(torchvision.models.resnet.Bottleneck, [1, 2, 1, 1], **options)
    same_as_torch.assert_same(ours, theirs, (2, 3, 33, 40), training=training)


def torch_twin(norm_before=True):
    """CifarResNeXt(11, groups=2, width_per_group=4) with torch.nn alone."""
    import torch
    from torch import nn as torch_nn

    class Block(torch_nn.Module):
        def __init__(self, i, channels, stride):
            super().__init__()
            width, out = 2 * channels * 4 // 64, 4 * channels
            self.conv1 = torch_nn.Conv2d(i, width, 1, bias=False)
            self.bn1 = torch_nn.BatchNorm2d(width)
            self.conv2 = torch_nn.Conv2d(width, width, 3, stride, 1, groups=2, bias=False)
            self.bn2 = torch_nn.BatchNorm2d(width)
            self.conv3 = torch_nn.Conv2d(width, out, 1, bias=False)
            self.bn3 = torch_nn.BatchNorm2d(out)
            self.downsample = torch_nn.Sequential(
                torch_nn.Conv2d(i, out, 1, stride, bias=False), torch_nn.BatchNorm2d(out)
            )

        def forward(self, x):
            f = torch.relu(self.bn1(self.conv1(x)))
            f = self.conv2(f)
            f = torch.relu(self.bn2(f)) if norm_before else self.bn2(torch.relu(f))
            return torch.relu(self.bn3(self.conv3(f)) + self.downsample(x))

    class Net(torch_nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = torch_nn.Conv2d(3, 64, 3, padding=1, bias=False)
            self.bn1 = torch_nn.BatchNorm2d(64)
            self.layer1 = torch_nn.Sequential(Block(64, 64, 1))
            self.layer2 = torch_nn.Sequential(Block(256, 128, 2))
            self.layer3 = torch_nn.Sequential(Block(512, 256, 2))
            self.linear = torch_nn.Linear(1024, 10)

        def forward(self, x):
            x = torch.relu(self.bn1(self.conv1(x)))
            return self.linear(self.layer3(self.layer2(self.layer1(x))).mean((2, 3)))

    return Net()


def test_the_cifar_network_is_its_torch_twin_and_one_with_two_layers_exchanged_is_noticed(same_as_torch):
    ours = models.CifarResNeXt(11, groups=2, width_per_group=4, rng=0)
    assert same_as_torch.shapes(ours) == same_as_torch.shapes(torch_twin())
    same_as_torch.assert_same(ours, torch_twin(), (2, 3, 8, 12))
    with pytest.raises(AssertionError, match="logits"):
        same_as_torch.assert_same(ours, torch_twin(norm_before=False), (2, 3, 8, 12))
