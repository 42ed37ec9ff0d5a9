"""MobileNetV2: its counts, structure and options."""

import numpy as np
import pytest

from minires import Tensor, models
from minires.arrays import channels_last, is_channels_last
from minires.errors import DTypeError, OptionError, ShapeError
from minires.kernels import shapes_only
from minires.models.mobile import rounded_width
from minires.models.mobilenet import InvertedResidual
from minires.nn import BatchNorm2d, Conv2d, Linear
from minires.summary import summary


def test_counts_are_those_of_torchvision():
    with shapes_only():
        model = models.mobilenet_v2()
    table = summary(model, (1, 3, 224, 224), depth=1)
    assert (table.parameters, table.buffers, len(model.state_dict())) == (3_504_872, 34_164, 314)
    assert round(table.multiply_adds / 1e9, 3) == 0.301


@pytest.mark.parametrize(
    ("width_mult", "parameters"), [(0.35, 1_677_128), (0.5, 1_968_680), (0.75, 2_636_424), (1.4, 6_108_776)]
)
def test_other_widths_have_torchvisions_counts(width_mult, parameters):
    """Counted from torchvision 0.28. The last width, 1280, never shrinks."""
    with shapes_only():
        model = models.mobilenet_v2(width_mult=width_mult)
    assert summary(model, (1, 3, 32, 32), depth=1).parameters == parameters
    assert model.classifier[1].in_features == max(1280, rounded_width(1280 * width_mult))


@pytest.mark.parametrize(
    ("channels", "width"), [(16 * 1.4, 24), (24 * 1.4, 32), (1, 8), (12, 16), (11.9, 16), (11, 16), (10.9, 16), (8, 8)]
)
def test_widths_are_multiples_of_8_and_never_below_nine_tenths(channels, width):
    assert rounded_width(channels) == width
    assert rounded_width(channels) >= 0.9 * channels


def test_the_nearest_multiple_is_taken_unless_it_is_below_nine_tenths():
    assert rounded_width(83) == 80
    assert rounded_width(84) == 88
    assert rounded_width(9) == 16
    assert rounded_width(9, 3) == 9
    assert rounded_width(7, 1) == 7


def test_the_middle_of_a_block_is_wide_and_its_convolution_depthwise():
    with shapes_only():
        block = models.mobilenet_v2().features[3]
    expand, depthwise, project, _ = block.conv
    assert expand[0].weight.shape == (144, 24, 1, 1)
    assert depthwise[0].weight.shape == (144, 1, 3, 3)
    assert depthwise[0].groups == 144
    assert project.weight.shape == (24, 144, 1, 1)
    assert block.has_shortcut


def test_the_shortcut_is_there_where_the_shape_stays():
    with shapes_only():
        blocks = [m for m in models.mobilenet_v2().modules() if isinstance(m, InvertedResidual)]
    assert len(blocks) == 17
    assert [i for i, block in enumerate(blocks) if block.has_shortcut] == [2, 4, 5, 7, 8, 9, 11, 12, 14, 15]


def test_a_block_whose_last_norm_is_zero_is_its_shortcut():
    block = InvertedResidual(4, 4, rng=0)
    block.conv[3].weight.data.fill(0)
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 6)).astype(np.float32)
    np.testing.assert_array_equal(block(Tensor(x)).data, x)


def test_strides_make_32_times_smaller_maps():
    model = models.mobilenet_v2(width_mult=0.1, rng=0)
    sizes = []
    for i in (1, 3, 6, 13, 18):
        model.features[i].register_forward_hook(lambda module, inputs, y: sizes.append(y.shape[2:]))
    model(Tensor(np.zeros((2, 3, 64, 96), np.float32)))
    assert sizes == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]


def test_weights_start_as_in_torchvision():
    model = models.mobilenet_v2(rng=0)
    for module in model.modules():
        if isinstance(module, Conv2d):
            O, _, KH, KW = module.weight.shape
            n = module.weight.numel()
            assert module.weight.data.std() == pytest.approx(np.sqrt(2 / (O * KH * KW)), rel=5 / np.sqrt(2 * n))
        if isinstance(module, BatchNorm2d):
            assert (module.weight.data == 1).all()
        if isinstance(module, Linear):
            assert module.weight.data.std() == pytest.approx(0.01, rel=0.01)
            assert not module.bias.data.any()


def test_dropout_is_before_the_classifier():
    model = models.mobilenet_v2(width_mult=0.1, dropout=1.0, num_classes=5, rng=0)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32))
    assert not model(x).data.any()  # the bias is 0
    assert model.eval()(x).data.any()


def test_the_cifar_network_has_the_stages_of_a_cifar_resnet_and_its_depth():
    with shapes_only():
        model = models.mobilenet21()
        narrow = models.mobilenet21(width=8, expand_ratio=2)
    blocks = [m for m in model.modules() if isinstance(m, InvertedResidual)]
    assert [b.conv[2].weight.shape[0] for b in blocks] == [16, 16, 32, 32, 64, 64]
    depthwise = [m for m in model.modules() if isinstance(m, Conv2d) and m.groups > 1]
    assert [m.stride[0] for m in depthwise] == [1, 1, 2, 1, 2, 1]
    layers = [m for m in model.modules() if isinstance(m, (Conv2d, Linear))]
    assert len(layers) == 21
    assert narrow.linear.in_features == 128
    assert narrow.features[1].conv[0][0].weight.shape[0] == 16


@pytest.mark.parametrize("laid_out", [channels_last, np.ascontiguousarray])
def test_maps_are_channels_last_forward_and_backward(laid_out):
    model = models.mobilenet_v2(width_mult=0.1, num_classes=5, rng=0)
    layouts = []

    def watch(module, inputs, y):
        layouts.append(is_channels_last(y.data))
        y.register_hook(lambda dy: layouts.append(is_channels_last(dy)))

    for module in model.modules():
        if isinstance(module, (InvertedResidual, Conv2d, BatchNorm2d)):
            module.register_forward_hook(watch)
    x = np.random.default_rng(0).standard_normal((2, 3, 64, 72)).astype(np.float32)
    model(Tensor(laid_out(x))).sum().backward()
    assert len(layouts) > 100
    assert all(layouts)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"width_mult": 0}, OptionError, "MobileNetV2: width_mult must be a number of at least 0.01"),
        ({"width_mult": "1"}, OptionError, "width_mult must be a number"),
        ({"round_nearest": 0}, ShapeError, "round_nearest must be at least 1"),
        ({"round_nearest": 1.5}, DTypeError, "round_nearest must be an integer"),
        ({"dropout": -0.1}, OptionError, "Dropout: p must be a number of at least 0"),
        ({"num_classes": 0}, ShapeError, "num_classes must be at least 1"),
        ({"in_channels": 2.0}, DTypeError, "in_channels must be an integer"),
        ({"alpha": 0.5}, TypeError, "mobilenet_v2: there is no option 'alpha'; it takes num_classes"),
    ],
)
def test_an_option_that_cannot_be_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        models.mobilenet_v2(**options)


def test_a_depth_that_no_cifar_network_has_is_refused():
    with pytest.raises(OptionError, match=r"9n \+ 3 layers .* got depth 20"):
        models.CifarMobileNetV2(20)
