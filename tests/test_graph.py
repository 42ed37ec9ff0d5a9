"""The tape: sums of gradients, depth, memory, and the misuse that it must notice."""

import gc
import inspect
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import minires
from minires import Tensor, kernels, models, nn, ops, optim
from minires.arrays import channels_last
from minires.errors import GraphError, ShapeError
from minires.gradcheck import cases
from minires.models.blocks import BasicBlock
from minires.tensor import registry


def leaf(*shape, seed=0, dtype=np.float64):
    return Tensor(np.random.default_rng(seed).standard_normal(shape).astype(dtype), requires_grad=True)


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
    x, f = leaf(3), leaf(3, seed=1)
    upstream = np.array([1.0, 2.0, 3.0])
    (ops.residual_add(x, f) + x + x).backward(upstream)
    np.testing.assert_array_equal(x.grad, 3 * upstream)
    np.testing.assert_array_equal(f.grad, upstream)
    np.testing.assert_array_equal(upstream, [1, 2, 3])


@pytest.mark.parametrize("function", [
    ops.residual_add, ops.add, ops.sub, lambda x, f: ops.add(x.reshape(3), f.T.reshape(3)), lambda x, f: x + x + f + f,
    lambda x, f: ops.cat([x, f]), lambda x, f: ops.stack([x, f]), lambda x, f: x.sum() + f.mean(), lambda x, f: x.T,
], ids=range(9))
def test_gradients_of_leaves_never_share_memory(function):
    x, f = leaf(3, 1), leaf(3, 1, seed=1)
    y = function(x, f)
    upstream = np.ones(y.shape)
    y.backward(upstream)
    arrays = [a for a in (x.grad, f.grad, x.data, f.data, upstream) if a is not None]
    for i, a in enumerate(arrays):
        assert a.flags.writeable
        assert not any(np.shares_memory(a, b) for b in arrays[:i])


def test_a_leaf_is_its_own_root():
    x, upstream = leaf(3), np.ones(3)
    x.backward(upstream)
    np.testing.assert_array_equal(x.grad, upstream)
    assert not np.shares_memory(x.grad, upstream)


def test_backward_adds_to_the_gradient_that_is_there():
    x = leaf(3)
    (x * 2.0).sum().backward()
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 5.0))


@pytest.mark.parametrize("run_backward", [True, False])
def test_a_chain_of_100000_nodes_is_built_differentiated_and_freed(run_backward):
    x = leaf(1)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    if run_backward:
        y.sum().backward()
        np.testing.assert_array_equal(x.grad, [1.0])
    array = weakref.ref(y.data)
    del y  # without recursing, or this would be the end of the interpreter
    assert array() is None


def test_a_graph_dies_with_its_last_tensor_without_the_garbage_collector():
    gc.disable()
    try:
        x = leaf(4, 4)
        hidden = ops.tanh(x @ x)
        data = weakref.ref(hidden)
        array = weakref.ref(hidden.data)
        loss = (hidden * hidden).sum()
        del hidden
        assert data() is None
        assert array() is not None  # tanh's backward needs it
        del loss
        assert array() is None
    finally:
        gc.enable()


def test_leaves_and_tensors_that_keep_their_gradient_die_with_their_last_name():
    gc.disable()
    try:
        x = leaf(3)
        x.register_hook(lambda g: 2 * g)
        hidden = x * 2.0
        hidden.retain_grad()
        hidden.sum().backward()
        dead = weakref.ref(x), weakref.ref(x.data), weakref.ref(hidden), weakref.ref(hidden.grad)
        del x, hidden
        assert [reference() for reference in dead] == [None] * 4
    finally:
        gc.enable()


def test_backward_frees_what_it_has_used():
    x = leaf(4)
    hidden = ops.exp(x)
    array = weakref.ref(hidden.data)
    loss = hidden.sum()
    del hidden
    loss.backward()
    assert array() is None


