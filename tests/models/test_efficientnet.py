"""EfficientNets: their counts, compound scaling, structure and options."""

import math

import numpy as np
import pytest

from minires import Tensor, models
from minires.errors import DTypeError, OptionError, ShapeError
from minires.kernels import shapes_only
from minires.models.efficientnet import PUBLISHED, TABLE_1, MBConv
from minires.models.mobile import rounded_width
from minires.models.squeeze_excitation import SqueezeExcitation
from minires.nn import BatchNorm2d, Conv2d, Linear
from minires.summary import summary

COUNTS = [  # of torchvision's networks: parameters, buffers, entries of the state_dict, image size, multiply-adds in 10⁹
    (5_288_548, 42_065, 360, 224, 0.386),
    (7_794_184, 62_117, 508, 240, 0.687),
    (9_109_994, 67_637, 508, 288, 1.088),
    (12_233_232, 87_374, 574, 300, 1.827),
    (19_341_616, 125_296, 706, 380, 4.394),
    (30_389_784, 172_852, 854, 456, 10.266),
    (43_040_704, 224_566, 986, 528, 19.068),
    (66_347_960, 310_883, 1200, 600, 37.746),
]


@pytest.mark.parametrize("n", range(8))
def test_counts_are_those_of_torchvision(n):
    parameters, buffers, entries, size, giga = COUNTS[n]
    with shapes_only():
        model = models.create(f"efficientnet_b{n}")
    table = summary(model, (1, 3, size, size), depth=1)
    assert (table.parameters, table.buffers, len(model.state_dict())) == (parameters, buffers, entries)
    assert round(table.multiply_adds / 1e9, 3) == giga
    assert model.image_size == (260 if n == 2 else size)  # torchvision evaluates its B2 on larger images


def test_phi_0_is_b0():
    assert models.compound_scaling(0) == (1.0, 1.0, 224)
    with shapes_only():
        model = models.EfficientNet(*models.compound_scaling(0))
        b0 = models.efficientnet_b0()
    assert repr(model.features) == repr(b0.features)


def test_one_more_phi_is_about_twice_the_work():
    """α·β²·γ² = 1.92. Widths, depths and sizes are rounded, so it is asked of three steps together."""
    giga = []
    for phi in (0, 3):
        depth, width, size = models.compound_scaling(phi)
        with shapes_only():
            model = models.EfficientNet(depth, width, size)
        table = summary(model, (1, 3, size, size), depth=1)
        giga.append(table.multiply_adds / 1e9)
    assert (giga[1] / giga[0]) ** (1 / 3) == pytest.approx(1.92, rel=0.07)


@pytest.mark.parametrize(("number", "phi"), list(enumerate((0, 0.5, 1, 2, 3.5, 5, 6, 7))))
def test_the_published_networks_are_near_these_powers(number, phi):
    depth, width, size = models.compound_scaling(phi)
    published_depth, published_width, published_size, *_ = PUBLISHED[number]
    assert width == pytest.approx(published_width, abs=0.06)
    assert size == pytest.approx(published_size, rel=0.05)
    assert published_depth <= depth + 0.01
    assert published_depth == pytest.approx(depth, rel=0.14)


@pytest.mark.parametrize("number", range(8))
def test_depths_are_rounded_up_and_widths_to_multiples_of_8(number):
    depth, width, *_ = PUBLISHED[number]
    with shapes_only():
        model = models.create(f"efficientnet_b{number}")
    for (*_, channels, blocks), stage in zip(TABLE_1, model.features[1:8], strict=True):
        assert len(stage) == math.ceil(blocks * depth)
        assert {block.block[-1][0].out_channels for block in stage} == {rounded_width(channels * width)}
    dropout = {0: 0.2, 1: 0.2, 2: 0.3, 3: 0.3, 4: 0.4, 5: 0.4, 6: 0.5, 7: 0.5}
    assert model.classifier[0].p == dropout[number]
    settings = {(m.eps, m.momentum) for m in model.modules() if isinstance(m, BatchNorm2d)}
    assert settings == ({(1e-3, 0.01)} if number >= 5 else {(1e-5, 0.1)})


