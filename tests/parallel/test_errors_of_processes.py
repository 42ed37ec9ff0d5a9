"""What is raised in one process is raised by Replicas, and ends the other processes."""

import multiprocessing
import sys
import time

import numpy as np
import pytest
from process_faults import at_moment, fail
from sharing import SOON, batch, check_whole, here, network, state_of, there

from minires.parallel import Replicas
from minires.parallel.gradients import ReduceScatter

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only"),
    pytest.mark.usefixtures("soon_given_up"),
]


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


def test_an_error_is_shown_though_a_buffer_has_changed_its_shape():
    model = network()

    def change():
        model.bn1.running_mean = np.zeros(3)
        raise ZeroDivisionError("not today")

    model.bn1.register_forward_hook(here(change))
    with Replicas(model, 2) as replicas, pytest.raises(ZeroDivisionError, match="not today"):
        replicas.gradients(*batch(4))
