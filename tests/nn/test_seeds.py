"""Where initial weights come from, and the warning for layers that start equal."""

import copy
import warnings

import numpy as np
import pytest

import minires
from minires import models, nn
from minires.errors import OptionError


def pair():
    return nn.Linear(4, 4, rng=0), nn.Linear(4, 4, rng=0)


class InAttributes(nn.Module):
    def __init__(self):
        self.a, self.b = pair()


class InAList(nn.Module):
    def __init__(self):
        self.layers = list(pair())


class OneEach(nn.Module):
    def __init__(self):
        self.inner = nn.Conv2d(2, 2, 3, rng=0)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: nn.Sequential(*pair()), r"0\.weight and 1\.weight of Sequential"),
        (
            lambda: nn.Sequential(nn.Linear(4, 4, rng=0)).append(nn.Linear(4, 4, rng=np.int64(0))),
            r"0\.weight and 1\.weight",
        ),
        (lambda: nn.ModuleList(pair()), r"0\.weight and 1\.weight of ModuleList"),
        (InAttributes, r"a\.weight and b\.weight of InAttributes"),
        (InAList, r"layers\.0\.weight and layers\.1\.weight of InAList"),
        (lambda: nn.Sequential(OneEach(), OneEach()), r"0\.inner\.weight and 1\.inner\.weight"),
    ],
)
def test_layers_of_one_network_from_one_seed_are_warned_of_once(make, names):
    with pytest.warns(
        UserWarning, match=names + r".* rng=0; make one generator, rng = np\.random\.default_rng\(0\)"
    ) as seen:
        nn.Sequential(make(), nn.ReLU())
    assert len(seen) == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: [nn.Sequential(nn.Linear(4, 4, rng=0)) for _ in range(2)],  # two networks to compare
        lambda: [models.resnet20(rng=0) for _ in range(2)],
        lambda: nn.Sequential(nn.Linear(4, 4, rng=0), nn.Linear(4, 4, rng=1)),
        lambda: nn.Sequential(nn.Linear(4, 4, rng=0), nn.Linear(4, 3, rng=0)),
        lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)),
        lambda: nn.Sequential(*[nn.Linear(4, 4, rng=g) for g in [np.random.default_rng(0)] * 2]),
        lambda: nn.Sequential(*[nn.Linear(4, 4, rng=0)] * 2),  # one layer twice, which is meant to be equal
        lambda: nn.Sequential(layer := nn.Linear(4, 4, rng=0), copy.deepcopy(layer)),
        lambda: nn.Sequential(
            models.BasicBlock(4, 4, rng=0), models.PreActBlock(4, 8, 2, rng=1), models.Bottleneck(8, 8, rng=2)
        ),
    ],
)
def test_other_networks_are_not_warned_of(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make()


def test_replacing_a_layer_by_one_of_the_same_seed_is_no_pair():
    model = nn.Sequential(nn.Linear(4, 4, rng=0), nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model[0] = nn.Linear(4, 4, rng=0)


def weights(make):
    return np.concatenate([p.data.ravel() for p in make().parameters()])


@pytest.mark.parametrize(
    "make",
    [
        lambda **o: nn.Linear(5, 3, **o),
        lambda **o: nn.Conv2d(4, 2, 3, **o),
        lambda **o: models.resnet8(**o),
        lambda **o: models.BasicBlock(4, 8, 2, **o),
    ],
)
def test_without_rng_the_default_generator_decides_and_a_passed_rng_wins(make):
    minires.manual_seed(3)
    first = weights(make)
    second = weights(make)
    assert (first != second).any()
    minires.manual_seed(3)
    np.testing.assert_array_equal(weights(make), first)
    minires.manual_seed(3)
    given = weights(lambda: make(rng=np.random.default_rng(8)))
    np.testing.assert_array_equal(given, weights(lambda: make(rng=8)))
    np.testing.assert_array_equal(weights(make), first)  # what was given drew nothing from the default


@pytest.mark.parametrize(
    "make", [lambda **rng: nn.Dropout(0.5, **rng), lambda **rng: nn.StochasticDepth(0.5, "row", **rng)]
)
def test_dropout_draws_from_the_default_generator_unless_it_has_its_own(make):
    x = minires.Tensor(np.ones(64))

    def mask(layer):
        return layer(x).data.tolist()

    layer = make()
    for drawing in (layer, copy.deepcopy(layer)):
        minires.manual_seed(0)
        first = mask(drawing)
        assert mask(drawing) != first
        minires.manual_seed(0)
        assert mask(drawing) == first
    own = make(rng=0)
    minires.manual_seed(0)
    assert mask(own) == mask(make(rng=0))
    assert mask(layer) == first


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: nn.Linear(2, 2, rng=rng),
        lambda rng: nn.Dropout(rng=rng),
        lambda rng: nn.StochasticDepth(0.5, "row", rng=rng),
        lambda rng: models.resnet8(rng=rng),
        lambda rng: nn.init.normal_(nn.Linear(2, 2).weight, rng=rng),
    ],
)
@pytest.mark.parametrize("bad", [-1, 0.5, "0", True])
def test_a_seed_that_is_none_is_refused(make, bad):
    with pytest.raises(OptionError, match="a seed must be a whole number"):
        make(bad)
