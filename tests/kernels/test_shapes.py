"""What is not computed has the shape of what is, takes no memory, and no other block sees it."""

import tracemalloc

import numpy as np
import pytest

from minires import Tensor, kernels, models, nn, no_grad, ops
from minires.errors import CheckpointError, DTypeError, GraphError, ShapeError
from minires.kernels import shapes_only
from minires.kernels.shapes import BROADCASTING, OF_ONE_SHAPE, is_blank
from minires.op import registry
from minires.summary import summary

rng = np.random.default_rng(0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("shape", "settings"),
    [
        ((2, 6, 9, 8), {}),
        ((1, 6, 9, 8), {"stride": (2, 3), "padding": (1, 0)}),
        ((3, 6, 9, 9), {"dilation": 2, "padding": 1}),
        ((2, 3, 9, 8), {"groups": 2, "padding": "same"}),
    ],
)
def test_a_convolution_has_the_shape_and_type_of_a_real_one(shape, settings, dtype):
    x = rng.standard_normal((shape[0], 6, *shape[2:])).astype(dtype)
    w = rng.standard_normal((4, shape[1], 3, 3)).astype(dtype)
    real, _ = ops.conv2d.raw(x, w, **settings)
    with shapes_only():
        y, _ = ops.conv2d.raw(x, w, **settings)
    assert (y.shape, y.dtype) == (real.shape, real.dtype)
    assert is_blank(y)
    assert real.any()
    assert not y.any()


def test_the_fused_convolution_is_not_computed_either():
    x = rng.standard_normal((2, 3, 5, 5))
    w = rng.standard_normal((4, 3, 1, 1))
    v = np.ones(4)
    settings = {"running_mean": v, "running_var": v}
    real, _ = ops.conv_norm.raw(x, w, v, v, **settings)
    with shapes_only():
        y, _ = ops.conv_norm.raw(x, w, v, v, **settings)
    assert y.shape == real.shape
    assert not y.any()


def test_after_the_block_the_choice_is_what_it_was_before():
    with kernels.use("direct"):
        with shapes_only():
            assert kernels.chosen() == "shapes"
        assert kernels.chosen() == "direct"
    with pytest.raises(ValueError, match="choose one of fastest, direct, readable, naive, got 'shapes'"):
        kernels.use("shapes")


