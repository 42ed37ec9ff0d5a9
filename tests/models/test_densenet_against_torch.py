"""DenseNets against a layer written with torch.nn, and against torchvision's own, with the same weights."""

import pytest

from minires import models
from minires.kernels import shapes_only
from minires.models.densenet import DenseLayer

torch = pytest.importorskip("torch", reason="PyTorch is not installed; it is what these tests compare with")
from same_as_torch import assert_same, shapes  # noqa: E402 - it imports torch, so it comes after the check


class TorchLayer(torch.nn.Module):
    """[x, conv2(relu(norm2(conv1(relu(norm1(x))))))]; swapped: norm and ReLU come after each convolution."""

    def __init__(self, channels, k, swapped=False):
        super().__init__()
        self.norm1 = torch.nn.BatchNorm2d(channels)
        self.conv1 = torch.nn.Conv2d(channels, 4 * k, 1, bias=False)
        self.norm2 = torch.nn.BatchNorm2d(4 * k)
        self.conv2 = torch.nn.Conv2d(4 * k, k, 3, padding=1, bias=False)
        self.swapped = swapped

    def forward(self, x):
        f = self.conv1(torch.relu(self.norm1(x)))
        f = torch.relu(self.conv2(self.norm2(f))) if self.swapped else self.conv2(torch.relu(self.norm2(f)))
        return torch.cat([x, f], 1)


@pytest.mark.parametrize("training", [True, False])
def test_a_layer_is_its_torch_twin(training):
    assert_same(DenseLayer(6, 4, rng=0), TorchLayer(6, 4), (2, 6, 5, 4), training=training)


def test_a_twin_with_two_parts_exchanged_is_noticed():
    with pytest.raises(AssertionError, match="logits"):
        assert_same(DenseLayer(6, 4, rng=0), TorchLayer(6, 4, swapped=True), (2, 6, 5, 4))


@pytest.mark.parametrize("name", ["densenet121", "densenet161", "densenet169", "densenet201"])
def test_names_and_shapes_are_torchvisions(torchvision, name):
    with torch.device("meta"):  # shapes without numbers
        theirs = getattr(torchvision.models, name)()
    with shapes_only():
        ours = models.create(name)
    assert shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("training", [True, False])
def test_logits_and_gradients_are_torchvisions(torchvision, training):
    ours = models.DenseNet(4, (2, 3, 2), num_classes=5, rng=0)
    theirs = torchvision.models.DenseNet(4, (2, 3, 2), 8, num_classes=5)
    assert_same(ours, theirs, (2, 3, 36, 44), training=training)


def test_a_cifar_network_is_torchvisions_behind_another_stem(torchvision):
    ours = models.CifarDenseNet(16, growth_rate=4, num_classes=5, rng=0)
    theirs = torchvision.models.DenseNet(4, (2, 2, 2), 8, num_classes=5)
    theirs.features.conv0 = torch.nn.Conv2d(3, 8, 3, padding=1, bias=False)
    for name in ("norm0", "relu0", "pool0"):
        delattr(theirs.features, name)
    assert shapes(ours) == shapes(theirs)
    assert_same(ours, theirs, (2, 3, 8, 12))


def test_a_network_with_two_layers_exchanged_is_noticed(torchvision):
    ours = models.DenseNet(4, (2, 1), num_classes=5, rng=0)
    theirs = torchvision.models.DenseNet(4, (2, 1), 8, num_classes=5)
    parts = dict(theirs.features.transition1.named_children())
    theirs.features.transition1 = torch.nn.Sequential()
    for name in ("relu", "norm", "conv", "pool"):  # norm comes first
        theirs.features.transition1.add_module(name, parts[name])
    with pytest.raises(AssertionError, match="logits"):
        assert_same(ours, theirs, (2, 3, 36, 44))