def test_a_thousand_training_steps_grow_memory_by_less_than_a_megabyte():
    rng = np.random.default_rng(0)
    model = nn.Sequential(BasicBlock(4, 8, stride=2, rng=rng), nn.AdaptiveAvgPool2d(), nn.Flatten(), nn.Linear(8, 3, rng=rng))
    optimizer = optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images, labels = rng.standard_normal((2, 4, 5, 5), dtype=np.float32), np.array([1, 2])

    def step():
        optimizer.zero_grad()
        ops.cross_entropy(model(Tensor(images)), labels).backward()
        optimizer.step()
    gc.collect()
    gc.disable()
    try:
        for _ in range(10):
            step()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            step()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert grown < 1 << 20


def test_a_second_backward_needs_retain_graph():
    x = leaf(3)
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    np.testing.assert_allclose(x.grad, 4 * x.data)
    with pytest.raises(GraphError, match="retain_graph=True"):
        y.backward()


def test_a_shared_part_used_by_an_earlier_backward_is_noticed():
    x = leaf(3)
    shared = x * x
    first, second = shared.sum(), (shared * 2.0).sum()
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
    with pytest.raises((ValueError, TypeError), match="gradient"):
        (leaf(3) * 2.0).backward(upstream)


@pytest.mark.parametrize("change", [
    lambda w: w.__setitem__(0, 5.0), lambda w: w.copy_(0.0), lambda w: w.reshape(9).__setitem__(0, 5.0),
    lambda w: w[0].__setitem__(1, 5.0), lambda w: w.detach().__setitem__(0, 5.0), lambda w: w.T.copy_(1.0),
    lambda w: w.__isub__(1.0),
])
def test_backward_notices_that_a_saved_array_was_changed_in_place(change):
    x, w = leaf(3, 3), leaf(3, 3, seed=1)
    loss = (x @ w).sum()
    with minires.no_grad():
        change(w)
    with pytest.raises(GraphError, match="matmul: an array that its backward needs was changed in place"):
        loss.backward()


def test_a_step_of_the_optimiser_between_forward_and_backward_is_noticed():
    x, w = leaf(2, 3), leaf(3, 3, seed=1)
    (x @ w).sum().backward()
    loss = (x @ w).sum()
    optim.SGD([w], 0.1).step()
    with pytest.raises(GraphError, match="changed in place"):
        loss.backward()


def test_backward_notices_a_change_of_what_an_op_returned_or_took_as_a_constant():
    x, c = leaf(3), Tensor(np.ones(3))
    y, z = ops.relu(x), x * c
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
        inputs = [Tensor(np.array(a), requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a
                  for a in case.arrays]
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
    x, y = leaf(3), leaf(3, seed=1)
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
    total, x = Tensor(np.zeros(3)), leaf(3)
    total += x
    total.sum().backward()
    np.testing.assert_array_equal(x.grad, np.ones(3))


def test_hooks_see_and_replace_the_gradient_and_can_be_removed():
    x = leaf(3)
    hidden = x * 2.0
    seen = []
    hidden.register_hook(seen.append)
    remove = hidden.register_hook(lambda g: g * 10)
    hidden.sum().backward(retain_graph=True)
    np.testing.assert_array_equal(seen[0], np.ones(3))
    np.testing.assert_array_equal(x.grad, np.full(3, 20.0))
    remove()
    x.grad = None
    hidden.sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 2.0))


def test_a_hook_on_a_leaf_changes_what_is_stored():
    x = leaf(3)
    x.register_hook(lambda g: -g)
    x.sum().backward()
    np.testing.assert_array_equal(x.grad, -np.ones(3))


def test_a_hook_must_return_a_gradient_that_fits():
    x = leaf(3)
    x.register_hook(lambda g: g[:2])
    with pytest.raises(ShapeError, match=r"gradient hook: backward gave a gradient \(2,\) for an input \(3,\)"):
        x.sum().backward()


