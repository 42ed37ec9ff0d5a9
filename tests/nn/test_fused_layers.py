"""Fused layers ask what they merge: whatever changes what a call does is called."""

import numpy as np
import pytest

from minires import Tensor, models, nn, ops
from minires.models import Projection


def scaled(conv, x):
    return ops.conv2d(x, conv.weight * 0.5, stride=conv.stride, padding=conv.padding)


class OwnForward(nn.Conv2d):
    def forward(self, x):
        return scaled(self, x)


class OwnCall(nn.Conv2d):
    def __call__(self, x):
        return scaled(self, x)


class OwnNorm(nn.BatchNorm2d):
    def forward(self, x):
        return super().forward(x) * 0.5


class OwnNormCall(nn.BatchNorm2d):
    def __call__(self, x):
        return super().__call__(x) * 0.5


class Renamed(nn.Conv2d):
    """A subclass that changes nothing."""


def patched(conv):
    conv.forward = lambda x: scaled(conv, x)
    return conv


def patched_norm(norm):
    norm.forward = lambda x: nn.BatchNorm2d.forward(norm, x) * 0.5
    return norm


def hooked(register, hook):
    def change(module):
        getattr(module, register)(hook)
        return module
    return change


HALVES = [hooked("register_forward_hook", lambda m, inputs, y: y * 0.5),
          hooked("register_forward_pre_hook", lambda m, inputs: inputs[0] * 0.5)]
CONVS = [lambda **o: OwnForward(8, 32, 1, bias=False, **o), lambda **o: OwnCall(8, 32, 1, bias=False, **o),
         lambda **o: patched(nn.Conv2d(8, 32, 1, bias=False, **o)),
         *[lambda half=half, **o: half(nn.Conv2d(8, 32, 1, bias=False, **o)) for half in HALVES]]
NORMS = [lambda: OwnNorm(32), lambda: OwnNormCall(32), lambda: patched_norm(nn.BatchNorm2d(32)),
         lambda: HALVES[0](nn.BatchNorm2d(32))]
X = np.random.default_rng(0).standard_normal((4, 8, 20, 20), dtype=np.float32)


def prepared(norm):
    rng = np.random.default_rng(1)
    norm.running_mean[...], norm.running_var[...] = rng.standard_normal(32), rng.uniform(0.5, 2, 32)
    return norm


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("conv", CONVS, ids=["forward", "call", "patched", "hook", "pre-hook"])
@pytest.mark.parametrize("way", ["conv_norm", "Projection"])
def test_a_convolution_that_is_not_plain_is_called(conv, training, way):
    conv, norm = conv(rng=0).train(training), prepared(nn.BatchNorm2d(32)).train(training)
    plain = nn.Conv2d(8, 32, 1, bias=False, rng=0)
    plain.weight.data *= 0.5
    other = prepared(nn.BatchNorm2d(32)).train(training)
    found = nn.conv_norm(conv, norm, Tensor(X)) if way == "conv_norm" else Projection(conv, norm)(Tensor(X))
    np.testing.assert_allclose(found.data, other(plain(Tensor(X))).data, rtol=0, atol=2e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS, ids=["forward", "call", "patched", "hook"])
@pytest.mark.parametrize("way", ["conv_norm", "norm_relu"])
def test_a_norm_that_is_not_plain_is_called(norm, training, way):
    norm, other = prepared(norm()).train(training), prepared(nn.BatchNorm2d(32)).train(training)
    conv, x = nn.Conv2d(8, 32, 1, bias=False, rng=0).train(training), Tensor(X)
    found = nn.conv_norm(conv, norm, x, relu=True) if way == "conv_norm" else nn.norm_relu(norm, conv(x))
    expected = np.maximum(other(conv(x)).data, 0) * 0.5
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["forward", "__call__"])
def test_a_class_that_was_patched_is_called(name, monkeypatch):
    conv, norm, calls = nn.Conv2d(8, 32, 1, bias=False).eval(), nn.BatchNorm2d(32).eval(), []
    before = getattr(nn.Conv2d, name)
    monkeypatch.setattr(nn.Conv2d, name, lambda self, x: (calls.append(1), before(self, x))[1])
    nn.conv_norm(conv, norm, Tensor(X))
    assert calls == [1]


