"""Operations and bytes are counted as by hand, and counting leaves no trace."""

from importlib import import_module

import numpy as np
import pytest

from minires import Tensor, models, no_grad, op, ops
from minires.probes import Cost, listen
from minires.probes import costs as costs_of

counts = import_module("minires.probes.costs")
MAC = 2  # a multiplication and an addition


def images(count, size):
    return np.ones((count, 3, size, size), np.float32), np.arange(count)


def macs(name, size, classes):
    """Of convolutions and the classifier, forward, for one image."""
    costs = costs_of(models.create(name, num_classes=classes, rng=0), *images(1, size), training=False)
    return sum(cost.flops for cost in costs) // MAC


def test_backward_multiplies_twice_as_much_except_that_images_need_no_gradient():
    model = models.resnet20(rng=0)
    costs = costs_of(model, *images(2, 8))
    by_direction = {d: sum(c.flops for c in costs if c.direction == d) for d in ("forward", "backward")}
    first = MAC * 2 * 8 * 8 * 16 * 3 * 9
    assert by_direction["backward"] == 2 * by_direction["forward"] - first


def test_bytes_of_each_op_are_those_of_its_arrays():
    rng = np.random.default_rng(0)
    x, w, v, f = (
        Tensor(rng.standard_normal(s, dtype=np.float32), requires_grad=True)
        for s in ((2, 3, 4, 4), (5, 3, 1, 1), (5,), (2, 5, 4, 4))
    )
    found = []
    with listen(on_op=lambda *call: found.extend(counts._costs(*call, training=True))):
        y = ops.relu(ops.batch_norm(ops.conv2d(x, w), v, v, training=True))
        ops.flatten(ops.residual_add(y, f), start_dim=1)
        ops.residual_add_relu(y, f)
        ops.conv_norm(x, w, v, v, training=True)
        ops.conv_norm(x, w, v, v, training=True, relu=True)
    small, large, weight, channel = 4 * 96, 4 * 160, 4 * 15, 4 * 5
    assert found == [
        Cost("conv2d", "forward", MAC * 160 * 3, small + weight + large),
        Cost("conv2d", "backward", 2 * MAC * 160 * 3, large + 2 * (small + weight)),
        Cost("batch_norm", "forward", 0, 2 * large + 2 * channel),
        Cost("batch_norm", "backward", 0, 3 * large + 2 * channel),
        Cost("relu", "forward", 0, 2 * large),
        Cost("relu", "backward", 0, 3 * large),
        Cost("residual_add", "forward", 0, 3 * large),
        Cost("residual_add", "backward", 0, 0),
        Cost("flatten", "forward", 0, 0),
        Cost("flatten", "backward", 0, 0),
        Cost("residual_add_relu", "forward", 0, 3 * large),
        Cost("residual_add_relu", "backward", 0, 4 * large),
        Cost("conv_norm", "forward", MAC * 160 * 3, small + weight + 2 * channel + large),
        Cost("conv_norm", "backward", 2 * MAC * 160 * 3, large + 2 * (small + weight + channel)),
        Cost("conv_norm", "forward", MAC * 160 * 3, small + weight + 2 * channel + large),
        Cost("conv_norm", "backward", 2 * MAC * 160 * 3, 2 * large + 2 * (small + weight + channel)),
    ]


def test_attention_multiplies_queries_by_keys_and_weights_by_values():
    rng = np.random.default_rng(0)
    q, k, v = (
        Tensor(rng.standard_normal(s, dtype=np.float32), requires_grad=True) for s in ((6, 4, 3), (5, 3), (5, 7))
    )
    found = []
    with listen(on_op=lambda *call: found.extend(counts._costs(*call, training=True))):
        ops.scaled_dot_product_attention(q, k, v)
    inputs = 4 * (72 + 15 + 35)
    assert found == [
        Cost("scaled_dot_product_attention", "forward", MAC * 6 * 4 * 5 * (3 + 7), inputs + 4 * 168),
        Cost(
            "scaled_dot_product_attention",
            "backward",
            2 * MAC * 6 * 4 * 5 * (3 + 7),
            4 * 168 + inputs + 4 * 6 * 4 * 5 + inputs,
        ),
    ]


def test_listening_leaves_no_trace():
    heard = []
    x = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(ZeroDivisionError), listen(on_time=lambda *event: heard.append(event[:2])):  # noqa: PT012
        ops.relu(x).sum().backward()
        raise ZeroDivisionError
    assert heard == [("relu", "forward"), ("sum", "forward"), ("sum", "backward"), ("relu", "backward")]
    with no_grad():
        ops.relu(x)
    assert len(heard) == 4


@pytest.mark.parametrize(
    ("name", "size", "classes", "expected"),
    [("resnet20", 32, 10, 40_551_040), ("resnet18", 224, 1000, 1_814_073_344), ("resnet50", 224, 1000, 4_089_184_256)],
)
def test_multiplications_of_known_networks_are_counted_exactly(name, size, classes, expected):
    assert macs(name, size, classes) == expected


def counted(call):
    """The multiply-adds of the ops that call() makes."""
    found = []
    with listen(on_op=lambda *arguments: found.append(counts.multiply_adds(*arguments))):
        call()
    return sum(found)


@pytest.mark.parametrize(
    ("shapes", "expected"),
    [
        (((7,), (7,)), 7),
        (((5, 7), (7,)), 5 * 7),
        (((5, 7), (7, 3)), 5 * 7 * 3),
        (((2, 1, 5, 7), (4, 7, 3)), 2 * 4 * 5 * 7 * 3),
    ],
)
def test_a_product_of_matrices_multiplies_rows_by_columns(shapes, expected):
    a, b = (Tensor(np.ones(shape)) for shape in shapes)
    assert counted(lambda: a @ b) == expected


@pytest.mark.parametrize(
    ("equation", "shapes", "expected"),
    [
        ("ij->ji", [(2, 3)], 0),  # nothing is multiplied
        ("ij,jk->ik", [(2, 3), (3, 5)], 2 * 3 * 5),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 7, 5)], 2 * 3 * 4 * 7 * 5),
        ("ij,jk,kl->il", [(2, 3), (3, 5), (5, 7)], 2 * 3 * 5 + 2 * 5 * 7),  # from the left
        ("ij,k->k", [(2, 3), (5,)], 5),  # the sum over i and j comes first
        ("i,i,i->", [(4,), (4,), (4,)], 4 + 4),
        ("iij,jk->ik", [(2, 2, 3), (3, 5)], 2 * 3 * 5),  # of the diagonal
    ],
)
def test_einsum_multiplies_two_arrays_at_a_time(equation, shapes, expected):
    arrays = [Tensor(np.ones(shape)) for shape in shapes]
    assert counted(lambda: ops.einsum(equation, *arrays)) == expected


def test_a_product_of_matrices_costs_what_a_linear_layer_costs():
    a = Tensor(np.ones((5, 7)), requires_grad=True)
    b = Tensor(np.ones((7, 3)), requires_grad=True)
    c = Tensor(np.ones((3, 7)), requires_grad=True)
    found = []
    with listen(on_op=lambda *call: found.extend(counts._costs(*call, training=True))):
        _ = a @ b
        ops.linear(a, c)
    assert [tuple(cost)[1:] for cost in found[:2]] == [tuple(cost)[1:] for cost in found[2:]]
    assert found[0].flops == MAC * 5 * 7 * 3


def test_an_op_of_a_users_own_is_not_taken_for_ours(own_ops):
    @op
    def conv2d(x):
        return x + 1, lambda dy: dy

    assert counted(lambda: conv2d(Tensor(np.ones(3)))) == 0
