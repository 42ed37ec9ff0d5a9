"""Gradients that meet are added up, lie in memory of their own, and go only where they are asked for."""

import numpy as np
import pytest
from leaves import leaf

import minires
from minires import Tensor, kernels, models, ops
from minires.arrays import channels_last
from minires.errors import GraphError


def test_a_value_used_twice_receives_both_gradients():
    x = leaf(3)
    a, b = x * 2.0, x * 3.0
    (a * b + x).sum().backward()
    np.testing.assert_allclose(x.grad, 12 * x.data + 1, rtol=1e-15)


def test_many_uses_add_up():
    x = leaf(4)
    total = x
    for _ in range(9):
        total = total + x
    total.backward(np.arange(4.0))
    np.testing.assert_array_equal(x.grad, 10 * np.arange(4.0))


def test_an_op_that_returns_one_array_twice_is_not_hurt_by_accumulation():
    x = leaf(3)
    f = leaf(3, seed=1)
    upstream = np.array([1.0, 2.0, 3.0])
    (ops.residual_add(x, f) + x + x).backward(upstream)
    np.testing.assert_array_equal(x.grad, 3 * upstream)
    np.testing.assert_array_equal(f.grad, upstream)
    np.testing.assert_array_equal(upstream, [1, 2, 3])


def test_a_new_array_that_an_op_returns_twice_is_not_written_over():
    x = leaf(3)
    f = leaf(3, seed=1)
    a, b = x * 1.0, f * 1.0
    more = a * 3.0  # older than the add: its gradient meets the add's at `a` while the one of `b` still waits
    h = ops.residual_add_relu(a, b)
    (h + more).sum().backward()
    mask = (x.data + f.data > 0).astype(float)
    np.testing.assert_array_equal(x.grad, mask + 3)
    np.testing.assert_array_equal(f.grad, mask)


@pytest.mark.parametrize(
    "function",
    [
        ops.residual_add,
        ops.add,
        ops.sub,
        lambda x, f: ops.add(x.reshape(3), f.T.reshape(3)),
        lambda x, f: x + x + f + f,
        lambda x, f: ops.cat([x, f]),
        lambda x, f: ops.stack([x, f]),
        lambda x, f: x.sum() + f.mean(),
        lambda x, f: x.T,
    ],
    ids=range(9),
)
def test_gradients_of_leaves_never_share_memory(function):
    x = leaf(3, 1)
    f = leaf(3, 1, seed=1)
    y = function(x, f)
    upstream = np.ones(y.shape)
    y.backward(upstream)
    arrays = [a for a in (x.grad, f.grad, x.data, f.data, upstream) if a is not None]
    for i, a in enumerate(arrays):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in arrays[:i])


def test_a_leaf_is_its_own_root():
    x = leaf(3)
    upstream = np.ones(3)
    x.backward(upstream)
    np.testing.assert_array_equal(x.grad, upstream)
    assert not np.shares_memory(x.grad, upstream)


def test_backward_adds_to_the_gradient_that_is_there():
    x = leaf(3)
    (x * 2.0).sum().backward()
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 5.0))


WEIGHTS = np.array([1.0, -2.0, 3.0, 5.0])
SIGNS = np.array([1.0, -1.0, -1.0, 1.0])


def signed():
    return Tensor(SIGNS.copy(), requires_grad=True)


def test_a_gradient_that_others_hold_is_not_written_over():
    upstream = WEIGHTS.copy()
    seen = []
    x = signed()
    f = signed()
    y = ops.relu(x)
    y.backward(upstream)  # the caller has it
    np.testing.assert_array_equal(upstream, WEIGHTS)

    y = ops.relu(x * 2.0)
    y.retain_grad()  # .grad has it
    (y * WEIGHTS).sum().backward()
    np.testing.assert_array_equal(y.grad, WEIGHTS)

    y = ops.relu(x * 2.0)
    y.register_hook(seen.append)  # a hook has it
    (y * WEIGHTS).sum().backward()
    np.testing.assert_array_equal(seen[0], WEIGHTS)

    x.grad = None
    a = ops.relu(x)
    b = -f
    (ops.residual_add(a, b) * WEIGHTS).sum().backward()  # the other branch has it
    np.testing.assert_array_equal(x.grad, WEIGHTS * (SIGNS > 0))
    np.testing.assert_array_equal(f.grad, -WEIGHTS)


def test_the_images_are_not_differentiated(monkeypatch):
    calls = []
    for name in ("conv_dx", "conv_dx_dw"):
        kernel = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *args, kernel=kernel: calls.append(1) or kernel(*args))
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)
    model = models.resnet8(in_channels=1, rng=0)
    ops.cross_entropy(model(Tensor(x)), np.array([0, 1])).backward()
    without = len(calls)
    ops.cross_entropy(model(Tensor(x, requires_grad=True)), np.array([0, 1])).backward()
    assert len(calls) == 2 * without + 1


def test_a_frozen_layer_gets_no_gradient_and_passes_it_on():
    model = models.resnet8(in_channels=1, rng=0)
    for parameter in model.layer2.parameters():
        parameter.requires_grad = False
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8)).astype(np.float32)
    ops.cross_entropy(model(Tensor(x)), np.array([0, 1])).backward()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == name.startswith("layer2"), name


def test_a_gradient_that_backward_made_is_kept_and_not_copied(own_ops):
    made = []

    @minires.op
    def double(x):
        def backward(dy):
            made.append(2 * dy)
            return made[-1]

        return 2 * x, backward

    x = Tensor(np.ones(3), requires_grad=True)
    double(x).backward(np.ones(3))
    assert x.grad is made[0]


