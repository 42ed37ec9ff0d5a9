"""Variants of the CIFAR networks: other shortcuts, orders of a block's parts, no norm, and stochastic depth."""

import math

import numpy as np
import pytest

import minires
from minires import Tensor, kernels, models, nn, no_grad, ops
from minires.errors import DTypeError, OptionError, ShapeError
from minires.gradcheck import check_module
from minires.models import orders
from minires.models.blocks import BasicBlock, Block, PreActBlock
from minires.models.shortcuts import KINDS
from minires.models.variants import ChannelAffine

SHORTCUTS = ["A", "B", "C", *KINDS]
BLOCKS = [BasicBlock, PreActBlock, *(block for block in orders.ORDERS.values() if block is not BasicBlock)]


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape)


def evaluated(block):
    """The block in float64 and evaluation, with a norm that does something."""
    rng = np.random.default_rng(1)
    block = block.to(np.float64).eval()
    for module in block.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data[...] = rng.uniform(0.5, 1.5, module.weight.shape)
            module.bias.data[...] = rng.normal(0, 0.5, module.bias.shape)
    return block


@pytest.mark.parametrize("shape", [(4, 4, 1), (3, 5, 2)])
@pytest.mark.parametrize("kind", SHORTCUTS)
def test_a_block_computes_what_its_shortcut_says(kind, shape):
    """H = relu(h(x) + w·F(x)) with the h and w of Table 1, computed here from S(x), F(x) and the gate alone."""
    channels, width, stride = shape
    block = evaluated(BasicBlock(channels, width, stride, shortcut=kind, rng=0))
    plain = evaluated(BasicBlock(channels, width, stride, shortcut=None, rng=0))
    plain.load_state_dict({k: v for k, v in block.state_dict().items() if "downsample" not in k})
    x = images(2, channels, 6, 7)
    f = plain.branch(Tensor(x)).data
    s = np.zeros((2, width, *f.shape[2:]))
    before = (width - channels) // 2
    s[:, before : before + channels] = x[:, :, ::stride, ::stride]
    h, w = s, 1
    if kind == "scale":
        h, w = s / 2, 1 / 2
    elif kind.endswith("gate"):
        gate = block.downsample.gate
        z = np.einsum("oc,nchw->nohw", gate.weight.data[:, :, 0, 0], x[:, :, ::stride, ::stride])
        g = 1 / (1 + np.exp(-z - gate.bias.data.reshape(1, -1, 1, 1)))
        h, w = (1 - g) * s, g if kind == "exclusive_gate" else 1
    elif kind == "C" or (kind == "B" and stride == 2):
        h = block.downsample(Tensor(x)).data
    np.testing.assert_allclose(block(Tensor(x)).data, np.maximum(h + w * f, 0), atol=1e-12)


def test_dropout_on_the_shortcut_drops_half_of_it_and_nothing_of_the_branch():
    block = BasicBlock(4, 4, shortcut="dropout", rng=0)
    x = Tensor(np.ones((2, 4, 32, 32), np.float32))
    h = block.downsample(x).data
    assert set(np.unique(h)) == {0.0, 2.0}
    assert abs((h == 0).mean() - 0.5) < 0.05
    np.testing.assert_array_equal(block.eval().downsample(x).data, x.data)


def test_a_gate_begins_where_the_paper_says():
    exclusive, shortcut_only = (
        BasicBlock(4, 4, shortcut=kind, rng=0).downsample for kind in ("exclusive_gate", "shortcut_gate")
    )
    assert (exclusive.gate.bias.data == -6).all()
    assert (shortcut_only.gate.bias.data == 0).all()
    zeros = Tensor(np.zeros((1, 4, 1, 1), np.float32))
    assert exclusive.branch_weight(zeros).data == pytest.approx(1 / (1 + math.exp(6)))


@pytest.mark.parametrize("kind", [*SHORTCUTS, None])
@pytest.mark.parametrize("block", BLOCKS)
def test_the_gradients_of_every_block_are_checked(block, kind):
    if kind == "dropout":
        block = block(2, 2, shortcut=kind, rng=0).eval()
    else:
        block = block(2, 3, 2, shortcut=kind, rng=0)
    assert check_module(block, images(2, 2, 4, 5), seed=2).passed