def test_blocks_are_left_out_with_linearly_growing_probability():
    with shapes_only():
        blocks = [m for m in models.efficientnet_b0().modules() if isinstance(m, MBConv)]
    assert len(blocks) == 16
    np.testing.assert_allclose([block.stochastic_depth.p for block in blocks], 0.2 * np.arange(16) / 16)
    assert {block.stochastic_depth.mode for block in blocks} == {"row"}


def test_a_block_is_left_out_for_single_images_in_training_only():
    block = MBConv(8, 8, drop=0.5, rng=0)
    x = np.random.default_rng(0).standard_normal((32, 8, 4, 4)).astype(np.float32)
    same = (block(Tensor(x)).data == x).all(axis=(1, 2, 3))
    assert 4 < same.sum() < 28
    assert not (block.eval()(Tensor(x)).data == x).all(axis=(1, 2, 3)).any()


def test_squeeze_and_excitation_has_a_quarter_of_the_blocks_input():
    with shapes_only():
        block = models.efficientnet_b0().features[2][1]
    se = next(m for m in block.modules() if isinstance(m, SqueezeExcitation))
    assert se.fc1.weight.shape == (24 // 4, 144, 1, 1)
    assert se.fc2.weight.shape == (144, 24 // 4, 1, 1)
    assert se.fc1.bias is not None


def test_squeeze_and_excitation_weighs_channels_by_numbers_between_0_and_1():
    x = np.random.default_rng(0).standard_normal((2, 6, 3, 4))
    se = SqueezeExcitation(6, 2, rng=0).to(np.float64)
    factors = se(Tensor(x)).data / x
    np.testing.assert_allclose(factors, np.broadcast_to(factors[:, :, :1, :1], x.shape))
    assert ((factors > 0) & (factors < 1)).all()
    assert np.unique(factors[:, :, 0, 0]).size == 12


def test_weights_start_as_in_torchvision():
    model = models.efficientnet_b0(num_classes=100, rng=0)
    for module in model.modules():
        if isinstance(module, Conv2d):
            O, _, KH, KW = module.weight.shape
            n = module.weight.numel()
            assert module.weight.data.std() == pytest.approx(np.sqrt(2 / (O * KH * KW)), rel=5 / np.sqrt(2 * n))
            assert module.bias is None or not module.bias.data.any()
        if isinstance(module, Linear):
            assert abs(module.weight.data).max() == pytest.approx(0.1, rel=1e-3)  # 1/√100
            assert not module.bias.data.any()


def test_published_options_may_be_changed():
    with shapes_only():
        model = models.efficientnet_b3(dropout=0.0, stochastic_depth_prob=0.0, num_classes=7, in_channels=1)
    assert model.classifier[0].p == 0
    assert {block.stochastic_depth.p for block in model.modules() if isinstance(block, MBConv)} == {0}
    assert model.classifier[1].out_features == 7
    assert model.features[0][0].in_channels == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.compound_scaling(-1), OptionError, "compound_scaling: phi must be a number of at least 0"),
        (lambda: models.compound_scaling("1"), OptionError, "phi must be a number"),
        (lambda: models.EfficientNet(0, 1), OptionError, "EfficientNet: depth must be a number of at least 0.01"),
        (lambda: models.EfficientNet(1, 1000), OptionError, "EfficientNet: width must be .* at most 100"),
        (lambda: models.EfficientNet(1, 1, 0), ShapeError, "image_size must be at least 1"),
        (lambda: models.EfficientNetB(8), OptionError, "there are B0 to B7, got 8"),
        (lambda: models.EfficientNetB(-1), ShapeError, "number must be at least 0"),
        (lambda: models.efficientnet_b0(stochastic_depth_prob=2), OptionError, "stochastic_depth_prob must be"),
        (lambda: models.efficientnet_b0(dropout=2), OptionError, "Dropout: p must be"),
        (lambda: models.efficientnet_b0(num_classes="10"), DTypeError, "num_classes must be an integer"),
        (lambda: models.efficientnet_b7(width=2), TypeError, "efficientnet_b7: there is no option 'width'"),
    ],
)
def test_an_option_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
