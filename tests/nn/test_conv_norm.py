"""A convolution and its norm, as one op or as two."""

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn, no_grad, ops
from minires.arrays import channels_last

X = channels_last(np.maximum(np.random.default_rng(0).standard_normal((4, 8, 20, 20), dtype=np.float32), 0))


def layers(kernel=1, out=32, seed=0):
    rng = np.random.default_rng(seed)
    conv, norm = nn.Conv2d(8, out, kernel, padding=kernel // 2, bias=False, rng=rng), nn.BatchNorm2d(out)
    norm.weight.data[...], norm.bias.data[...] = rng.uniform(0.5, 2, out), rng.standard_normal(out)
    norm.running_mean[...], norm.running_var[...] = rng.standard_normal(out), rng.uniform(0.5, 2, out)
    return conv, norm


def everything(make, conv, norm):
    """y, all gradients and what the norm remembers."""
    x = Tensor(X, requires_grad=True)
    y = make(conv, norm, x)
    y.backward(np.random.default_rng(1).standard_normal(y.shape, dtype=np.float32))
    return y, [y.data, x.grad, conv.weight.grad, norm.weight.grad, norm.bias.grad, *norm.state_dict().values()]


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("training", "kernel", "out", "name"), [
    (True, 1, 32, "conv_norm"), (True, 3, 32, "batch_norm"), (True, 1, 16, "batch_norm"),
    (False, 1, 32, "conv_norm"), (False, 3, 32, "conv_norm")])
def test_one_op_does_what_two_do(training, kernel, out, name, relu):
    def two(conv, norm, x):
        y = norm(conv(x))
        return ops.relu(y) if relu else y

    def one(conv, norm, x):
        return nn.conv_norm(conv, norm, x, relu)
    y, found = everything(one, *(layer.train(training) for layer in layers(kernel, out)))
    assert y.node.name == name
    _, expected = everything(two, *(layer.train(training) for layer in layers(kernel, out)))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * np.abs(b).max())


@pytest.mark.parametrize("choice", ["direct", "readable"])
def test_in_training_only_the_fastest_kernels_go_by_way_of_the_scatter_matrix(choice):
    with kernels.use(choice):
        assert nn.conv_norm(*layers(), Tensor(X, requires_grad=True)).node.name == "batch_norm"
    conv, norm = (layer.to(np.float64) for layer in layers())
    assert nn.conv_norm(conv, norm, Tensor(X.astype(float), requires_grad=True)).node.name == "batch_norm"


def test_layers_that_somebody_listens_to_are_called():
    for listened in (0, 1):
        pair, seen = [layer.eval() for layer in layers()], []
        pair[listened].register_forward_hook(lambda module, inputs, y, seen=seen: seen.append(y))
        nn.conv_norm(*pair, Tensor(X), relu=True)
        assert len(seen) == 1


def test_other_layers_are_called_too():
    conv, norm = (layer.eval() for layer in layers())
    np.testing.assert_array_equal(nn.conv_norm(conv, nn.Identity(), Tensor(X)).data, conv(Tensor(X)).data)
    np.testing.assert_array_equal(nn.conv_norm(nn.Identity(), nn.BatchNorm2d(8).eval(), Tensor(X), relu=True).data,
                                  ops.relu(nn.BatchNorm2d(8).eval()(Tensor(X))).data)
    biased = nn.Conv2d(8, 32, 1, rng=0)
    np.testing.assert_array_equal(nn.conv_norm(biased, norm, Tensor(X)).data, norm(biased(Tensor(X))).data)


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
