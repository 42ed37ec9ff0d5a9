"""Processes that do not do the same are refused, and what each of them does is said."""

import multiprocessing
import os
import sys
import time

import numpy as np
import pytest
from sharing import SOON, batch, check_whole, network, state_of

from minires import nn, ops
from minires.errors import GraphError
from minires.parallel import Replicas, memory
from minires.parallel.memory import AllReduce

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only"),
    pytest.mark.usefixtures("soon_given_up"),
]


class Norms(nn.Module):
    """Two batch norms; choose(x) says which are called."""

    def __init__(self, choose):
        self.first = nn.BatchNorm2d(3)
        self.second = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3, 10, rng=0)
        self.choose = choose

    def forward(self, x):
        for norm in self.choose(self, x):
            x = norm(x)
        return self.fc(ops.flatten(ops.adaptive_avg_pool2d(x), start_dim=1))


def is_first():
    return multiprocessing.current_process().name == "MainProcess"


@pytest.mark.parametrize(
    "choose",
    [
        lambda m, x: [m.first] if is_first() else [],
        lambda m, x: [] if is_first() else [m.first],
        lambda m, x: [m.first, m.second] if is_first() else [m.second],
        lambda m, x: [m.first] if is_first() else [m.second],
        lambda m, x: [m.first, m.second] if x.data.mean() > 0 else [m.first],
    ],
    ids=["only here", "only there", "one more here", "another one", "by what is in the images"],
)
def test_processes_that_come_to_different_batch_norms_are_refused(choose):
    model = Norms(choose).to(np.float64)
    (images, labels) = batch(4)
    images[:2], images[2:] = 1 + images[:2] ** 2, -1 - images[2:] ** 2
    before = state_of(model)
    with Replicas(model, 2) as replicas:
        began = time.monotonic()
        with pytest.raises(GraphError, match=r"Replicas: process 0 came .* process 1 .*use one process"):
            replicas.gradients(images, labels)
        assert time.monotonic() - began < SOON
        check_whole(model, before)


def test_what_processes_came_for_is_said():
    model = Norms(lambda m, x: [m.first] if is_first() else []).to(np.float64)
    said = r"process 0 came to add up batch norm's sums \(6 values\), process 1 came to add up the loss \(2 values\)"
    with Replicas(model, 2) as replicas, pytest.raises(GraphError, match=said):
        replicas.gradients(*batch(4))


def test_an_all_reduce_with_more_values_is_told_by_their_number():
    said = memory.difference(np.array([[memory.NORM, 6, 0], [memory.NORM, 8, 0]]))
    assert "process 0 came to add up batch norm's sums (6 values)" in said
    assert "process 1 came to add up batch norm's sums (8 values)" in said


class Switching(nn.Module):
    """forward() keeps in a buffer whether the images that it has seen were bright."""

    def __init__(self, dtype):
        self.fc = nn.Linear(4, 3, rng=0)
        self.register_buffer("bright", np.zeros(1, dtype))

    def forward(self, x):
        self.bright[...] = x.data.mean() > 0
        return self.fc(x)


@pytest.mark.parametrize("dtype", [bool, np.int64, np.uint8])
def test_integers_in_buffers_that_depend_on_the_images_are_refused(dtype):
    model = Switching(dtype)
    images = np.repeat(np.array([1, -1], np.float32), 2).reshape(4, 1) * np.ones((4, 4), np.float32)
    labels = np.zeros(4, int)
    said = "process 1 with other batches counted by batch norm, or other integers in a buffer"
    with Replicas(model, 2) as replicas, pytest.raises(GraphError, match=said):
        replicas.gradients(images, labels)


def test_an_all_reduce_takes_as_many_values_as_its_table_has():
    alone = AllReduce(1)
    n = memory.MAX_VALUES
    values = np.arange(float(n))
    np.testing.assert_array_equal(alone(values, memory.NORM), values)
    with pytest.raises(GraphError, match=f"can add up {n} values, got {n + 1}; use one process"):
        alone(np.zeros(n + 1), memory.NORM)


def test_a_fork_may_use_replicas_that_have_no_other_processes():
    replicas = Replicas(network(), 1)
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if replicas.gradients(*batch(4))[0] > 0 else 2)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
