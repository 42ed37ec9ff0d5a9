"""Whatever happens to one of the processes that share a batch: no other waits for ever, and the network is unchanged."""

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from sharing import SOON, batch, here, network, there

from minires import Tensor, nn, ops
from minires.errors import GraphError, ProcessError, ShapeError
from minires.parallel import Replicas, memory, process
from minires.parallel.gradients import ReduceScatter
from minires.parallel.memory import AllReduce

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


def fail():
    raise ZeroDivisionError("not today")


def stop():
    os.kill(os.getpid(), signal.SIGSTOP)


def crash():
    faulthandler.disable()  # pytest's, which would tell of it
    os.kill(os.getpid(), signal.SIGSEGV)


FAULTS = {  # what happens to a process, and what the first one says of it
    "killed": (
        lambda: os.kill(os.getpid(), signal.SIGKILL),
        ProcessError,
        "was ended by SIGKILL, as Linux does when memo",
    ),
    "crashed": (crash, ProcessError, "was ended by SIGSEGV; parameters and running"),
    "left": (lambda: os._exit(3), ProcessError, r"ended by itself \(exit status 3\)"),
    "failed": (fail, ZeroDivisionError, "not today"),
    "stopped": (stop, ProcessError, "is stopped, by a signal or a debugger"),
    "stuck": (lambda: threading.Event().wait(), ProcessError, "waits for something that does not come"),
}


@pytest.fixture(autouse=True)
def _soon_given_up(monkeypatch):
    for name, seconds in {"CHECK_SECONDS": 0.1, "SUSPENDED": 0.2, "STUCK": 1, "STOP_SECONDS": 0.2}.items():
        monkeypatch.setattr(process, name, seconds)


def at_moment(monkeypatch, moment, do, rank=1):
    """do() in that process at this moment: 2k when it has written its values for all-reduce k, 2k + 1 when all have."""
    order_memory, passed = AllReduce._order_memory, []

    def pass_moment(all_reduce):
        if all_reduce.rank == rank:
            if len(passed) == moment:
                passed.append(None)
                do()
            passed.append(None)
        order_memory(all_reduce)

    monkeypatch.setattr(AllReduce, "_order_memory", pass_moment)
    return passed


def state_of(model):
    return {name: array.copy() for name, array in model.state_dict().items()}


def check_whole(model, before):
    """The network is what it was, without gradients, and no process is left."""
    assert not multiprocessing.active_children()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    assert all(p.grad is None for p in model.parameters())


MOMENTS = 34  # of a batch of this network: two of each all-reduce, for 7 batch norms forward and back and 3 more


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


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
@pytest.mark.parametrize("moment", [0, 1, 14, 31])
def test_what_is_raised_in_the_first_process_ends_the_others(monkeypatch, error, moment):
    def do():
        raise error

    model = network()
    before = state_of(model)
    with Replicas(model, 3) as replicas:
        with monkeypatch.context() as patch:
            at_moment(patch, moment, do, rank=0)
            began = time.monotonic()
            with pytest.raises(error):
                replicas.gradients(*batch(6))
            assert time.monotonic() - began < SOON
        check_whole(model, before)
        replicas.gradients(*batch(6))


def test_an_error_between_the_task_and_its_result_ends_the_others():
    model = network()
    model.bn1.register_forward_hook(there(lambda: time.sleep(0.3)))
    with Replicas(model, 2) as replicas:
        remove = model.bn1.register_forward_hook(here(fail))
        with pytest.raises(ZeroDivisionError):
            replicas.predict(batch(4)[0])
        assert not multiprocessing.active_children()
        remove()
        assert replicas.predict(batch(4)[0]).shape == (4, 10)


def test_an_error_is_shown_though_others_end_because_of_it(monkeypatch):
    for _ in range(3):
        check_fault(monkeypatch, "failed", 7, n=4, rank=3)


def test_an_error_that_looks_like_the_end_of_a_pipe_is_shown(monkeypatch):
    def read_too_far():
        raise EOFError("the file is short")

    model = network()
    model.bn1.register_forward_hook(there(read_too_far))
    with Replicas(model, 2) as replicas, pytest.raises(EOFError, match="the file is short"):
        replicas.gradients(*batch(4))


def test_a_failing_reduce_scatter_is_said_soon(monkeypatch):
    reduce = ReduceScatter.reduce
    monkeypatch.setattr(ReduceScatter, "reduce", lambda self, rank: fail() if rank == 1 else reduce(self, rank))
    model = network()
    before = state_of(model)
    with Replicas(model, 2) as replicas, pytest.raises(ZeroDivisionError):
        replicas.gradients(*batch(4))
    check_whole(model, before)


# Processes that do not do the same


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
    with (
        Replicas(model, 2) as replicas,
        pytest.raises(
            GraphError,
            match=r"process 0 came to add up batch norm's sums \(6 values\), process 1 came to add up the "
            r"loss \(2 values\)",
        ),
    ):
        replicas.gradients(*batch(4))


def test_an_all_reduce_with_more_values_is_told_by_their_number():
    said = memory._difference(np.array([[memory.NORM, 6, 0], [memory.NORM, 8, 0]]))
    assert (
        "process 0 came to add up batch norm's sums (6 values), process 1 came to add up batch norm's sums (8 " in said
    )


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
    with (
        Replicas(model, 2) as replicas,
        pytest.raises(
            GraphError, match="process 1 with other batches counted by batch norm, or other integers in a buffer"
        ),
    ):
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


def test_an_error_is_shown_though_a_buffer_has_changed_its_shape():
    model = network()

    def change():
        model.bn1.running_mean = np.zeros(3)
        raise ZeroDivisionError("not today")

    model.bn1.register_forward_hook(here(change))
    with Replicas(model, 2) as replicas, pytest.raises(ZeroDivisionError, match="not today"):
        replicas.gradients(*batch(4))


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
