"""VGGs: their counts, figure, first weights, options, and torchvision's with the same weights."""

import math

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn
from minires.errors import DTypeError, OptionError, ShapeError
from minires.summary import summary

COUNTS = [  # of torchvision's networks: parameters, buffers, entries of the state_dict, multiply-adds in 10⁹
    ("vgg11", 132_863_336, 0, 22, 7.609),
    ("vgg13", 133_047_848, 0, 26, 11.308),
    ("vgg16", 138_357_544, 0, 32, 15.47),
    ("vgg19", 143_667_240, 0, 38, 19.632),
    ("vgg11_bn", 132_868_840, 5_512, 62, 7.609),
    ("vgg13_bn", 133_053_736, 5_898, 76, 11.308),
    ("vgg16_bn", 138_365_992, 8_461, 97, 15.47),
    ("vgg19_bn", 143_678_248, 11_024, 118, 19.632),
]
HIDDEN = {"channels": (2, 2, 2, 2, 2), "hidden": 2}
SMALL = {"channels": (4, 6, 8, 6, 5), "hidden": 7, "num_classes": 3}


def test_every_vgg_has_a_count_to_meet():
    assert [row[0] for row in COUNTS] == sorted(
        (name for name in models.names() if getattr(models, name).__module__ == "minires.models.vgg"),
        key=lambda name: (name.endswith("_bn"), name),
    )


@pytest.mark.parametrize(("name", "parameters", "buffers", "entries", "giga"), COUNTS)
def test_counts_are_those_of_torchvision(name, parameters, buffers, entries, giga):
    with kernels.shapes_only():
        model = models.create(name)
    table = summary(model, (1, 3, 224, 224))
    assert (table.parameters, table.buffers, len(model.state_dict())) == (parameters, buffers, entries)
    assert round(table.multiply_adds / 1e9, 3) == giga
    assert table.rows[-1].output_size == (1, 1000)


@pytest.mark.parametrize(("name", "layers"), [("vgg11", 11), ("vgg13_bn", 13), ("vgg16", 16), ("vgg19_bn", 19)])
def test_a_networks_name_is_its_number_of_layers_with_weights(name, layers):
    with kernels.shapes_only():
        model = models.create(name)
    assert sum(isinstance(m, (nn.Conv2d, nn.Linear)) for m in model.modules()) == layers


def test_the_parameters_of_vgg16_are_counted_as_by_hand():
    count, before = 0, 3
    for channels, convolutions in zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)):
        for _ in range(convolutions):
            count += 9 * before * channels + channels
            before = channels
    count += 512 * 49 * 4096 + 4096 + 4096 * 4096 + 4096 + 4096 * 1000 + 1000
    with kernels.shapes_only():
        assert nn.count_parameters(models.vgg16()) == count == 138_357_544


def test_each_stage_halves_the_map_and_the_last_is_7_by_7():
    with kernels.shapes_only():
        table = summary(models.vgg16_bn(), (1, 3, 224, 224))
    pools = [row.output_size for row in table.rows if row.kind.startswith("MaxPool2d")]
    assert pools == [(1, c, n, n) for c, n in ((64, 112), (128, 56), (256, 28), (512, 14), (512, 7))]
    assert [row.output_size for row in table.rows if row.name == "avgpool"] == [(1, 512, 7, 7)]


def test_weights_begin_as_torchvisions():
    """Kaiming normal by fan_out for convolutions, N(0, 0.01²) for linear layers, all biases 0."""
    model = models.VGG((1, 1, 1, 1, 1), channels=(32, 32, 64, 64, 8), hidden=64, num_classes=50, rng=0)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            fan = module.weight.shape[0] * 9
            std = math.sqrt(2 / fan) if isinstance(module, nn.Conv2d) else 0.01
            n = module.weight.numel()
            assert module.weight.data.std() == pytest.approx(std, rel=5 / math.sqrt(2 * n))
            assert not module.bias.data.any()


