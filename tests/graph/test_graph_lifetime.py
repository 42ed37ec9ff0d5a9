"""How deep a graph may be, when it is freed, and which memory it frees."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest
from leaves import leaf

import minires
from minires import Tensor, nn, ops, optim
from minires.arrays import owner
from minires.models.blocks import BasicBlock


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
    model = nn.Sequential(
        BasicBlock(4, 8, stride=2, rng=rng), nn.AdaptiveAvgPool2d(), nn.Flatten(), nn.Linear(8, 3, rng=rng)
    )
    optimizer = optim.SGD(model.parameters(), 0.01, momentum=0.9)
    images = rng.standard_normal((2, 4, 5, 5), dtype=np.float32)
    labels = np.array([1, 2])

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


def test_a_result_that_lives_on_after_backward_keeps_nothing_of_its_graph():
    x = leaf(4)
    y = ops.exp(x * 2.0)
    y.sum().backward()
    assert (y.node.inputs, y.node.closed_over, y.node.saved) == ((), (), ())


def test_a_gradient_does_not_keep_a_larger_buffer_that_it_is_a_part_of(own_ops):
    @minires.op
    def head(x):
        return x * 1, lambda dy: np.concatenate([dy, np.ones(1000)])[: len(dy)]

    x = leaf(4)
    head(x).sum().backward()
    assert owner(x.grad).size == 4