# Calls of ops, on arrays that are drawn, and on arrays without values
STATISTICS = {"running_mean": np.ones(6), "running_var": np.ones(6)}
ONE = sorted(OF_ONE_SHAPE - {"residual_add"})
TWO = sorted(BROADCASTING - {"where"})
CALLS = {
    "conv2d with a bias": lambda draw: ops.conv2d(draw(2, 6, 9, 8), draw(4, 6, 3, 3), draw(4)),
    "batch_norm": lambda draw: ops.batch_norm(draw(2, 6, 9, 8), draw(6), draw(6), **STATISTICS),
    "batch_norm of a matrix": lambda draw: ops.batch_norm(draw(5, 6), draw(6), draw(6), **STATISTICS),
    "batch_norm_relu": lambda draw: ops.batch_norm_relu(draw(2, 6, 9, 8), draw(6), draw(6), **STATISTICS),
    "residual_add": lambda draw: ops.residual_add(draw(2, 6, 9, 8), draw(2, 6, 9, 8)),
    "residual_add_relu": lambda draw: ops.residual_add_relu(draw(2, 6, 9, 8), draw(2, 6, 9, 8)),
    "max_pool2d": lambda draw: ops.max_pool2d(draw(2, 6, 9, 8), kernel_size=3, stride=2, padding=1),
    "avg_pool2d": lambda draw: ops.avg_pool2d(draw(2, 6, 9, 8), kernel_size=(3, 2)),
    "adaptive_avg_pool2d": lambda draw: ops.adaptive_avg_pool2d(draw(2, 6, 9, 8), output_size=(2, 3)),
    "linear": lambda draw: ops.linear(draw(2, 3, 6), draw(4, 6), draw(4)),
    "matmul": lambda draw: ops.matmul(draw(2, 1, 3, 6), draw(5, 6, 4)),
    "matmul of vectors": lambda draw: ops.matmul(draw(6), draw(6)),
    "einsum": lambda draw: ops.einsum("nij,jk->kni", draw(2, 3, 6), draw(6, 4)),
    "attention": lambda draw: ops.scaled_dot_product_attention(draw(2, 1, 3, 6), draw(2, 4, 5, 6), draw(5, 7)),
    "layer_norm": lambda draw: ops.layer_norm(draw(2, 3, 6), draw(6), draw(6)),
    "softmax": lambda draw: ops.softmax(draw(2, 3, 6), dim=-1),
    "mul of a map and channels": lambda draw: ops.mul(draw(2, 6, 9, 8), draw(2, 6, 1, 1)),
    "where": lambda draw: ops.where(draw(3, 1) > 0, draw(1, 4), 0.5),
    "cat": lambda draw: ops.cat([draw(2, 3, 4, 4), draw(2, 5, 4, 4)], dim=1),
    "flatten": lambda draw: ops.flatten(draw(2, 3, 4, 4), start_dim=1),
    "pad": lambda draw: ops.pad(draw(2, 3, 4, 4), pad=(1, 1, 2, 0)),
    **{f"{name} of one": lambda draw, name=name: registry[name](draw(2, 6, 9, 8)) for name in ONE},
    **{f"{name} of two": lambda draw, name=name: registry[name](draw(3, 1), draw(4)) for name in TWO},
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("call", CALLS)
def test_every_op_has_the_shape_and_type_that_it_has_with_values(call, dtype):
    STATISTICS.update(running_mean=np.ones(6, dtype), running_var=np.ones(6, dtype))
    drawn = CALLS[call](lambda *shape: Tensor(rng.uniform(0.5, 2, shape).astype(dtype)))
    with shapes_only():
        blank = CALLS[call](lambda *shape: Tensor(np.broadcast_to(dtype(0.5), shape)))
    assert (blank.shape, blank.dtype) == (drawn.shape, drawn.dtype)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: ops.residual_add(x, Tensor(np.ones((2, 6, 1, 8)))), "the shortcut has shape"),
        (lambda x: ops.add(x, Tensor(np.ones(7))), "add: "),
        (lambda x: ops.linear(x, Tensor(np.ones((4, 7)))), "linear: x .* and weight .* do not fit"),
        (lambda x: ops.matmul(x, Tensor(np.ones((3, 5, 8, 2)))), "the leading axes of .* do not broadcast"),
        (lambda x: ops.batch_norm(x, *map(Tensor, np.ones((2, 7))), **STATISTICS), "batch_norm: "),
    ],
)
def test_what_does_not_fit_is_refused_as_ever(call, message):
    with shapes_only(), pytest.raises(ShapeError, match=message):
        call(Tensor(np.broadcast_to(0.5, (2, 6, 9, 8))))


def test_values_of_ones_own_are_computed_as_ever():
    """A network may compute an index, say. Only what comes from kernels is without values."""
    numbers = Tensor(np.arange(6))
    with shapes_only():
        np.testing.assert_array_equal((numbers * 2 + 1).data, [1, 3, 5, 7, 9, 11])
        np.testing.assert_array_equal(ops.relu(Tensor(np.array([-1.0, 2.0]))).data, [0, 2])


def test_a_network_is_built_and_counted_in_less_memory_than_one_of_its_weights():
    """A ResNet-152 has 240 MB of weights; its largest map alone has 3 MB."""
    tracemalloc.start()
    try:
        with shapes_only():
            model = models.resnet152()
        assert summary(model, (1, 3, 224, 224)).nbytes == 4 * nn.count_parameters(model) == 240_771_232
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 9e6


def test_a_network_without_values_has_the_state_of_one_with_values():
    with shapes_only():
        blank = models.preact_resnet20(norm=None, branches="fixup", zero_init_residual=True)
    state = models.preact_resnet20(norm=None).state_dict()
    assert [(k, v.shape, v.dtype) for k, v in blank.state_dict().items()] == [
        (k, v.shape, v.dtype) for k, v in state.items()
    ]
    assert blank.layer1[0].conv1.weight.requires_grad


def test_its_weights_are_not_taken_for_numbers():
    with shapes_only():
        layer = nn.Linear(3, 2)
        with pytest.raises(DTypeError, match="init needs a Tensor or Parameter"):
            nn.init.normal_(layer)
    with pytest.raises(GraphError, match="read-only"):
        nn.init.normal_(layer.weight)
    with pytest.raises(CheckpointError, match="read-only in the model: weight, bias"):
        layer.load_state_dict(nn.Linear(3, 2).state_dict())
    with no_grad(), pytest.raises(GraphError, match="read-only"):
        layer.weight.zero_()
