"""Layers with hooks, subclasses and layers that were changed are called, not computed together."""

import numpy as np
import pytest
from conv_norm import X, layers

from minires import Tensor, models, nn, ops


def test_layers_with_hooks_are_called():
    for listened in (0, 1):
        pair = [layer.eval() for layer in layers()]
        seen = []
        pair[listened].register_forward_hook(lambda module, inputs, y, seen=seen: seen.append(y))
        nn.chain(Tensor(X), *pair, ops.relu)
        assert len(seen) == 1


def test_other_layers_are_called_too():
    conv, norm = (layer.eval() for layer in layers())
    np.testing.assert_array_equal(nn.chain(Tensor(X), conv, nn.Identity()).data, conv(Tensor(X)).data)
    np.testing.assert_array_equal(
        nn.chain(Tensor(X), nn.Identity(), nn.BatchNorm2d(8).eval(), ops.relu).data,
        ops.relu(nn.BatchNorm2d(8).eval()(Tensor(X))).data,
    )
    biased = nn.Conv2d(8, 32, 1, rng=0)
    np.testing.assert_array_equal(nn.chain(Tensor(X), biased, norm).data, norm(biased(Tensor(X))).data)


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


HALVES = [
    hooked("register_forward_hook", lambda m, inputs, y: y * 0.5),
    hooked("register_forward_pre_hook", lambda m, inputs: inputs[0] * 0.5),
]


CONVS = [
    lambda **o: OwnForward(8, 32, 1, bias=False, **o),
    lambda **o: OwnCall(8, 32, 1, bias=False, **o),
    lambda **o: patched(nn.Conv2d(8, 32, 1, bias=False, **o)),
    *[lambda half=half, **o: half(nn.Conv2d(8, 32, 1, bias=False, **o)) for half in HALVES],
]


NORMS = [
    lambda: OwnNorm(32),
    lambda: OwnNormCall(32),
    lambda: patched_norm(nn.BatchNorm2d(32)),
    lambda: HALVES[0](nn.BatchNorm2d(32)),
]


def prepared(norm):
    rng = np.random.default_rng(1)
    norm.running_mean[...] = rng.standard_normal(32)
    norm.running_var[...] = rng.uniform(0.5, 2, 32)
    return norm


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("conv", CONVS, ids=["forward", "call", "patched", "hook", "pre-hook"])
@pytest.mark.parametrize("way", [nn.chain, lambda x, *layers: nn.Sequential(*layers)(x)], ids=["chain", "Sequential"])
def test_a_convolution_that_is_not_plain_is_called(conv, training, way):
    conv = conv(rng=0).train(training)
    norm = prepared(nn.BatchNorm2d(32)).train(training)
    plain = nn.Conv2d(8, 32, 1, bias=False, rng=0)
    plain.weight.data *= 0.5
    other = prepared(nn.BatchNorm2d(32)).train(training)
    found = way(Tensor(X), conv, norm)
    np.testing.assert_allclose(found.data, other(plain(Tensor(X))).data, rtol=0, atol=2e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("norm", NORMS, ids=["forward", "call", "patched", "hook"])
@pytest.mark.parametrize("together", [3, 2])
def test_a_norm_that_is_not_plain_is_called(norm, training, together):
    norm = prepared(norm()).train(training)
    other = prepared(nn.BatchNorm2d(32)).train(training)
    conv = nn.Conv2d(8, 32, 1, bias=False, rng=0).train(training)
    x = Tensor(X)
    found = nn.chain(x, conv, norm, ops.relu) if together == 3 else nn.chain(conv(x), norm, ops.relu)
    expected = np.maximum(other(conv(x)).data, 0) * 0.5
    np.testing.assert_allclose(found.data, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["forward", "__call__"])
def test_a_class_that_was_patched_is_called(name, monkeypatch):
    conv = nn.Conv2d(8, 32, 1, bias=False).eval()
    norm = nn.BatchNorm2d(32).eval()
    calls = []
    before = getattr(nn.Conv2d, name)
    monkeypatch.setattr(nn.Conv2d, name, lambda self, x: (calls.append(1), before(self, x))[1])
    nn.chain(Tensor(X), conv, norm)
    assert calls == [1]


def test_a_full_backward_hook_is_called_behind_a_fused_pair():
    conv = nn.Conv2d(8, 32, 1, bias=False)
    norm = nn.BatchNorm2d(32)
    seen = []
    conv.register_full_backward_hook(lambda m, dx, dy: seen.append(dy[0].shape))
    nn.chain(Tensor(X), conv, norm).sum().backward()
    assert seen == [(4, 32, 20, 20)]


@pytest.mark.parametrize("place", ["conv1", "layer2.0.conv1", "layer2.0.downsample.0", "layer1.0.conv2"])
def test_train_and_eval_are_one_network_with_a_layer_of_ones_own(place):
    """A network with a subclassed layer, and a plain one with the weights that the subclass computes."""
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


def test_a_hook_on_a_norm_sees_what_comes_before_the_relu():
    x = Tensor(np.array([[-1.0, 2.0]]).reshape(1, 2, 1, 1).astype(np.float32))
    np.testing.assert_array_equal(nn.chain(x, nn.Identity(), ops.relu).data.ravel(), [0, 2])
    norm = nn.BatchNorm2d(2).eval()
    seen = []
    norm.register_forward_hook(lambda module, inputs, y: seen.append(y.data))
    y = nn.chain(x, norm, ops.relu)
    assert seen[0].min() < 0  # what a hook sees is batch norm's, before the ReLU
    assert y.data.min() == 0


@pytest.mark.parametrize(
    "listen",
    [
        lambda relu: relu.register_forward_hook(lambda m, inputs, y: y * 0.5),
        lambda relu: setattr(relu, "forward", lambda x: ops.relu(x) * 0.5),
    ],
)
def test_a_relu_that_is_changed_is_called(listen):
    relu = nn.ReLU()
    listen(relu)
    found = nn.chain((Tensor(X), Tensor(X)), ops.residual_add, relu).data
    np.testing.assert_array_equal(found, np.maximum(X, 0))
    np.testing.assert_array_equal(
        nn.chain(Tensor(X), nn.BatchNorm2d(8), relu).data, 0.5 * ops.relu(nn.BatchNorm2d(8)(Tensor(X))).data
    )