@pytest.mark.parametrize("kind", SHORTCUTS)
def test_the_parts_of_the_gradient_add_up_for_every_shortcut(kind):
    """branch is all of F, with its weight, so that the probes need not know of the shortcut's kind."""
    from minires.probes import residual_paths

    model = models.resnet8(shortcut=kind, rng=0).eval()
    for gradient in residual_paths(model, images(2, 3, 8, 8).astype(np.float32), np.array([1, 2])):
        assert gradient.rounding < 1e-12


FORMULAS = {
    "original": lambda b, S, x: ops.relu(S(x) + b.bn2(b.conv2(ops.relu(b.bn1(b.conv1(x)))))),
    "norm_after_add": lambda b, S, x: ops.relu(b.bn2(S(x) + b.conv2(ops.relu(b.bn1(b.conv1(x)))))),
    "relu_before_add": lambda b, S, x: S(x) + ops.relu(b.bn2(b.conv2(ops.relu(b.bn1(b.conv1(x)))))),
    "relu_first": lambda b, S, x: S(x) + b.bn2(b.conv2(ops.relu(b.bn1(b.conv1(ops.relu(x)))))),
}


@pytest.mark.parametrize("order", orders.ORDERS)
def test_a_block_has_its_parts_in_the_order_of_the_figure(order):
    block = evaluated(orders.ORDERS[order](4, 4, rng=0))
    x = Tensor(images(2, 4, 5, 6))
    np.testing.assert_allclose(block(x).data, FORMULAS[order](block, lambda x: x, x).data, atol=1e-12)


@pytest.mark.parametrize("order", orders.ORDERS)
def test_an_order_has_the_same_weights_and_ends_in_a_relu_before_the_classifier(order):
    model = models.resnet8(order=order, rng=0)
    original = models.resnet8(rng=0).state_dict()
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, original[name])
    taken = []
    model.linear.register_forward_hook(lambda layer, inputs, y: taken.append(inputs[0].data))
    model(Tensor(images(4, 3, 8, 8).astype(np.float32)))
    assert (taken[0] >= 0).all()


def test_a_network_without_norms_has_the_weights_of_its_twin_and_forgets_no_scale():
    for name in ("plain8", "preact_resnet20"):
        model = models.create(name, norm=None, rng=0)
        twin = models.create(name, rng=0)
        assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
        state = model.state_dict()
        assert list(state) == [key for key in twin.state_dict() if "running" not in key and "tracked" not in key]
        assert all((state[key] == twin.state_dict()[key]).all() for key in state)
    model = models.plain8(norm=None, rng=0)
    x = images(2, 3, 8, 8).astype(np.float32)
    bias = model.linear.bias.data
    once, twice = (model(Tensor(x * scale)).data - bias for scale in (1, 2))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-4)


def test_the_gradients_of_a_channel_affine_are_checked():
    layer = ChannelAffine(3)
    layer.weight.data[...] = [1, -2, 0.5]
    assert check_module(layer, images(2, 3, 4, 5)).passed


def test_blocks_are_left_out_with_linearly_growing_probability():
    model = models.resnet20(stochastic_depth=0.5, rng=0)
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    np.testing.assert_allclose([block.drop.p for block in blocks], np.arange(1, 10) / 18)
    assert {block.drop.mode for block in blocks} == {"batch"}
    assert all(block.drop is None for block in models.resnet20(rng=0).modules() if isinstance(block, Block))


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d", "se_resnet18", "preact_resnet18"])
def test_imagenet_networks_leave_out_blocks_by_the_same_rule(name):
    with kernels.shapes_only():
        model = models.create(name, stochastic_depth=0.5)
        plain = models.create(name)
    blocks = [module for module in model.modules() if isinstance(module, Block)]
    np.testing.assert_allclose([block.drop.p for block in blocks], np.arange(1, len(blocks) + 1) / (2 * len(blocks)))
    assert all(block.drop is None for block in plain.modules() if isinstance(block, Block))
    with pytest.raises(OptionError, match="stochastic_depth needs shortcuts"):
        models.plain18(stochastic_depth=0.5)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_that_is_left_out_is_its_shortcut_and_computes_no_branch(block):
    block = block(4, 4, rng=0)
    whole = block(Tensor(images(2, 4, 5, 5).astype(np.float32))).data
    block.drop = nn.StochasticDepth(1.0, "batch", rng=0)
    x = Tensor(images(2, 4, 5, 5).astype(np.float32), requires_grad=True)
    y = block(x)
    y.sum().backward()
    assert all(p.grad is None for name, p in block.named_parameters() if name.startswith("conv"))
    if isinstance(block, orders.NormAfterAddBlock):
        np.testing.assert_array_equal(y.data, ops.relu(block.bn2(x)).data)
    else:
        np.testing.assert_array_equal(y.data, np.maximum(x.data, 0) if block.ends_in_relu else x.data)
    block.drop = nn.StochasticDepth(0.0, "batch", rng=0)
    np.testing.assert_array_equal(block(x).data, whole)


