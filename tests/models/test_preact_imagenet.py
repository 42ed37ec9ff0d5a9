"""Pre-activation networks at ImageNet size: their counts, where the shortcut starts, and twins with the same weights."""

import re

import numpy as np
import pytest

from minires import Tensor, kernels, models, ops
from minires.errors import DTypeError, OptionError
from minires.gradcheck import check_module
from minires.models import PreActBasicBlock, PreActBottleneck, WideBlock
from minires.nn import BatchNorm2d, StochasticDepth
from minires.probes import residual_paths
from minires.summary import summary

COUNTS = [  # parameters, entries of the state_dict; timm's resnetv2_50 and resnetv2_101 have 25,549,352 and 44,541,480
    ("preact_resnet18", 11_687_720, 107),
    ("preact_resnet34", 21_795_880, 203),
    ("preact_resnet50", 25_549_352, 300),
    ("preact_resnet101", 44_541_480, 606),
    ("preact_resnet152", 60_185_128, 912),
    ("preact_resnet200", 64_666_152, 1200),
]
BLOCKS = [PreActBasicBlock, PreActBottleneck, WideBlock]


def by_hand(name):
    """What the layers need one by one: k·k·i·o for a convolution, 2·c for a norm."""
    stages = dict(zip((18, 34, 50, 101, 152, 200), ((2, 2, 2, 2), (3, 4, 6, 3), (3, 4, 6, 3), (3, 4, 23, 3), (3, 8, 36, 3), (3, 24, 36, 3))))  # fmt: skip
    depth = int(name.removeprefix("preact_resnet"))
    count, before = 49 * 3 * 64, 64
    for c, blocks in zip((64, 128, 256, 512), stages[depth]):
        out = c if depth < 50 else 4 * c
        for i in range(blocks):
            if depth < 50:
                count += 2 * before + 9 * before * c + 2 * c + 9 * c * c
            else:
                count += 2 * before + before * c + 2 * c + 9 * c * c + 2 * c + c * out
            count += before * out if i == 0 and (c > 64 or before != out) else 0
            before = out
    return count + 2 * before + before * 1000 + 1000


@pytest.mark.parametrize(("name", "parameters", "entries"), COUNTS)
def test_parameters_are_counted_exactly(name, parameters, entries):
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, (1, 3, 224, 224))
    assert (table.parameters, len(model.state_dict())) == (parameters, entries)
    assert parameters == by_hand(name)
    assert table.rows[-1].output_size == (1, 1000)


def test_products_are_those_of_the_resnet():
    with kernels.shapes_only():
        ours, theirs = (summary(models.create(name), (1, 3, 224, 224)) for name in ("preact_resnet50", "resnet50"))
    assert ours.multiply_adds == theirs.multiply_adds


