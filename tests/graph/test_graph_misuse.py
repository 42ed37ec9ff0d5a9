"""What backward refuses: a second one, a wrong upstream gradient, arrays that were changed in place."""

import inspect

import numpy as np
import pytest
from leaves import leaf

import minires
from minires import Tensor, ops, optim
from minires.errors import DTypeError, GraphError
from minires.gradcheck import cases
from minires.op import registry


def test_a_second_backward_needs_retain_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad, 4 * x.data)
    with pytest.raises(GraphError, match="retain_graph=True"):
        y.backward()


@pytest.mark.parametrize("saves_nothing", [lambda x: x + x, lambda x: -x, lambda x: x.sum(), lambda x: x.reshape(3, 1)])
def test_a_second_backward_is_refused_although_nothing_was_saved(saves_nothing):
    """PyTorch allows it here and not where an array was saved; one rule for all graphs is easier to keep."""
    x = leaf(3)
    y = saves_nothing(x)
    y.backward(np.ones(y.shape))
    with pytest.raises(GraphError, match=r"used by backward already; .* needs retain_graph=True"):
        y.backward(np.ones(y.shape))


def test_a_shared_part_used_by_an_earlier_backward_is_noticed():
    x = leaf(3)
    shared = x * x
    first = shared.sum()
    second = (shared * 2.0).sum()
    first.backward()
    with pytest.raises(GraphError, match="used by backward already"):
        second.backward()


def test_backward_needs_something_to_differentiate():
    with pytest.raises(GraphError, match="depends on nothing"):
        Tensor([1.0]).backward()


def test_backward_of_a_non_scalar_needs_the_gradient_that_arrives():
    with pytest.raises(GraphError, match=r"shape \(3,\) needs the gradient"):
        (leaf(3) * 2.0).backward()


@pytest.mark.parametrize("upstream", [np.ones(4), np.ones(3, np.float32)])
def test_an_upstream_gradient_of_another_shape_or_type_is_refused(upstream):
    with pytest.raises((ValueError, TypeError), match=r"^backward: got a .*gradient.* for a.* input"):
        (leaf(3) * 2.0).backward(upstream)


@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.__setitem__(0, 5.0),
        lambda w: w.copy_(0.0),
        lambda w: w.reshape(9).__setitem__(0, 5.0),
        lambda w: w[0].__setitem__(1, 5.0),
        lambda w: w.detach().__setitem__(0, 5.0),
        lambda w: w.T.copy_(1.0),
        lambda w: w.__isub__(1.0),
    ],
)
def test_backward_notices_that_a_saved_array_was_changed_in_place(change):
    x = leaf(3, 3)
    w = leaf(3, 3, seed=1)
    loss = (x @ w).sum()
    with minires.no_grad():
        change(w)
    with pytest.raises(GraphError, match="matmul: an array that its backward needs was changed in place"):
        loss.backward()


def test_a_step_of_the_optimizer_between_forward_and_backward_is_noticed():
    x = leaf(2, 3)
    w = leaf(3, 3, seed=1)
    (x @ w).sum().backward()
    loss = (x @ w).sum()
    optim.SGD([w], 0.1).step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_backward_notices_a_change_of_what_an_op_returned_or_took_as_a_constant():
    x = leaf(3)
    c = Tensor(np.ones(3))
    y = ops.relu(x)
    z = x * c
    with minires.no_grad():
        y += 1.0
    c[0] = 5.0
    for changed, name in ((y, "relu"), (z, "mul")):
        with pytest.raises(GraphError, match=f"{name}: an array that its backward needs was changed"):
            changed.sum().backward()


@pytest.mark.parametrize("name", cases.names())
def test_a_change_between_forward_and_backward_is_noticed_or_harmless(name):
    """For each op, each of its arguments and its result: backward either refuses, or gives what it would have given."""
    call = registry[name]
    several = any(p.kind is p.VAR_POSITIONAL for p in inspect.signature(call.raw).parameters.values())

    def forward(case):
        inputs = [
            Tensor(np.array(a), requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a
            for a in case.arrays
        ]
        static = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in case.static.items()}
        y = call(inputs, **static) if several else call(*inputs, **static)
        return [*[t for t in inputs if isinstance(t, Tensor)], y], np.ones_like(y.data)

    for case in cases.cases_of(name):
        (*expected, y), dy = forward(case)
        if not y.requires_grad:
            continue
        y.backward(dy)
        for i in range(len(expected) + 1):
            tensors, dy = forward(case)
            *inputs, y = tensors
            if not tensors[i].data.flags.writeable or tensors[i].dtype.kind != "f":
                continue
            with minires.no_grad():
                tensors[i] *= 1.5
                tensors[i] += 1.0
            try:
                y.backward(dy)
            except GraphError:
                continue
            for found, unchanged in zip(inputs, expected, strict=True):
                np.testing.assert_array_equal(found.grad, unchanged.grad, err_msg=f"{case.label}, argument {i} changed")


def test_changing_an_array_that_no_backward_needs_is_harmless():
    x = leaf(3)
    y = leaf(3, seed=1)
    total = (x + y).sum()
    with minires.no_grad():
        x.copy_(0.0)
    total.backward()
    np.testing.assert_array_equal(x.grad, np.ones(3))


@pytest.mark.parametrize("change", [lambda x: x.__setitem__(0, 1.0), lambda x: x.copy_(0.0), lambda x: x.__iadd__(1.0)])
def test_a_leaf_that_requires_a_gradient_is_not_changed_in_place(change):
    with pytest.raises(GraphError, match=r"minires\.no_grad"):
        change(leaf(3))


def test_plus_equals_inside_a_graph_makes_a_new_tensor():
    x = leaf(3)
    h = x * 2.0
    kept = h.data
    old = kept.copy()
    h += x
    np.testing.assert_array_equal(kept, old)
    h.sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 3.0))


def test_plus_equals_on_a_constant_with_a_recorded_value_is_recorded():
    total = Tensor(np.zeros(3))
    x = leaf(3)
    total += x
    total.sum().backward()
    np.testing.assert_array_equal(x.grad, np.ones(3))


def test_a_gradient_that_computes_in_its_own_way_is_refused(own_ops):
    @minires.op
    def masked(x):
        return x * 1, lambda dy: np.ma.masked_array(dy, dy > 0)

    with pytest.raises(DTypeError, match=r"^masked: MaskedArray computes in its own way"):
        masked(leaf(3)).sum().backward()
