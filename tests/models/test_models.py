"""The catalogue of models: counts, twins, options and initial weights."""

import numpy as np
import pytest
from backends import GPUS, host

from minires import Tensor, models, no_grad, ops
from minires.arrays import channels_last, is_channels_last
from minires.errors import OptionError
from minires.kernels import shapes_only
from minires.models.blocks import Block, PadShortcut
from minires.nn import BatchNorm2d, Conv2d, count_parameters

COUNTS = {  # He et al. 2015, Table 1 and 6, as torchvision and akamaster's networks count them
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
    "plain18": 11_515_688,
    "plain34": 21_623_848,
    "resnet14": 172_506,
    "resnet20": 269_722,
    "resnet32": 464_154,
    "resnet44": 658_586,
    "resnet56": 853_018,
    "resnet110": 1_727_962,
}


def cifar_count(depth):
    """Convolutions 9·i·o, batch norms 2·o, classifier 650, added up from the definition."""
    n = (depth - 2) // 6
    convolutions = (
        [(3, 16)] + [(16, 16)] * 2 * n + [(16, 32)] + [(32, 32)] * (2 * n - 1) + [(32, 64)] + [(64, 64)] * (2 * n - 1)
    )
    return sum(9 * i * o + 2 * o for i, o in convolutions) + 650


COUNTS |= {
    f"{kind}{depth}": cifar_count(depth)
    for kind, depths in (("resnet", (8, 1202)), ("plain", (8, 14, 20, 32, 44, 56, 110)))
    for depth in depths
}
# Pre-activation: a norm of 16 channels goes from the stem, one of 64 comes at the end, and the first norms of stages 2
# and 3 see 16 and 32 channels in place of 32 and 64: 2·(−16 + 64 − 16 − 32) = 0.
COUNTS |= {f"preact_resnet{depth}": COUNTS[f"resnet{depth}"] for depth in (20, 32, 44, 56, 110)}


def test_every_resnet_has_a_count_to_meet():
    assert set(COUNTS) == {name for name in models.names() if "resnet" in getattr(models, name).__module__}


@pytest.mark.parametrize("name", COUNTS)
def test_parameters_are_counted_exactly(name):
    with shapes_only():
        model = models.create(name)
    assert count_parameters(model) == COUNTS[name]


def test_the_deepest_network_has_19_million_parameters():
    with shapes_only():
        model = models.resnet1202()
    assert count_parameters(model) == COUNTS["resnet1202"] == 19_421_274
    assert sum(isinstance(m, Conv2d) for m in model.modules()) + 1 == 1202


@pytest.mark.parametrize("depth", [20, 56, 110])
def test_option_b_adds_2752_parameters_and_a_plain_twin_none(depth):
    name = f"resnet{depth}"
    assert count_parameters(models.create(name, shortcut="B")) == COUNTS[name] + 2752
    assert models.create(f"plain{depth}").state_dict().keys() == models.create(name).state_dict().keys()


def test_a_plain_twin_has_the_weights_of_its_resnet_but_no_projection():
    resnet = models.resnet18().state_dict()
    plain = models.plain18().state_dict()
    assert [name for name in resnet if "downsample" not in name] == list(plain)


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet18", "resnet50"])
def test_the_seed_decides_every_bit_of_the_weights(name):
    def bits(seed):
        return {k: v.tobytes() for k, v in models.create(name, rng=seed).state_dict().items()}

    assert bits(3) == bits(3)
    assert bits(3)["conv1.weight"] != bits(4)["conv1.weight"]


@pytest.mark.parametrize(("name", "fan"), [("resnet18", "out"), ("resnet20", "in")])
def test_convolutions_start_kaiming_normal(name, fan):
    for module in models.create(name, rng=0).modules():
        if isinstance(module, Conv2d):
            O, C, KH, KW = module.weight.shape
            expected = np.sqrt(2 / ((O if fan == "out" else C) * KH * KW))
            n = module.weight.numel()
            assert module.weight.data.std() == pytest.approx(expected, rel=5 / np.sqrt(2 * n))
            assert abs(module.weight.data.mean()) < 5 * expected / np.sqrt(n)


@pytest.mark.parametrize(("variant", "strides"), [("v1", (2, 1)), ("v1.5", (1, 2))])
def test_the_variant_says_which_convolution_strides(variant, strides):
    block = models.resnet50(variant=variant).layer2[0]
    assert tuple(conv.stride[0] for conv in (block.conv1, block.conv2)) == strides
    assert block.downsample[0].stride == (2, 2)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnet20"])
def test_zero_init_residual_makes_every_block_its_shortcut(name):
    model = models.create(name, zero_init_residual=True, rng=0)
    seen = []
    for stage in (model.layer1, model.layer2):
        for _, block in stage.named_children():
            block.register_forward_hook(
                lambda b, inputs, y: seen.append(np.array_equal(y.data, ops.relu(b.downsample(inputs[0])).data))
            )
    model.eval()(Tensor(np.random.default_rng(0).standard_normal((2, 3, 33, 35)).astype(np.float32)))
    assert seen
    assert all(seen)


@pytest.mark.parametrize(("name", "last"), [("resnet18", ".bn2"), ("resnet50", ".bn3"), ("resnet20", ".bn2")])
def test_zero_init_residual_concerns_the_last_norm_of_each_branch_only(name, last):
    model = models.create(name, zero_init_residual=True)
    zero = {key for key, m in model.named_modules() if isinstance(m, BatchNorm2d) and not m.weight.data.any()}
    assert zero == {key for key, _ in model.named_modules() if key.endswith(last) and "." in key}
    assert len(zero) == sum(isinstance(m, Block) for m in model.modules())