def test_a_full_backward_hook_is_called_behind_a_fused_pair():
    conv, norm, seen = nn.Conv2d(8, 32, 1, bias=False), nn.BatchNorm2d(32), []
    conv.register_full_backward_hook(lambda m, dx, dy: seen.append(dy[0].shape))
    nn.conv_norm(conv, norm, Tensor(X)).sum().backward()
    assert seen == [(4, 32, 20, 20)]


def test_a_subclass_that_changes_nothing_is_still_fused():
    x = Tensor(X, requires_grad=True)
    assert nn.conv_norm(Renamed(8, 32, 1, bias=False).eval(), nn.BatchNorm2d(32).eval(), x).node.name == "conv_norm"


def test_a_norm_without_running_statistics_or_weights_is_itself_when_fused():
    for options in ({"affine": False}, {"track_running_stats": False}, {"momentum": None}):
        for training in (True, False):
            both = []
            for fuse in (True, False):
                conv, norm = nn.Conv2d(8, 32, 1, bias=False, rng=0), nn.BatchNorm2d(32, **options)
                conv.train(training), norm.train(training)
                y = nn.conv_norm(conv, norm, Tensor(X), relu=True) if fuse else ops.relu(norm(conv(Tensor(X))))
                both.append([y.data, *norm.state_dict().values()])
            for a, b in zip(*both, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("place", ["conv1", "layer2.0.conv1", "layer2.0.downsample.0", "layer1.0.conv2"])
def test_train_and_eval_are_one_network_with_a_layer_of_ones_own(place):
    """A network with a subclassed layer, and one whose weights are what the subclass makes of them."""
    ours, other = (models.resnet8(shortcut="B", rng=0) for _ in range(2))
    layer = ours.get_submodule(place)
    own = OwnForward(layer.in_channels, layer.out_channels, layer.kernel_size, layer.stride, layer.padding, bias=False)
    own.weight.data[...] = layer.weight.data
    parent, _, name = place.rpartition(".")
    setattr(ours.get_submodule(parent), name, own)
    other.get_parameter(place + ".weight").data *= 0.5
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32))
    for mode in ("eval", "train", "eval"):
        np.testing.assert_allclose(getattr(ours, mode)()(x).data, getattr(other, mode)()(x).data, rtol=0, atol=1e-4)


def test_a_projection_that_was_changed_does_what_its_layers_say():
    block = models.BasicBlock(4, 8, 2, rng=0).eval()
    x = Tensor(np.random.default_rng(0).standard_normal((1, 4, 6, 6)).astype(np.float32))
    before = block.downsample(x).data
    block.downsample.append(nn.ReLU())
    np.testing.assert_allclose(block.downsample(x).data, np.maximum(before, 0), rtol=0, atol=1e-6)
    del block.downsample[1:]
    np.testing.assert_array_equal(block.downsample(x).data, block.downsample[0](x).data)


def test_a_setting_that_is_changed_counts_in_both_forms():
    conv, norm = nn.Conv2d(8, 32, 3, padding=1, bias=False).eval(), nn.BatchNorm2d(32).eval()
    conv.stride, norm.eps = 2, 0.5
    fused = nn.conv_norm(conv, norm, Tensor(X)).data
    assert fused.shape == (4, 32, 10, 10)
    np.testing.assert_allclose(fused, norm(conv(Tensor(X))).data, atol=1e-5)
    np.testing.assert_allclose(fused, conv(Tensor(X)).data / np.sqrt(1.5), atol=1e-5)
