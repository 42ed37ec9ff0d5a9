"""Each library has a process of its own, which is stopped, named when it ends, and counted as ours."""

import multiprocessing
import os
import platform
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from benchmarks import machine, processes
from benchmarks.__main__ import main
from benchmarks.contender import Contender, malloc_as_usual
from benchmarks.threads import of_blas
from benchmarks.timing import seconds_a_step
from benchmarks.workloads import Workload
from minires import kernels
from minires.errors import OptionError
from minires.kernels.cpu import memory


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="needs /proc/stat")
def test_the_work_of_a_contender_is_ours():
    contender = Contender("minires", 1)
    _, _, before = machine._spent([contender])
    contender.run(seconds_a_step, partial(sum, range(10**7)), 3)
    assert machine._spent([contender])[2] - before > 0.05


@pytest.mark.parametrize("name", ["minires", "torch", "dezero", "mygrad"])
def test_each_contender_is_a_process_with_its_own_malloc(name, monkeypatch):
    if find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    for variable in memory.SET_BY_USER:
        monkeypatch.delenv(variable, raising=False)
    contender = Contender(name, 1)
    assert contender.run(os.getpid) != os.getpid()
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        assert contender.run(memory.keep_freed_memory) is (name == "minires")
    assert "MALLOC_ARENA_MAX" not in os.environ


@pytest.mark.parametrize("threads", [1, 3])
def test_each_contender_has_as_many_threads(threads):
    contender = Contender("minires", threads)
    assert contender.run(kernels.get_num_threads) == threads
    if find_spec("torch"):
        import torch

        assert Contender("torch", threads).run(torch.get_num_threads) == threads


def test_a_library_that_uses_numpys_blas_has_as_many_threads_there():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    contender = Contender("minires", 1)  # in whose process the BLAS has one
    contender.run(of_blas, 2)
    found = [
        library["num_threads"]
        for library in contender.run(threadpoolctl.threadpool_info)
        if library["user_api"] == "blas"
    ]
    if not found:
        pytest.skip("threadpoolctl does not know this BLAS")
    assert set(found) == {2}


def test_what_a_user_sets_for_malloc_holds_for_every_contender(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    with malloc_as_usual(True):
        assert os.environ["MALLOC_ARENA_MAX"] == "2"
    assert os.environ["MALLOC_ARENA_MAX"] == "2"


def test_an_error_in_a_contender_is_ours():
    contender = Contender("minires", 1)
    with pytest.raises(OptionError, match="resnet21"):
        contender.make(Workload("a", "images/s", "train_step", ("resnet21", 8, 4)))
    contender.make(Workload("a", "images/s", "train_step", ("resnet20", 8, 4)))
    assert contender.value(1) > 0


def test_a_contender_whose_process_ends_is_named_and_what_was_measured_is_shown(capsys, monkeypatch):
    measured = []

    def die_at_the_second(contender, repeats):
        measured.append(contender)
        return 1.0 if len(measured) == 1 else contender.run(os._exit, 1)

    monkeypatch.setattr(Contender, "seconds", die_at_the_second)
    assert main(["--tiny", "batch_norm", "--against"]) == 2
    said = capsys.readouterr()
    assert "the process of minires has ended" in said.err
    assert [line.split()[0] for line in said.out.splitlines() if line.startswith("batch_norm")] == ["batch_norm/16@8"]


def test_a_contender_is_stopped_in_the_middle_of_a_step():
    before = multiprocessing.active_children()
    contender = Contender("minires", 1)
    (process,) = [p for p in multiprocessing.active_children() if p not in before]
    step = contender._process.submit(time.sleep, 60)
    while not step.running():
        time.sleep(0.01)
    began = time.monotonic()
    contender.stop()
    assert not process.is_alive()
    assert time.monotonic() - began < 20
    contender.stop()  # twice is allowed


def test_peak_memory_is_that_of_the_child_not_of_its_parent():
    ballast = np.ones(64 << 20)  # 512 MB
    assert 20 < processes.peak_memory("minires", 1, "resnet20", 8, 2)() < 256
    assert ballast[-1] == 1
