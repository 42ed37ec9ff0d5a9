"""MobileNetV2 and EfficientNet against blocks written with torch.nn, and against torchvision's own, with one set of weights."""

from functools import partial

import pytest

from minires import models
from minires.kernels import shapes_only
from minires.models.efficientnet import MBConv
from minires.models.mobilenet import InvertedResidual

torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what these tests compare with")
from same_as_torch import assert_same, shapes  # noqa: E402 - it imports torch, so it comes after the check
from torch import nn  # noqa: E402


def layer(i, o, k=1, stride=1, groups=1, activation=None, eps=1e-5):
    parts = [nn.Conv2d(i, o, k, stride, k // 2, groups=groups, bias=False), nn.BatchNorm2d(o, eps)]
    return nn.Sequential(*parts, *([activation()] if activation else []))


class TorchInvertedResidual(nn.Module):
    def __init__(self, i, o, stride, t, activation=nn.ReLU6):
        super().__init__()
        expand = [layer(i, t * i, activation=activation)] if t > 1 else []
        depthwise = layer(t * i, t * i, 3, stride, t * i, activation)
        self.conv = nn.Sequential(*expand, depthwise, nn.Conv2d(t * i, o, 1, bias=False), nn.BatchNorm2d(o))
        self.same = stride == 1 and i == o

    def forward(self, x):
        return x + self.conv(x) if self.same else self.conv(x)


class TorchCifarMobileNet(nn.Module):
    """CifarMobileNetV2(12, width=4, expand_ratio=2): one block a stage. late: the stride comes one stage too late."""

    def __init__(self, late=False):
        super().__init__()
        first, second = (1, 2) if late else (2, 2)
        blocks = [(4, 4, 1), (4, 8, first), (8, 16, second)]
        self.features = nn.Sequential(
            layer(3, 4, 3, activation=nn.ReLU6),
            *(TorchInvertedResidual(i, o, stride, 2) for i, o, stride in blocks),
            layer(16, 64, activation=nn.ReLU6),
        )
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        return self.linear(self.features(x).mean((2, 3)))


class TorchSE(nn.Module):
    def __init__(self, channels, squeezed):
        super().__init__()
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def forward(self, x):
        s = nn.functional.silu(self.fc1(x.mean((2, 3), keepdim=True)))
        return x * torch.sigmoid(self.fc2(s))


class TorchMBConv(nn.Module):
    """exchanged: squeeze and excitation come before the depthwise convolution."""

    def __init__(self, i, o, k, stride, t, eps, exchanged=False):
        super().__init__()
        expand = [layer(i, t * i, activation=nn.SiLU, eps=eps)] if t > 1 else []
        middle = [layer(t * i, t * i, k, stride, t * i, nn.SiLU, eps), TorchSE(t * i, max(1, i // 4))]
        self.block = nn.Sequential(*expand, *middle, layer(t * i, o, eps=eps))
        self.same = stride == 1 and i == o
        self.exchanged = exchanged

    def forward(self, x):
        expand, depthwise, se, project = self.block if len(self.block) == 4 else (nn.Identity(), *self.block)
        f = depthwise(se(expand(x))) if self.exchanged else se(depthwise(expand(x)))
        return x + project(f) if self.same else project(f)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("i", "o", "stride", "t"), [(4, 4, 1, 3), (4, 6, 1, 2), (4, 4, 2, 2), (4, 4, 1, 1)])
def test_an_inverted_residual_is_its_torch_twin(i, o, stride, t, training):
    ours = InvertedResidual(i, o, stride, expand_ratio=t, rng=0)
    assert_same(ours, TorchInvertedResidual(i, o, stride, t), (3, i, 5, 8), training=training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("i", "o", "k", "stride", "t"),
    [(8, 8, 3, 1, 2), (8, 16, 5, 2, 3), (8, 8, 5, 2, 1), (8, 8, 5, 1, 1), (8, 8, 7, 1, 2)],
)
def test_an_mbconv_is_its_torch_twin(i, o, k, stride, t, training):
    ours = MBConv(i, o, k, stride, expand_ratio=t, eps=1e-3, rng=0)
    assert_same(ours, TorchMBConv(i, o, k, stride, t, 1e-3), (3, i, 6, 9), training=training)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: InvertedResidual(8, 8, expand_ratio=2, rng=0), lambda: TorchInvertedResidual(8, 8, 1, 2, nn.ReLU)),
        (lambda: MBConv(8, 8, expand_ratio=2, rng=0), lambda: TorchMBConv(8, 8, 3, 1, 2, 1e-5, exchanged=True)),
        (lambda: MBConv(8, 8, expand_ratio=2, rng=0), lambda: TorchMBConv(8, 8, 3, 1, 2, 1e-3)),
    ],
    ids=["another activation", "two parts exchanged", "another eps"],
)
def test_a_twin_with_a_mistake_is_noticed(ours, theirs):
    with pytest.raises(AssertionError, match="logits"):
        assert_same(ours(), theirs(), (32, 8, 6, 9))  # so many values that some are above 6


@pytest.mark.parametrize("name", ["mobilenet_v2", *(f"efficientnet_b{n}" for n in range(8))])
def test_names_shapes_and_settings_are_torchvisions(torchvision, name):
    with shapes_only():
        ours = models.create(name)
    with torch.device("meta"):  # shapes without numbers
        theirs = getattr(torchvision.models, name)()
    assert shapes(ours) == shapes(theirs)
    norms = [(n, m.eps, m.momentum) for n, m in theirs.named_modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms == [(n, m.eps, m.momentum) for n, m in ours.named_modules() if hasattr(m, "running_mean")]
    left_out = [m.p for m in theirs.modules() if type(m).__name__ == "StochasticDepth"]
    assert left_out == pytest.approx([m.p for m in ours.modules() if type(m).__name__ == "StochasticDepth"])
    assert [m.p for m in theirs.classifier.modules() if isinstance(m, nn.Dropout)] == [ours.classifier[0].p]
    convolutions = [(m.stride, m.padding, m.groups) for m in theirs.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions == [(m.stride, m.padding, m.groups) for m in ours.modules() if hasattr(m, "groups")]


@pytest.mark.parametrize("training", [True, False])
def test_logits_and_gradients_of_mobilenet_are_torchvisions(torchvision, training):
    ours = models.mobilenet_v2(width_mult=0.1, dropout=0.0, num_classes=5, rng=0)
    theirs = torchvision.models.mobilenet_v2(width_mult=0.1, dropout=0.0, num_classes=5)
    assert_same(ours, theirs, (3, 3, 36, 40), training=training)


@pytest.mark.parametrize("training", [True, False])
def test_logits_and_gradients_of_efficientnet_are_torchvisions(torchvision, training):
    settings, _ = torchvision.models.efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.2, depth_mult=0.4)
    norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
    theirs = torchvision.models.EfficientNet(settings, 0.0, 0.0, num_classes=5, norm_layer=norm)
    ours = models.EfficientNet(
        0.4, 0.2, num_classes=5, dropout=0.0, stochastic_depth_prob=0.0, norm_eps=1e-3, norm_momentum=0.01, rng=0
    )
    assert_same(ours, theirs, (3, 3, 36, 40), training=training)


@pytest.mark.parametrize("training", [True, False])
def test_the_cifar_mobilenet_is_its_torch_twin(training):
    ours = models.CifarMobileNetV2(12, width=4, expand_ratio=2, rng=0)
    assert_same(ours, TorchCifarMobileNet(), (2, 3, 9, 12), training=training)


def test_a_twin_with_another_stride_is_noticed():
    ours = models.CifarMobileNetV2(12, width=4, expand_ratio=2, rng=0)
    with pytest.raises(AssertionError, match="logits"):
        assert_same(ours, TorchCifarMobileNet(late=True), (2, 3, 9, 12))