def test_option_a_takes_every_other_pixel_and_pads_channels_on_both_sides():
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 6))
    y = PadShortcut(4, 8, stride=2)(Tensor(x)).data
    assert y.shape == (2, 8, 3, 3)
    np.testing.assert_array_equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert not y[:, :2].any()
    assert not y[:, 6:].any()


@pytest.mark.parametrize(
    ("name", "sizes"), [("resnet20", [32, 16, 8]), ("plain18", [16, 8, 4, 2]), ("resnet50", [16, 8, 4, 2])]
)
def test_each_stage_but_the_first_halves_the_map(name, sizes):
    model = models.create(name, rng=0).eval()
    size = 32 if "layer4" not in vars(model) else 64
    found = []
    for i in range(1, len(sizes) + 1):
        getattr(model, f"layer{i}").register_forward_hook(lambda m, inputs, y: found.append(y.shape[2:]))
    model(Tensor(np.zeros((1, 3, size, size), np.float32)))
    assert found == [(n, n) for n in sizes]


def silent(name):
    """A network whose branches all give zero, its input, and the norm of the loss gradient that reaches it."""
    model = models.create(name, rng=0)
    for stage in (model.layer1, model.layer2, model.layer3):
        for _, block in stage.named_children():
            block.last.weight.data.fill(0)
    x = Tensor(np.random.default_rng(0).standard_normal((4, 3, 16, 16)).astype(np.float32), requires_grad=True)
    ops.cross_entropy(model(x), np.array([0, 1, 2, 3])).backward()
    return float(np.abs(x.grad).max())


def test_gradient_reaches_input_when_every_branch_is_zero():
    assert silent("resnet20") > 1e-4


def test_without_shortcuts_a_zero_branch_stops_the_gradient():
    assert silent("plain20") == 0


@pytest.mark.parametrize(("channels", "laid_out"), [(3, channels_last), (3, np.ascontiguousarray), (1, channels_last)])
@pytest.mark.parametrize(("name", "size"), [("resnet20", 12), ("resnet20 B", 12), ("resnet18", 40), ("resnet50", 40)])
def test_maps_are_channels_last_forward_and_backward(name, size, channels, laid_out):
    """In both memory formats; images of one channel have both at once."""
    model = models.create(name.split()[0], in_channels=channels, rng=0, **({"shortcut": "B"} if " " in name else {}))
    layouts = []

    def watch(module, inputs, y):
        layouts.append((type(module).__name__, is_channels_last(y.data)))
        y.register_hook(lambda dy: layouts.append((type(module).__name__, is_channels_last(dy))))

    for module in model.modules():
        if isinstance(module, (Block, Conv2d, BatchNorm2d)):
            module.register_forward_hook(watch)
    x = np.random.default_rng(0).standard_normal((2, channels, size, size + 4)).astype(np.float32)
    ops.cross_entropy(model(Tensor(laid_out(x))), np.array([0, 1])).backward()
    assert len(layouts) > 80
    assert {kind for kind, stays in layouts if not stays} == set()


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize("name", [name for name in COUNTS if name != "resnet1202"])
def test_every_network_says_on_a_gpu_what_it_says_here(name, place):
    size = 33 if COUNTS[name] > 5_000_000 else 8
    x = channels_last(np.random.default_rng(0).standard_normal((2, 3, size, size + 1)))
    model = models.create(name, rng=0).to(np.float64).eval()
    with no_grad():
        expected = model(Tensor(x)).data
        found = model.to(place.device)(Tensor(place.array(x))).data
    assert type(found) is type(place.array(x))
    # each of up to 152 layers adds a rounding of its own, u = 1.1e-16, of sums in another order
    assert np.abs(host(found) - expected).max() <= 1e-13 * np.abs(expected).max()


def test_an_unknown_model_gets_a_suggestion():
    with pytest.raises(OptionError, match=r"there is no model 'resnet5'; did you mean .*resnet"):
        models.create("resnet5")
    with pytest.raises(OptionError, match=r"models\.names\(\) lists the \d+ that"):
        models.create("xyz")


@pytest.mark.parametrize("options", [{"shortcut": "D"}, {"variant": "v2"}])
def test_unknown_options_of_a_block_are_refused(options):
    with pytest.raises(OptionError, match="must be"):
        models.resnet50(**options)


def test_only_depths_of_6n_plus_2_exist():
    from minires.models.resnet_cifar import CifarResNet

    with pytest.raises(OptionError, match=r"6n \+ 2 layers .* got depth 21"):
        CifarResNet(21)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("resnet20", {"in_channels": 1, "num_classes": 7}, (2, 1, 8, 8)),
        ("resnet18", {"in_channels": 4}, (1, 4, 64, 33)),
    ],
)
def test_channels_and_classes_can_be_chosen(name, options, shape):
    model = models.create(name, **options).eval()
    assert model(Tensor(np.zeros(shape, np.float32))).shape == (shape[0], options.get("num_classes", 1000))


def test_every_norm_starts_as_the_identity():
    for module in models.resnet20().modules():
        if isinstance(module, BatchNorm2d):
            assert (module.weight.data == 1).all()
            assert not module.bias.data.any()


def test_a_block_says_whether_it_is_residual():
    assert all(block.residual for block in models.resnet8().modules() if isinstance(block, Block))
    plain = [block for block in models.plain8().modules() if isinstance(block, Block)]
    assert len(plain) == 3
    assert not any(block.residual for block in plain)