def test_dropout_works_in_training_only_and_one_seed_repeats_it():
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 32, 32)).astype(np.float32))

    def twice(model):
        return model(x).data, model(x).data

    first, second = twice(models.VGG((1, 1, 1, 1, 1), **{**SMALL, "hidden": 64}, rng=0))
    assert (first != second).any()
    np.testing.assert_array_equal(twice(models.VGG((1, 1, 1, 1, 1), **{**SMALL, "hidden": 64}, rng=0))[1], second)
    first, second = twice(models.VGG((1, 1, 1, 1, 1), **SMALL, rng=0).eval())
    np.testing.assert_array_equal(first, second)
    first, second = twice(models.VGG((1, 1, 1, 1, 1), **SMALL, dropout=0.0, rng=0))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: models.VGG((1, 1, 2)), OptionError, r"VGG: convolutions must be five numbers, .* got \(1, 1, 2\)"),
        (lambda: models.VGG(16), OptionError, "five numbers, one for each stage, got 16"),
        (lambda: models.VGG((1, 1, 2, 2, 0)), ShapeError, "convolutions must be at least 1, got 0"),
        (lambda: models.vgg11(channels=(64, 128)), OptionError, "VGG: channels must be five numbers"),
        (lambda: models.vgg11(num_classes=0, **HIDDEN), ShapeError, "num_classes must be at least 1, got 0"),
        (lambda: models.vgg11(in_channels="3"), DTypeError, "in_channels must be an integer, got '3'"),
        (lambda: models.vgg11(hidden=0), ShapeError, "hidden must be at least 1, got 0"),
        (lambda: models.vgg11(dropout=1.5, **HIDDEN), OptionError, "Dropout: p must be a number of at least 0"),
        (lambda: models.vgg11(batch_norm=True), TypeError, "vgg11: there is no option 'batch_norm'"),
        (lambda: models.VGG((1, 1, 1, 1, 1), batch_norm=1), DTypeError, "batch_norm must be True or False"),
    ],
)
def test_an_option_that_cannot_be_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def small_torchvision(vgg, letter, batch_norm):
    """torchvision's own layers with the channels of SMALL, in its own class; its large classifier is never allocated."""
    import torch

    stages = iter(SMALL["channels"])
    plan = []
    width = next(stages)
    for entry in vgg.cfgs[letter]:
        plan.append(entry if entry == "M" else width)
        width = next(stages, None) if entry == "M" else width
    features = vgg.make_layers(plan, batch_norm)
    with torch.device("meta"):
        model = vgg.VGG(features, init_weights=False)
    widths = (SMALL["channels"][-1] * 49, SMALL["hidden"], SMALL["hidden"], SMALL["num_classes"])
    for i, place in enumerate((0, 3, 6)):
        model.classifier[place] = torch.nn.Linear(widths[i], widths[i + 1])
    for place in (2, 5):
        model.classifier[place].p = 0.0  # two generators draw two masks
    return model


CONVOLUTIONS = {"A": (1, 1, 2, 2, 2), "B": (2, 2, 2, 2, 2), "D": (2, 2, 3, 3, 3), "E": (2, 2, 4, 4, 4)}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(("letter", "batch_norm"), [("A", False), ("B", True), ("D", False), ("E", True)])
def test_logits_and_gradients_are_torchvisions(same_as_torch, torchvision, letter, batch_norm, training):
    ours = models.VGG(CONVOLUTIONS[letter], batch_norm=batch_norm, dropout=0.0, **SMALL, rng=0)
    theirs = small_torchvision(torchvision.models.vgg, letter, batch_norm)
    assert same_as_torch.shapes(ours) == same_as_torch.shapes(theirs)
    same_as_torch.assert_same(ours, theirs, (2, 3, 32, 40), training=training)


@pytest.mark.parametrize("name", [row[0] for row in COUNTS])
def test_names_and_shapes_are_torchvisions(same_as_torch, torchvision, name):
    import torch

    with torch.device("meta"):  # shapes without numbers
        theirs = getattr(torchvision.models, name)()
    with kernels.shapes_only():
        assert same_as_torch.shapes(models.create(name)) == same_as_torch.shapes(theirs)


def torch_twin(order):
    """Five stages of one convolution, norm and ReLU with torch.nn alone, in this order; then the classifier."""
    import torch
    from torch import nn as torch_nn

    class Twin(torch_nn.Module):
        def __init__(self):
            super().__init__()
            layers, width = [], 3
            for channels in SMALL["channels"]:
                conv = torch_nn.Conv2d(width, channels, 3, padding=1)
                layers += [conv, torch_nn.BatchNorm2d(channels), torch_nn.ReLU(), torch_nn.MaxPool2d(2, 2)]
                width = channels
            self.features = torch_nn.Sequential(*layers)
            hidden, classes = SMALL["hidden"], SMALL["num_classes"]
            self.classifier = torch_nn.Sequential(
                torch_nn.Linear(width * 49, hidden),
                torch_nn.ReLU(),
                torch_nn.Identity(),
                torch_nn.Linear(hidden, hidden),
                torch_nn.ReLU(),
                torch_nn.Identity(),
                torch_nn.Linear(hidden, classes),
            )

        def forward(self, x):
            for start in range(0, 20, 4):
                for place in order:
                    x = self.features[start + place](x)
            x = torch_nn.functional.adaptive_avg_pool2d(x, (7, 7))
            return self.classifier(torch.flatten(x, 1))

    return Twin()


def test_it_is_its_torch_twin_and_one_with_two_layers_exchanged_is_noticed(same_as_torch):
    ours = models.VGG((1, 1, 1, 1, 1), batch_norm=True, dropout=0.0, **SMALL, rng=0)
    same_as_torch.assert_same(ours, torch_twin((0, 1, 2, 3)), (2, 3, 32, 40))
    with pytest.raises(AssertionError, match="logits"):
        same_as_torch.assert_same(ours, torch_twin((0, 2, 1, 3)), (2, 3, 32, 40))
