"""What the system refuses: one process goes on, and says so. And impossible arguments."""

import errno
import mmap
import multiprocessing
import os
import random
import resource
import socket
import subprocess
import sys

import numpy as np
import pytest
from sharing import batch, network

from minires import nn
from minires.errors import OptionError
from minires.parallel import MAX_PROCESSES, Replicas, unsupported_reason

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")


def refuse(number):
    def call(*arguments, **settings):
        raise OSError(number, os.strerror(number))

    return call


def check_one_process_does_it(model, replicas, message):
    """The step of one process, and a warning of it."""
    with pytest.warns(
        RuntimeWarning, match=f"Replicas: one process computes, because the system refuses {message}"
    ) as w:
        found = replicas.gradients(*batch(4))
    assert w[0].filename == __file__
    assert found == Replicas(network(), 1).gradients(*batch(4))
    assert replicas.n == 1
    assert replicas.reason.startswith("the system refuses ")
    assert not multiprocessing.active_children()
    assert all(p.grad is not None for p in model.parameters())
    assert replicas.predict(batch(4)[0]).shape == (4, 10)


@pytest.mark.parametrize(
    ("module", "name", "number", "message"),
    [
        (os, "fork", errno.EAGAIN, "another process: Resource temporarily unavailable"),
        (os, "fork", errno.ENOMEM, "another process: Cannot allocate memory"),
        (socket, "socketpair", errno.EMFILE, "a pipe between processes: Too many open files"),
        (os, "pipe", errno.EMFILE, "another process: Too many open files"),
        (mmap, "mmap", errno.ENOMEM, r"\d+ MB of memory that processes share: Cannot allocate memory"),
    ],
)
def test_one_process_goes_on_where_the_system_refuses(monkeypatch, module, name, number, message):
    model = network()
    with Replicas(model, 3) as replicas:
        monkeypatch.setattr(module, name, refuse(number))
        check_one_process_does_it(model, replicas, message)


def test_the_second_of_two_processes_may_be_refused(monkeypatch):
    fork, forked = os.fork, []

    def once():
        if forked:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        forked.append(fork())
        return forked[0]

    model = network()
    with Replicas(model, 3) as replicas:
        monkeypatch.setattr(os, "fork", once)
        check_one_process_does_it(model, replicas, "another process")


def test_memory_may_be_refused_from_the_start(monkeypatch):
    monkeypatch.setattr(mmap, "mmap", refuse(errno.ENOMEM))
    with pytest.warns(RuntimeWarning, match="one process computes, because the system refuses 1 MB of memory") as w:
        replicas = Replicas(network(), 2)
    assert w[0].filename == __file__
    assert replicas.n == 1
    assert "memory" in replicas.reason


def test_a_refusal_that_the_system_has_no_words_for_is_told_in_its_own(monkeypatch):
    def refuse(*arguments):
        raise OSError("the sandbox says no")

    monkeypatch.setattr(mmap, "mmap", refuse)
    with pytest.warns(RuntimeWarning, match=r"refuses 1 MB of memory that processes share: the sandbox says no"):
        Replicas(network(), 2)


def test_what_is_refused_later_leaves_the_step_as_it_is(monkeypatch):
    model = network()
    with Replicas(model, 2) as replicas:
        replicas.gradients(*batch(4))
        model.load_state_dict(network().state_dict())
        model.linear.requires_grad_(False)  # new processes are needed
        monkeypatch.setattr(os, "fork", refuse(errno.EAGAIN))
        with pytest.warns(RuntimeWarning, match="one process computes"):
            loss, _ = replicas.gradients(*batch(4))
    assert loss == pytest.approx(Replicas(network(), 1).gradients(*batch(4))[0], rel=1e-12)


def test_few_file_descriptors_are_a_warning():
    code = (
        "import os, resource, sys\nsys.path.insert(0, os.path.dirname(sys.argv[1]))\n"
        "from sharing import batch, network\nfrom minires.parallel import Replicas\n"
        "replicas = Replicas(network(), 2)\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (4, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))\n"
        "print(replicas.gradients(*batch(4))[0] > 0, replicas.n, replicas.reason)"
    )
    found = subprocess.run([sys.executable, "-c", code, __file__], capture_output=True, text=True, timeout=60)
    assert found.stdout == "True 1 the system refuses a pipe between processes: Too many open files\n", found.stderr
    assert "RuntimeWarning: Replicas: one process computes" in found.stderr


@pytest.mark.skipif(os.getuid() == 0, reason="the superuser may have as many processes as there are")
def test_a_limit_of_processes_is_a_warning():
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, before[1]))
    try:
        model = network()
        with Replicas(model, 2) as replicas:
            check_one_process_does_it(model, replicas, "another process")
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, before)


def test_no_semaphores_and_no_dev_shm_are_needed(monkeypatch):
    """multiprocessing's locks want both; what is used here is memory without a name, and pipes."""
    monkeypatch.setitem(sys.modules, "multiprocessing.synchronize", None)
    monkeypatch.setitem(sys.modules, "multiprocessing.shared_memory", None)
    monkeypatch.setattr("_multiprocessing.SemLock", refuse(errno.ENOSYS))
    monkeypatch.setattr("tempfile.mkdtemp", refuse(errno.ENOENT))
    with Replicas(network(), 2) as replicas:
        assert replicas.gradients(*batch(4))[0] > 0
        assert replicas.n == 2


@pytest.mark.parametrize("n", [0, -1, 2.0, True, False, "2", None, MAX_PROCESSES + 1, 10**9], ids=repr)
def test_what_is_no_number_of_processes_is_refused(n):
    with pytest.raises(OptionError, match=rf"at least 1 process and at most 256, as a whole number, got {n!r}"):
        Replicas(network(), n)


def test_more_processes_than_cores_are_taken():
    with Replicas(network(), np.int64(7)) as replicas:
        assert replicas.gradients(*batch(14))[0] == pytest.approx(
            Replicas(network(), 1).gradients(*batch(14))[0], rel=1e-12
        )
        assert len(multiprocessing.active_children()) == 6


@pytest.mark.parametrize("model", [None, lambda x: x, "resnet8", nn.Linear])
def test_what_is_no_module_is_refused(model):
    with pytest.raises(OptionError, match=r"Replicas: needs a minires\.nn\.Module, got "):
        Replicas(model, 1)


def test_a_generator_under_any_name_is_seen():
    model = network()
    model.layer1.noise = np.random.default_rng(0)
    assert unsupported_reason(model).startswith("layer1 draws random numbers")
    model = network()
    model.layer1.noise = random.Random(0)
    assert unsupported_reason(model).startswith("layer1 draws random numbers")
    model = network()
    model.chance = np.random.RandomState(0)
    assert unsupported_reason(model).startswith("CifarResNet draws random numbers")


def test_a_layer_that_draws_is_refused_when_it_comes_later():
    model = nn.Sequential(nn.Linear(4, 4, rng=0), nn.Linear(4, 3, rng=1)).to(np.float64)
    images = np.ones((4, 4))
    labels = np.array([0, 1, 2, 0])
    with Replicas(model, 2) as replicas:
        replicas.gradients(images, labels)
        setattr(model, "1", nn.Sequential(nn.Dropout(0.5, rng=0), nn.Linear(4, 3, rng=1).to(np.float64)))
        with pytest.raises(OptionError, match=r"1\.0 draws random numbers in training.*use one process"):
            replicas.gradients(images, labels)
        replicas.go_on_alone()
        assert replicas.gradients(images, labels)[0] > 0
