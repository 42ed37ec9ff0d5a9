"""Layers that a chain computes together give what they give one by one."""

import numpy as np
import pytest
from conv_norm import X, layers

from minires import Tensor, kernels, models, nn, no_grad, ops


def everything(make, conv, norm):
    """y, all gradients and the norm's running statistics."""
    x = Tensor(X, requires_grad=True)
    y = make(conv, norm, x)
    y.backward(np.random.default_rng(1).standard_normal(y.shape, dtype=np.float32))
    return y, [y.data, x.grad, conv.weight.grad, norm.weight.grad, norm.bias.grad, *norm.state_dict().values()]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(
    ("training", "kernel", "out", "name"),
    [
        (True, 1, 32, "conv_norm"),
        (True, 3, 32, "batch_norm"),
        (True, 1, 16, "batch_norm"),
        (False, 1, 32, "conv_norm"),
        (False, 3, 32, "conv_norm"),
    ],
)
def test_one_op_does_what_two_do(training, kernel, out, name, relu):
    def two(conv, norm, x):
        y = norm(conv(x))
        return ops.relu(y) if relu else y

    def one(conv, norm, x):
        return nn.chain(x, conv, norm, *[ops.relu] * relu)

    y, found = everything(one, *(layer.train(training) for layer in layers(kernel, out)))
    assert y.node.name == name + "_relu" * (relu and name == "batch_norm")
    _, expected = everything(two, *(layer.train(training) for layer in layers(kernel, out)))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * np.abs(b).max())


@pytest.mark.parametrize("choice", ["direct", "readable"])
def test_in_training_only_the_fastest_kernels_go_by_way_of_the_scatter_matrix(choice):
    with kernels.use(choice):
        assert nn.chain(Tensor(X, requires_grad=True), *layers()).node.name == "batch_norm"
    conv, norm = (layer.to(np.float64) for layer in layers())
    assert nn.chain(Tensor(X.astype(float), requires_grad=True), conv, norm).node.name == "batch_norm"


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20", "plain20"])
def test_networks_say_in_evaluation_what_their_layers_say_one_by_one(name):
    model = models.create(name, rng=0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 64), dtype=np.float32))
    with no_grad():
        model(x)  # running statistics of their own
        together = model.eval()(x).data
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.register_forward_hook(lambda module, inputs, y: None)
        apart = model(x).data
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-5 * np.abs(apart).max())


def test_a_subclass_that_changes_nothing_is_still_fused():
    class Renamed(nn.Conv2d):
        pass

    x = Tensor(X, requires_grad=True)
    assert nn.chain(x, Renamed(8, 32, 1, bias=False).eval(), nn.BatchNorm2d(32).eval()).node.name == "conv_norm"


def test_a_norm_without_running_statistics_or_weights_is_itself_when_fused():
    for options in ({"affine": False}, {"track_running_stats": False}, {"momentum": None}):
        for training in (True, False):
            both = []
            for fuse in (True, False):
                conv = nn.Conv2d(8, 32, 1, bias=False, rng=0)
                norm = nn.BatchNorm2d(32, **options)
                conv.train(training), norm.train(training)
                y = nn.chain(Tensor(X), conv, norm, ops.relu) if fuse else ops.relu(norm(conv(Tensor(X))))
                both.append([y.data, *norm.state_dict().values()])
            for a, b in zip(*both, strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-5)


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_norm_without_running_statistics_has_those_of_the_batch_in_evaluation_too(kernel):
    """conv_norm computes those of a 1×1 convolution only."""
    conv = nn.Conv2d(8, 32, kernel, padding=kernel // 2, bias=False, rng=0).eval()
    norm = nn.BatchNorm2d(32, track_running_stats=False).eval()
    found = nn.chain(Tensor(X), conv, norm, ops.relu)
    np.testing.assert_allclose(found.data, ops.relu(norm(conv(Tensor(X)))).data, rtol=1e-5, atol=2e-5)


def test_a_setting_that_is_changed_counts_in_both_forms():
    conv = nn.Conv2d(8, 32, 3, padding=1, bias=False).eval()
    norm = nn.BatchNorm2d(32).eval()
    conv.stride, norm.eps = 2, 0.5
    fused = nn.chain(Tensor(X), conv, norm).data
    assert fused.shape == (4, 32, 10, 10)
    np.testing.assert_allclose(fused, norm(conv(Tensor(X))).data, atol=1e-5)
    np.testing.assert_allclose(fused, conv(Tensor(X)).data / np.sqrt(1.5), atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_a_norm_and_its_relu_in_one_pass_give_the_same_bits(training):
    rng = np.random.default_rng(0)
    arrays = []
    for one_pass in (True, False):
        norm = nn.BatchNorm2d(3).train(training)
        norm.bias.data[:] = [0.3, -0.3, 0]
        x = Tensor(np.random.default_rng(1).standard_normal((4, 3, 5, 6), dtype=np.float32), requires_grad=True)
        y = nn.chain(x, norm, ops.relu) if one_pass else ops.relu(norm(x))
        y.backward(rng.permutation(np.ones(y.shape, np.float32)))
        arrays.append([y.data, x.grad, norm.weight.grad, norm.bias.grad, norm.running_var])
    for a, b in zip(*arrays, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("relu", [ops.relu, nn.functional.relu, nn.ReLU(), nn.ReLU(inplace=True)])
def test_every_way_to_say_relu_is_computed_together_with_what_stands_before_it(relu):
    x = Tensor(X, requires_grad=True)
    norm = nn.BatchNorm2d(8)
    assert nn.chain(x, norm, relu).node.name == "batch_norm_relu"
    assert nn.chain((x, x), ops.residual_add, relu).node.name == "residual_add_relu"
    np.testing.assert_array_equal(nn.chain((x, x), ops.residual_add, relu).data, np.maximum(2 * X, 0))


def test_models_of_others_are_fused_without_knowing_of_it():
    """A network as torch's users write one, of modules in a row."""
    net = nn.Sequential(
        nn.Conv2d(8, 32, 1, bias=False, rng=0),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 8, 3, padding=1, bias=False, rng=0),
        nn.BatchNorm2d(8),
        nn.ReLU(),
    )
    y = net(Tensor(X))
    names = []
    node = y.node
    while node is not None:
        names.append(node.name)
        node = node.inputs[0] if node.inputs else None
    assert names == ["batch_norm_relu", "conv2d", "conv_norm"]


def test_gradients_through_a_fused_pair_of_fixed_layers_are_those_of_the_layers_one_by_one():
    """In training the batch's statistics depend on x, whether or not the weights are trained."""
    found = []
    for fuse in (True, False):
        conv, norm = layers()
        for parameter in (*conv.parameters(), *norm.parameters()):
            parameter.requires_grad = False
        x = Tensor(X, requires_grad=True)
        y = nn.chain(x, conv, norm) if fuse else norm(conv(x))
        y.backward(np.random.default_rng(1).standard_normal(y.shape, dtype=np.float32))
        found.append(x.grad)
    np.testing.assert_allclose(*found, rtol=2e-5, atol=2e-5 * np.abs(found[1]).max())