@pytest.mark.parametrize(
    "make",
    [
        lambda x, f: ops.residual_add(x, f),  # dy itself, twice
        lambda x, f: ops.add(x, f),
        lambda x, f: ops.reshape(x, shape=(6,)) + ops.reshape(f, shape=(6,)),  # views of dy
        lambda x, f: ops.stack([x, f]),  # parts of dy
        lambda x, f: x * Tensor(np.ones((2, 3))) + f * 1.0,
        lambda x, f: x + f + x,
    ],
    ids=["residual", "add", "reshape", "stack", "mul", "twice"],
)
def test_gradients_share_no_memory_with_one_another_nor_with_the_upstream(make):
    x, f = (Tensor(np.random.default_rng(i).standard_normal((2, 3)), requires_grad=True) for i in (0, 1))
    y = make(x, f)
    y.retain_grad()
    upstream = np.ones(y.shape)
    y.backward(upstream)
    arrays = [x.grad, f.grad, y.grad, upstream, x.data, f.data]
    for i, a in enumerate(arrays):
        for b in arrays[i + 1 :]:
            assert not np.may_share_memory(a, b)


def test_what_a_backward_or_a_hook_keeps_is_copied(own_ops):
    kept = np.ones(3)

    @minires.op
    def keeping(x):
        return x * 1, lambda dy: kept

    x = Tensor(np.ones(3), requires_grad=True)
    keeping(x).backward(np.ones(3))
    assert not np.may_share_memory(x.grad, kept)
    seen = []
    x.grad = None
    x.register_hook(seen.append)
    (x * 3).backward(np.ones(3))
    assert not np.may_share_memory(x.grad, seen[0])


def test_a_gradient_lies_in_memory_as_its_tensor_does():
    x = Tensor(channels_last(np.ones((2, 3, 4, 5))), requires_grad=True)
    ops.sum(x * x).backward()
    assert x.grad.strides == x.data.strides
    w = Tensor(np.ones((4, 3, 3, 3)), requires_grad=True)
    ops.sum(ops.conv2d(Tensor(x.data), w)).backward()
    assert w.grad.strides == w.data.strides
    x.grad = None
    x.backward(np.ones(x.shape))  # which lies row by row, and is copied
    assert x.grad.strides == x.data.strides


def test_an_earlier_grad_is_not_written_over():
    """The user may have kept it, or given one array to two tensors."""
    x = leaf(3)
    before = x.grad = np.ones(3)
    (x * 2.0).sum().backward()
    np.testing.assert_array_equal(before, 1)
    np.testing.assert_array_equal(x.grad, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 3 + x.mean(),
        lambda x: 0.5 * x.sum() + x.sum().mean(),
        lambda x: x.relu() + x.sum(1, keepdim=True) * 2,
        lambda x: x.relu() * x.mean((0, 1), keepdim=True).sigmoid(),
        lambda x: x + x.expand(3, 1) + x.amax(1, keepdim=True),
    ],
    ids=range(5),
)
@pytest.mark.parametrize("n", [1, 3])
def test_a_gradient_that_is_read_only_is_not_added_to_in_place(function, n):
    """np.broadcast_to gives such an array where nothing is stretched, as over one element."""
    x = Tensor(np.arange(1.0, n + 1).reshape(n, 1), requires_grad=True)
    function(x).sum().backward()
    h = 1e-6
    for i in range(x.numel()):
        moved = [x.data.copy(), x.data.copy()]
        moved[0].flat[i] += h
        moved[1].flat[i] -= h
        slope = (function(Tensor(moved[0])).sum().item() - function(Tensor(moved[1])).sum().item()) / (2 * h)
        assert abs(x.grad.flat[i] - slope) < 1e-6


@pytest.mark.parametrize("equation", ["ij,kj->ik", "ij,ij->", "ij,ij->ij"])
def test_an_einsum_may_take_a_tensor_twice(equation):
    x = leaf(2, 3)
    ops.einsum(equation, x, x).sum().backward()
    other = x.data.sum(0) * np.ones((2, 1)) if equation == "ij,kj->ik" else x.data
    np.testing.assert_allclose(x.grad, 2 * other, rtol=1e-12)


BUFFER = np.empty(3)


def test_a_backward_that_returns_one_buffer_again_while_its_gradient_is_needed_is_refused(own_ops):
    """The second call would write over the gradient of the first."""

    @minires.op
    def doubled(x):
        return x * 2, lambda dy: np.multiply(dy, 2, out=BUFFER)

    a = leaf(3)
    b = leaf(3, seed=1)
    for y in (doubled(a) + doubled(a) * 10.0, doubled(a) + doubled(b)):
        with pytest.raises(GraphError, match=r"^doubled: backward returned an array that it returned before"):
            y.sum().backward()
    doubled(doubled(a)).sum().backward()  # each gradient is used before the next call
    np.testing.assert_array_equal(a.grad, [4, 4, 4])


def test_the_nodes_of_a_graph_are_printed_by_their_order_and_what_they_come_from():
    x = Tensor([0.5, -1.0], requires_grad=True)
    h = ops.residual_add(x, x.tanh())
    node = h.sum().node
    order = x.node.order
    assert repr(node) == f"Node({order + 3} sum of {order + 2} residual_add)"
    assert repr(h.node) == f"Node({order + 2} residual_add of {order} leaf, {order + 1} tanh)"
    assert repr(x.node) == f"Node({order} leaf)"
