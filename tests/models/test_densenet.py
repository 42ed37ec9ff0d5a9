"""DenseNets: their counts, twins, structure and options."""

import numpy as np
import pytest

from minires import Tensor, models, ops
from minires.arrays import channels_last, is_channels_last
from minires.errors import DTypeError, OptionError, ShapeError
from minires.kernels import shapes_only
from minires.models.densenet import DenseLayer
from minires.nn import BatchNorm2d, Conv2d
from minires.summary import summary

COUNTS = [  # of torchvision's networks: parameters, buffers, entries of the state_dict, multiply-adds in 10⁹
    ("densenet121", 7_978_856, 83_769, 727, 2.834),
    ("densenet161", 28_681_000, 220_097, 967, 7.728),
    ("densenet169", 14_149_480, 158_569, 1015, 3.36),
    ("densenet201", 20_013_928, 229_257, 1207, 4.291),
]


@pytest.mark.parametrize(("name", "parameters", "buffers", "entries", "giga"), COUNTS)
def test_counts_are_those_of_torchvision(name, parameters, buffers, entries, giga):
    with shapes_only():
        model = models.create(name)
    table = summary(model, (1, 3, 224, 224), depth=1)
    assert (table.parameters, table.buffers, len(model.state_dict())) == (parameters, buffers, entries)
    assert round(table.multiply_adds / 1e9, 3) == giga


def test_densenet_bc_100_has_the_parameters_and_layers_that_its_name_says():
    """0.8 million in Table 2 of the paper; added up here from the definition, with k = 12."""
    k = 12
    channels = 2 * k
    count = 3 * channels * 9
    for block in range(3):
        for _ in range(16):
            count += 2 * channels + channels * 4 * k + 2 * 4 * k + 4 * k * k * 9
            channels += k
        if block < 2:
            count += 2 * channels + channels * (channels // 2)
            channels //= 2
    count += 2 * channels + channels * 10 + 10
    with shapes_only():
        model = models.densenet_bc100()
    assert summary(model, (1, 3, 32, 32)).parameters == count == 769_162
    assert sum(isinstance(module, Conv2d) for module in model.modules()) + 1 == 100


def test_a_layer_keeps_its_input_and_adds_k_channels():
    layer = DenseLayer(6, 4, rng=0)
    x = np.random.default_rng(0).standard_normal((2, 6, 5, 7)).astype(np.float32)
    y = layer(Tensor(x)).data
    assert y.shape == (2, 10, 5, 7)
    np.testing.assert_array_equal(y[:, :6], x)
    assert y[:, 6:].any()


def test_each_layer_sees_the_outputs_of_all_layers_before_it():
    block = models.densenet_bc100(rng=0).features.denseblock1
    seen = []
    for _, layer in block.named_children():
        layer.register_forward_hook(lambda layer, inputs, y: seen.append(inputs[0].data))
    y = block(Tensor(np.random.default_rng(0).standard_normal((1, 24, 4, 4)).astype(np.float32))).data
    assert y.shape[1] == 24 + 16 * 12
    assert len(seen) == 16
    for i, x in enumerate(seen):
        assert x.shape[1] == 24 + 12 * i
        np.testing.assert_array_equal(x, y[:, : x.shape[1]])


def test_the_gradient_reaches_the_input_when_every_layer_finds_nothing():
    """As a shortcut does in a residual network: [x, 0] still holds x."""
    block = models.densenet_bc100(rng=0).features.denseblock1
    for _, layer in block.named_children():
        layer.conv2.weight.data.fill(0)
    x = Tensor(np.ones((1, 24, 4, 4), np.float32), requires_grad=True)
    ops.sum(block(x)).backward()
    assert (x.grad == 1).all()


def test_convolutions_start_kaiming_normal_by_fan_in_and_the_classifier_without_bias():
    model = models.densenet_bc100(rng=0)
    for module in model.modules():
        if isinstance(module, Conv2d):
            _, C, KH, KW = module.weight.shape
            n = module.weight.numel()
            assert module.weight.data.std() == pytest.approx(np.sqrt(2 / (C * KH * KW)), rel=5 / np.sqrt(2 * n))
        if isinstance(module, BatchNorm2d):
            assert (module.weight.data == 1).all()
            assert not module.bias.data.any()
    assert not model.classifier.bias.data.any()
    assert model.classifier.weight.data.any()


def test_dropout_follows_the_second_convolution_in_training_only():
    model = models.CifarDenseNet(10, growth_rate=4, drop_rate=0.5, num_classes=3, rng=0)
    layer = model.features.denseblock1.denselayer1
    x = Tensor(np.random.default_rng(0).standard_normal((4, 8, 6, 6)).astype(np.float32))
    dropped = (layer(x).data[:, 8:] == 0).mean()
    assert 0.3 < dropped < 0.7
    layer.eval()
    assert (layer(x).data[:, 8:] != 0).all()


@pytest.mark.parametrize("laid_out", [channels_last, np.ascontiguousarray])
def test_maps_are_channels_last_forward(laid_out):
    model = models.DenseNet(4, (2, 2), num_classes=3, rng=0)
    layouts = []
    for module in model.modules():
        if isinstance(module, (DenseLayer, Conv2d, BatchNorm2d)):
            module.register_forward_hook(lambda module, inputs, y: layouts.append(is_channels_last(y.data)))
    x = np.random.default_rng(0).standard_normal((2, 3, 40, 44)).astype(np.float32)
    model(Tensor(laid_out(x)))
    assert len(layouts) > 10
    assert all(layouts)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.DenseNet(32, ()), OptionError, r"DenseNet: blocks must be numbers, .* got \(\)"),
        (lambda: models.DenseNet(32, 4), OptionError, "the layers in each block, got 4"),
        (lambda: models.DenseNet(32, (6, 0)), ShapeError, "blocks must be at least 1, got 0"),
        (lambda: models.DenseNet(0, (6, 6)), ShapeError, "growth_rate must be at least 1, got 0"),
        (lambda: models.densenet121(bn_size=2.5), DTypeError, "bn_size must be an integer"),
        (lambda: models.densenet121(drop_rate=1.5), OptionError, "drop_rate must be a number .* at most 1"),
        (lambda: models.densenet121(num_classes=0), ShapeError, "num_classes must be at least 1"),
        (
            lambda: models.CifarDenseNet(40, growth_rate=0),
            ShapeError,
            "CifarDenseNet: growth_rate must be at least 1, got 0",
        ),
        (lambda: models.CifarDenseNet(41), OptionError, r"6n \+ 4 layers .* got depth 41"),
        (lambda: models.densenet_bc100(in_channels=0), ShapeError, "CifarDenseNet: in_channels must be at least 1"),
        (lambda: models.densenet121(memory_efficient=True), TypeError, "there is no option 'memory_efficient'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_network_takes_the_usual_spellings_and_options():
    model = models.create("DenseNet-BC-100", num_classes=3, in_channels=1, rng=0)
    assert model(Tensor(np.zeros((2, 1, 9, 8), np.float32))).shape == (2, 3)
