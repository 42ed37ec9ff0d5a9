"""One of the processes that share a batch ends or stops: no other waits for ever, and the network is unchanged."""

import multiprocessing
import os
import signal
import sys
import time

import numpy as np
import pytest
from process_faults import FAULTS, MOMENTS, at_moment, fail
from sharing import SOON, batch, check_whole, network, state_of, there

from minires import Tensor, nn
from minires.errors import ProcessError, ShapeError
from minires.parallel import Replicas

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only"),
    pytest.mark.usefixtures("soon_given_up"),
]


def test_these_are_all_moments(monkeypatch):
    passed = at_moment(monkeypatch, -1, fail, rank=0)
    with Replicas(network(), 2) as replicas:
        replicas.gradients(*batch(4))
    assert len(passed) == MOMENTS


def check_fault(monkeypatch, fault, moment, n=2, rank=1):
    do, error, message = FAULTS[fault]
    model = network()
    before = state_of(model)
    with Replicas(model, n) as replicas:
        with monkeypatch.context() as patch:
            at_moment(patch, moment, do, rank)
            began = time.monotonic()
            with pytest.raises(error, match=message):
                replicas.gradients(*batch(6))
            assert time.monotonic() - began < SOON
        check_whole(model, before)
        found = replicas.gradients(*batch(6))
    assert found[0] == pytest.approx(Replicas(network(), 1).gradients(*batch(6))[0], rel=1e-12)


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_to_a_process_is_said_soon(monkeypatch, fault):
    check_fault(monkeypatch, fault, 5)


@pytest.mark.parametrize("moment", [0, 1, 14, 15, 24, 30, 31, 32])
def test_a_process_may_be_killed_at_any_moment(monkeypatch, moment):
    check_fault(monkeypatch, "killed", moment)


@pytest.mark.parametrize("fault", ["killed", "failed", "stopped"])
def test_any_of_several_processes_may_fail(monkeypatch, fault):
    check_fault(monkeypatch, fault, 5, n=3, rank=2)


def test_an_error_is_shown_though_others_end_because_of_it(monkeypatch):
    for _ in range(3):
        check_fault(monkeypatch, "failed", 7, n=4, rank=3)


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("moment", range(MOMENTS))
@pytest.mark.parametrize(("n", "rank"), [(2, 1), (3, 1), (3, 2)])
def test_anything_may_happen_at_any_moment(monkeypatch, fault, moment, n, rank):
    if moment == MOMENTS - 1:
        pytest.skip("the first process has all that it needs, and goes on")
    check_fault(monkeypatch, fault, moment, n, rank)


def test_after_its_part_a_process_may_end_and_is_replaced(monkeypatch):
    model = network()
    with Replicas(model, 2) as replicas:
        with monkeypatch.context() as patch:
            at_moment(patch, MOMENTS - 1, FAULTS["killed"][0])
            expected = replicas.gradients(*batch(6))
        replicas.workers[0].process.join(SOON)
        assert replicas.gradients(*batch(6)) == expected


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_happens_to_a_process_that_predicts_is_said_soon(fault):
    do, error, message = FAULTS[fault]
    model = network()
    before = state_of(model)
    with Replicas(model, 3) as replicas:
        remove = model.bn1.register_forward_hook(there(do, rank=2))
        began = time.monotonic()
        with pytest.raises(error, match=message):
            replicas.predict(batch(6)[0])
        assert time.monotonic() - began < SOON
        check_whole(model, before)
        assert model.training
        remove()
        replicas.gradients(*batch(6))
        expected = model.linear.weight.grad.copy()
        with pytest.raises(ShapeError):
            replicas.predict(np.ones((6, 5, 8, 8)))
        np.testing.assert_array_equal(model.linear.weight.grad, expected)
        replicas.predict(batch(6)[0])


@pytest.mark.parametrize("n", [2, 3])
def test_a_process_that_is_killed_between_batches_is_replaced(n):
    with Replicas(network(), n) as replicas:
        expected = replicas.gradients(*batch(4))
        os.kill(replicas.workers[0].process.pid, signal.SIGKILL)
        replicas.workers[0].process.join(SOON)
        assert replicas.gradients(*batch(4)) == expected


def test_a_process_that_is_killed_just_before_it_gets_its_task_is_named():
    with Replicas(network(), 2) as replicas:
        replicas.gradients(*batch(4))
        replicas._fits = lambda images: True
        os.kill(replicas.workers[0].process.pid, signal.SIGKILL)
        replicas.workers[0].process.join(SOON)
        with pytest.raises(ProcessError, match="minires replica 1 was ended by SIGKILL"):
            replicas.gradients(*batch(4))
        assert not multiprocessing.active_children()


def test_one_process_goes_on_after_another_has_ended(monkeypatch):
    """What a training loop does: the step that failed is repeated alone, on weights that are no longer shared."""
    model = network()
    twin = network()
    with Replicas(model, 2) as replicas:
        at_moment(monkeypatch, 7, FAULTS["killed"][0])
        with pytest.raises(ProcessError, match=r"--processes 1.*--batch-size.*go_on_alone"):
            replicas.gradients(*batch(4))
        replicas.go_on_alone()
        assert replicas.n == 1
        assert replicas.gradients(*batch(4)) == Replicas(twin, 1).gradients(*batch(4))
        np.testing.assert_array_equal(replicas.predict(batch(4)[0]), twin.eval()(Tensor(batch(4)[0])).data)
        assert all(p.data.base is None or p.data.base.base is None for p in model.parameters())
        assert not multiprocessing.active_children()


def test_a_process_that_does_not_read_its_order_is_given_up():
    """Labels for each place of an image are more than a socket takes; the sender would wait for ever."""

    class Dense(nn.Module):
        def __init__(self):
            self.conv = nn.Conv2d(3, 4, 1, rng=0)

        def forward(self, x):
            return self.conv(x)

    images = np.ones((2, 3, 400, 400), np.float32)
    labels = np.zeros((2, 400, 400), np.int64)
    with Replicas(Dense(), 2) as replicas:
        replicas.gradients(images, labels)
        os.kill(replicas.workers[0].process.pid, signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(ProcessError, match="is stopped"):
            replicas.gradients(images, labels)
        assert time.monotonic() - began < SOON
        replicas.gradients(images, labels)
