"""After a change of the network processes make the step of one, and start anew only where they must."""

import copy
import sys

import numpy as np
import pytest
from changes import CHANGES
from sharing import batch, network

from minires import nn
from minires.mode import no_grad
from minires.parallel import Replicas

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


def step(model, n=1, replicas=None):
    images, labels = batch(4, np.float32)
    if replicas is None:
        with Replicas(model, n) as replicas:
            return step(model, replicas=replicas)
    loss, correct = replicas.gradients(images, labels)
    return loss, correct, [None if p.grad is None else p.grad.copy() for p in model.parameters()]


def check_equal(found, expected):
    assert found[:2] == (pytest.approx(expected[0], rel=1e-5), expected[1])
    for dw, right in zip(found[2], expected[2], strict=True):
        assert (dw is None) == (right is None)
        if right is not None:
            np.testing.assert_allclose(dw, right, rtol=1e-3, atol=1e-5 * max(1, np.abs(right).max()))


@on_linux
@pytest.mark.parametrize(
    "name",
    [
        "eps",
        "a setting of a convolution",
        "an attribute",
        "a list",
        "an array",
        "a tensor that is no parameter",
        "an object with buckets",
        "what a function closes over",
        "the class's array",
        "a class's forward",
        "an object's forward",
        "a head",
        "a module in a list",
        "a forward hook",
        "a frozen parameter",
        "a buffer",
    ],
)
def test_after_a_change_processes_make_the_step_of_one(holder, name):
    with Replicas(holder, 2) as replicas:
        step(holder, replicas=replicas)
        CHANGES[name](holder)
        for p in holder.parameters():  # both from the same place
            p.grad = None
        buffers = [(buffer, buffer.copy()) for _, buffer in holder.named_buffers()]
        found = step(holder, replicas=replicas)
        for buffer, before in buffers:
            buffer[...] = before
        check_equal(found, step(holder))


@on_linux
def test_freezing_thawing_and_another_dtype_are_seen():
    model = network(np.float32)
    model.requires_grad_(False)
    model.linear.requires_grad_(True)
    with Replicas(model, 2) as replicas:
        for change in (
            lambda: None,
            lambda: model.requires_grad_(True),
            lambda: model.conv1.requires_grad_(False),
            lambda: model.conv1.requires_grad_(True),
        ):
            change()
            expected = step(copy.deepcopy(model))
            check_equal(step(model, replicas=replicas), expected)
        model.to(np.float64)
        images, labels = batch(4)
        expected = Replicas(copy.deepcopy(model), 1).gradients(images, labels)
        assert replicas.gradients(images, labels)[0] == pytest.approx(expected[0], rel=1e-12)


class Counting(nn.Module):
    """forward() keeps how often it was called, what it has seen, and an average of its own."""

    def __init__(self):
        self.fc = nn.Linear(4, 3, rng=0)
        self.calls = 0
        self.seen = []
        self.register_buffer("mean", np.zeros(4))

    def forward(self, x):
        self.calls += 1
        self.seen.append(x)
        self.mean = 0.5 * self.mean + 0.5
        return self.fc(x) * float(self.calls)


@on_linux
def test_what_forward_itself_changes_starts_no_new_processes():
    model = Counting().to(np.float64)
    labels = np.array([0, 1, 2, 0])
    twin = copy.deepcopy(model)
    images = np.random.default_rng(0).standard_normal((4, 4))
    with Replicas(model, 2) as replicas, Replicas(twin, 1) as alone:
        pids = set()
        for _ in range(4):
            assert replicas.gradients(images, labels)[0] == pytest.approx(alone.gradients(images, labels)[0], rel=1e-12)
            np.testing.assert_array_equal(model.mean, twin.mean)
            pids.add(replicas.workers[0].process.pid)
        assert len(pids) == 1
        assert model.calls == 4


@on_linux
def test_a_network_that_changes_between_all_batches_is_named_in_a_warning():
    model = Counting().to(np.float64)
    labels = np.array([0, 1, 2, 0])
    images = np.random.default_rng(0).standard_normal((4, 4))
    with Replicas(model, 2) as replicas:
        for _ in range(5):
            replicas.gradients(images, labels)
            model.calls = 0
        with pytest.warns(RuntimeWarning, match="Replicas: calls of the network changes between batches") as warned:
            replicas.gradients(images, labels)
        assert warned[0].filename == __file__
        model.calls = 0
        replicas.gradients(images, labels)  # it is said once


@on_linux
def test_a_network_that_changes_now_and_then_is_not_warned_of():
    model = Counting().to(np.float64)
    labels = np.array([0, 1, 2, 0])
    images = np.random.default_rng(0).standard_normal((4, 4))
    with Replicas(model, 2) as replicas:
        for i in range(10):
            replicas.gradients(images, labels)
            if i % 4:
                model.calls = 0


@on_linux
def test_a_hook_that_knows_the_replicas_starts_no_new_processes():
    model = network()
    (images, labels) = batch(4)
    with Replicas(model, 2) as replicas:
        model.replicas = replicas
        model.bn1.register_forward_hook(lambda *_: replicas and None)
        replicas.gradients(images, labels)
        pid = replicas.workers[0].process.pid
        replicas.predict(images)
        replicas.gradients(images, labels)
        assert replicas.workers[0].process.pid == pid


@on_linux
def test_processes_forked_inside_no_grad_learn():
    model = network()
    (images, labels) = batch(4)
    with Replicas(model, 2) as replicas:
        with no_grad():
            replicas.predict(images)
        pid = replicas.workers[0].process.pid
        assert replicas.gradients(images, labels)[0] > 0
        with no_grad():
            replicas.predict(images)
        assert replicas.workers[0].process.pid == pid
        assert all(p.grad is not None for p in model.parameters())