def test_in_evaluation_no_block_is_left_out():
    x = Tensor(images(2, 3, 8, 8).astype(np.float32))
    model = models.resnet8(stochastic_depth=1.0, rng=0).eval()
    np.testing.assert_array_equal(model(x).data, models.resnet8(rng=0).eval()(x).data)


def test_the_mean_over_many_passes_is_the_whole_branch():
    block = BasicBlock(2, 2, rng=0).eval()
    x = Tensor(images(1, 2, 3, 3).astype(np.float32))
    drop = nn.StochasticDepth(0.4, "batch", rng=0)
    with no_grad():
        f = block.branch(x).data
        passes = [drop.around(block.branch, x) for _ in range(2000)]
    left_out = sum(y is None for y in passes) / 2000
    assert abs(left_out - 0.4) < 4 * math.sqrt(0.4 * 0.6 / 2000)
    mean = sum(y.data.astype(float) for y in passes if y is not None) / 2000
    np.testing.assert_allclose(mean, f * (1 - left_out) / 0.6, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "resnet8",
            {"shortcut": "D"},
            "shortcut must be 'A', 'B' or None, got 'D'; for experiments there are C, scale",
        ),
        ("resnet8", {"order": "norm"}, "order must be one of original, norm_after_add, .* got 'norm'"),
        ("resnet8", {"norm": "layer"}, "norm must be 'batch' or None, got 'layer'"),
        ("resnet8", {"stochastic_depth": 1.5}, r"stochastic_depth must be a number .* at most 1, got 1\.5"),
        ("plain8", {"stochastic_depth": 0.5}, "stochastic_depth needs shortcuts"),
    ],
)
def test_an_option_that_is_none_is_refused(name, options, message):
    with pytest.raises(OptionError, match=message):
        models.create(name, **options)


def test_the_orders_are_of_basic_blocks():
    with pytest.raises(OptionError, match="order 'relu_first' is one of basic blocks, not of PreActBlock"):
        models.PreActCifarResNet(8, order="relu_first")


def test_a_seed_and_the_default_generator_leave_out_the_same_blocks_again():
    x = Tensor(images(2, 3, 8, 8).astype(np.float32))

    def passes(**options):
        model = models.resnet20(stochastic_depth=0.9, **options)
        return [model(x).data.tobytes() for _ in range(4)]

    assert passes(rng=0) == passes(rng=0)
    minires.manual_seed(1)
    first = passes()
    minires.manual_seed(1)
    assert passes() == first
    assert len(set(first)) > 1


@pytest.mark.parametrize("name", ["resnet8", "plain8", "preact_resnet20", "se_resnet20", "resnext20", "mobilenet21"])
def test_width_is_that_of_the_first_stage_and_the_others_follow(name):
    with kernels.shapes_only():
        paper = models.create(name)
        model = models.create(name, width=12, in_channels=1)
    own = 64 if name == "resnext20" else 16
    first = next(m for m in model.modules() if isinstance(m, nn.Conv2d))
    assert first.weight.shape == (12, 1, 3, 3)
    assert model.linear.in_features * own == paper.linear.in_features * 12
    y = models.create(name, width=12, in_channels=1, rng=0).eval()(Tensor(np.zeros((2, 1, 8, 8), np.float32)))
    assert y.shape == (2, 10)


@pytest.mark.parametrize("make", [models.resnet20, models.resnext20, models.mobilenet21])
def test_a_width_that_is_none_is_refused(make):
    with pytest.raises(ShapeError, match="width must be at least 1, got 0"):
        make(width=0)
    with pytest.raises(DTypeError, match=r"width must be an integer, got 1\.5"):
        make(width=1.5)