def test_hooks_and_kept_gradients_need_a_graph():
    for ask in (lambda t: t.register_hook(print), lambda t: t.retain_grad()):
        with pytest.raises(GraphError, match="depends on nothing that requires a gradient"):
            ask(Tensor([1.0]))


def test_retain_grad_keeps_an_intermediate_gradient():
    x = leaf(3)
    hidden = x * 2.0
    hidden.retain_grad()
    (hidden * hidden).sum().backward()
    np.testing.assert_array_equal(hidden.grad, 2 * hidden.data)
    assert (x * 2.0).grad is None


def test_no_grad_ends_with_its_block_even_after_an_exception():
    x = leaf(3)
    @minires.no_grad()
    def fail():
        assert (x * 2.0).node is None
        raise KeyError
    with pytest.raises(KeyError):
        fail()
    assert (x * 2.0).requires_grad


def test_no_grad_nests_and_decorates():
    x = leaf(3)

    @minires.no_grad()
    def double():
        with minires.no_grad():
            pass
        return x * 2.0
    assert not double().requires_grad
    assert not double().requires_grad
    assert (x * 2.0).requires_grad


def test_no_grad_holds_for_its_thread_only():
    x, recorded = leaf(3), []
    with minires.no_grad():
        thread = threading.Thread(target=lambda: recorded.append((x * 2.0).requires_grad))
        thread.start()
        thread.join()
    assert recorded == [True]


def test_two_threads_differentiate_their_own_graphs():
    def work(k):
        x = leaf(50, seed=k)
        for _ in range(100):
            x.grad = None
            (x * x).sum().backward()
        results[k] = np.array_equal(x.grad, 2 * x.data)
    results = {}
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == dict.fromkeys(range(4), True)


def test_two_threads_differentiate_networks_as_one_thread_does():
    images = np.random.default_rng(0).standard_normal((8, 3, 16, 16)).astype(np.float32)

    def gradients(seed):
        model = models.resnet8(rng=seed)
        ops.cross_entropy(model(Tensor(images)), np.arange(8)).backward()
        found[seed] = [p.grad for p in model.parameters()]
    found = {}
    for seed in range(2):
        gradients(seed)
    alone, found = found, {}
    threads = [threading.Thread(target=gradients, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in range(2):
        for a, b in zip(alone[seed], found[seed], strict=True):
            np.testing.assert_array_equal(a, b)


def test_an_exception_in_a_hook_leaves_the_engine_usable():
    x = leaf(3)
    y = x * 2.0
    remove = y.register_hook(lambda g: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        y.sum().backward()
    remove()
    (x * 3.0).sum().backward()
    np.testing.assert_array_equal(x.grad, np.full(3, 3.0))


def test_the_pictures_are_not_differentiated(monkeypatch):
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


@pytest.fixture
def own_ops():
    """What a test defines is forgotten afterwards."""
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


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


@pytest.mark.parametrize("make", [
    lambda x, f: ops.residual_add(x, f),                          # dy itself, twice
    lambda x, f: ops.add(x, f),
    lambda x, f: ops.reshape(x, shape=(6,)) + ops.reshape(f, shape=(6,)),  # views of dy
    lambda x, f: ops.stack([x, f]),                               # parts of dy
    lambda x, f: x * Tensor(np.ones((2, 3))) + f * 1.0,
    lambda x, f: x + f + x,
], ids=["residual", "add", "reshape", "stack", "mul", "twice"])
def test_gradients_share_no_memory_with_one_another_nor_with_the_upstream(make):
    x, f = (Tensor(np.random.default_rng(i).standard_normal((2, 3)), requires_grad=True) for i in (0, 1))
    y = make(x, f)
    y.retain_grad()
    upstream = np.ones(y.shape)
    y.backward(upstream)
    arrays = [x.grad, f.grad, y.grad, upstream, x.data, f.data]
    for i, a in enumerate(arrays):
        for b in arrays[i + 1:]:
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