@pytest.mark.parametrize("kind", BLOCKS)
def test_an_identity_takes_x_itself_and_nothing_follows_the_add(kind):
    block = kind(8, 8 // kind.expansion, rng=0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 8, 5, 6)).astype(np.float32))
    y = block(x).data
    np.testing.assert_array_equal(y, x.data + block.branch(x).data)
    assert (y < 0).any()


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_projection_takes_what_the_branch_takes_behind_its_first_relu(kind):
    block = kind(4, 4, 2, rng=0)
    taken = []
    block.downsample.register_forward_hook(lambda module, inputs, y: taken.append(inputs[0]))
    block.conv1.register_forward_hook(lambda module, inputs, y: taken.append(inputs[0]))
    block(Tensor(np.random.default_rng(0).standard_normal((2, 4, 5, 6)).astype(np.float32)))
    assert taken[0] is taken[1]
    assert (taken[0].data >= 0).all()
    assert not any(isinstance(module, BatchNorm2d) for module in block.downsample.modules())


@pytest.mark.parametrize(("channels", "stride", "shortcut"), [(4, 2, "B"), (4, 2, None), (8, 1, "B")])
@pytest.mark.parametrize("kind", BLOCKS)
def test_the_gradients_of_every_block_are_checked(kind, channels, stride, shortcut):
    block = kind(channels, 8 // kind.expansion, stride, shortcut=shortcut, rng=0)
    assert check_module(block, np.random.default_rng(0).standard_normal((2, channels, 4, 5)), seed=3).passed


@pytest.mark.parametrize("make", [lambda: models.PreActResNet(PreActBottleneck, (1, 2, 1, 1), num_classes=3, rng=0), lambda: models.CifarWideResNet(16, 1, num_classes=3, rng=0)])  # fmt: skip
def test_the_gradient_splits_into_shortcut_and_branch(make):
    images = np.random.default_rng(0).standard_normal((2, 3, 33, 40)).astype(np.float32)
    gradients = residual_paths(make().eval(), images, np.array([1, 2]))
    assert all(gradient.rounding < 1e-12 for gradient in gradients)
    assert {gradient.formula for gradient in gradients} == {"(I + J_F)ᵀ·g", "(J_S + J_F)ᵀ·g"}


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_block_that_is_left_out_is_its_shortcut_and_computes_no_branch(kind):
    x = Tensor(np.random.default_rng(0).standard_normal((2, 8, 5, 6)).astype(np.float32), requires_grad=True)
    for block in (kind(8, 8 // kind.expansion, rng=0), kind(8, 8, 2, rng=0)):
        block.drop = StochasticDepth(1.0, "batch", rng=0)
        y = block(x)
        y.sum().backward()
        assert block.conv1.weight.grad is None
        expected = block.downsample(ops.relu(block.bn1(x))) if block.projects else x
        np.testing.assert_array_equal(y.data, expected.data)
        block.drop, block.active = None, False
        np.testing.assert_array_equal(block(x).data, expected.data)


@pytest.mark.parametrize("kind", BLOCKS)
def test_a_plain_block_is_its_branch(kind):
    block = kind(4, 8, 2, shortcut=None, rng=0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 4, 5, 6)).astype(np.float32))
    np.testing.assert_array_equal(block(x).data, block.branch(x).data)


def test_zero_init_residual_silences_the_last_convolution():
    model = models.PreActResNet(PreActBottleneck, (1, 1, 1, 1), zero_init_residual=True, rng=0)
    zero = {name for name, p in model.named_parameters() if name.endswith("weight") and not p.data.any()}
    assert zero == {f"layer{i}.0.conv3.weight" for i in (1, 2, 3, 4)}


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.preact_resnet18(shortcut="A"), OptionError, "shortcut must be 'B' or None here, got 'A'"),
        (lambda: models.preact_resnet50(variant="v1"), TypeError, "preact_resnet50: there is no option 'variant'"),
        (lambda: models.PreActResNet("basic", (1, 1, 1, 1)), DTypeError, "block must be a class"),
    ],
)
def test_an_option_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def torch_twin(bottleneck, activated_shortcut=True):
    """A network of pre-activation blocks, two in the first stage and one in the others, with torch.nn alone."""
    import torch
    from torch import nn as torch_nn

    class Block(torch_nn.Module):
        def __init__(self, i, c, stride):
            super().__init__()
            sizes = [(1, c, 1), (3, c, stride), (1, 4 * c, 1)] if bottleneck else [(3, c, stride), (3, c, 1)]
            width = i
            for n, (kernel, out, s) in enumerate(sizes, 1):
                setattr(self, f"bn{n}", torch_nn.BatchNorm2d(width))
                setattr(self, f"conv{n}", torch_nn.Conv2d(width, out, kernel, s, kernel // 2, bias=False))
                width = out
            self.count = len(sizes)
            self.downsample = torch_nn.Identity()
            if stride > 1 or i != width:
                self.downsample = torch_nn.Sequential(torch_nn.Conv2d(i, width, 1, stride, bias=False))

        def forward(self, x):
            f = a = torch.relu(self.bn1(x))
            for n in range(1, self.count + 1):
                f = torch.relu(getattr(self, f"bn{n}")(f)) if n > 1 else f
                f = getattr(self, f"conv{n}")(f)
            is_identity = isinstance(self.downsample, torch_nn.Identity)
            return f + self.downsample(x if is_identity or not activated_shortcut else a)

    class Net(torch_nn.Module):
        def __init__(self):
            super().__init__()
            e = 4 if bottleneck else 1
            self.conv1 = torch_nn.Conv2d(3, 64, 7, 2, 3, bias=False)
            self.layer1 = torch_nn.Sequential(Block(64, 64, 1), Block(64 * e, 64, 1))
            self.layer2 = torch_nn.Sequential(Block(64 * e, 128, 2))
            self.layer3 = torch_nn.Sequential(Block(128 * e, 256, 2))
            self.layer4 = torch_nn.Sequential(Block(256 * e, 512, 2))
            self.fc = torch_nn.Linear(512 * e, 3)
            self.bn = torch_nn.BatchNorm2d(512 * e)

        def forward(self, x):
            x = torch_nn.functional.max_pool2d(self.conv1(x), 3, 2, 1)
            x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
            return self.fc(torch.relu(self.bn(x)).mean((2, 3)))

    return Net()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kind", [PreActBasicBlock, PreActBottleneck])
def test_logits_gradients_and_statistics_are_torchs(same_as_torch, kind, training):
    ours = models.PreActResNet(kind, (2, 1, 1, 1), num_classes=3, rng=0)
    theirs = torch_twin(kind is PreActBottleneck)
    assert same_as_torch.shapes(ours) == same_as_torch.shapes(theirs)
    same_as_torch.assert_same(ours, theirs, (2, 3, 33, 34), training=training)


def test_a_twin_whose_shortcut_starts_before_the_activation_is_noticed(same_as_torch):
    ours = models.PreActResNet(PreActBasicBlock, (2, 1, 1, 1), num_classes=3, rng=0)
    with pytest.raises(AssertionError, match="logits"):
        same_as_torch.assert_same(ours, torch_twin(False, activated_shortcut=False), (2, 3, 33, 40))


def test_weights_of_timms_resnetv2_fit_under_other_names_and_give_its_logits(same_as_torch):
    timm = pytest.importorskip("timm", reason="timm is not installed; this test compares with it")
    import torch

    theirs = timm.models.resnetv2.ResNetV2(
        (2, 1, 1, 1),
        (256, 512, 1024, 2048),
        num_classes=3,
        conv_layer=timm.layers.create_conv2d,
        norm_layer=timm.layers.BatchNormAct2d,
    )
    state = {}
    for name, value in theirs.state_dict().items():
        name = (
            name.replace("stem.conv.", "conv1.").replace("head.fc.", "fc.").replace("downsample.conv", "downsample.0")
        )
        name = re.sub(r"stages\.(\d)\.blocks", lambda found: f"layer{int(found[1]) + 1}", name)
        name = re.sub(r"norm(\d?)\.", r"bn\1.", name)
        state[name] = value[:, :, 0, 0] if name == "fc.weight" else value  # a 1×1 convolution in timm
    ours = models.PreActResNet(PreActBottleneck, (2, 1, 1, 1), num_classes=3)
    ours.load_state_dict(state)
    x = np.random.default_rng(0).standard_normal((2, 3, 33, 40))
    with torch.no_grad():
        expected = theirs.double().eval()(torch.tensor(x)).numpy()
    found = ours.to(np.float64).eval()(Tensor(x)).detach().numpy()
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()
