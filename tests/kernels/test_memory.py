"""Keeping freed memory: where the C library can do it, and never against the user's own setting."""

import ctypes
import mmap
import os
import subprocess
import sys
from pathlib import Path

import pytest

from minires.kernels.cpu import memory
from minires.kernels.cpu.memory import SET_BY_USER, keep_freed_memory

GLIBC = hasattr(os, "confstr") and "CS_GNU_LIBC_VERSION" in os.confstr_names

PROGRAM = """
import resource
import sys
import threading
import numpy as np
import minires.kernels
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def make():  # more than 64 MB: a thread's own heap is no larger, and each further one is given back when it is empty
    [np.ones(40 << 20, np.uint8) for _ in range(3)]
def work():
    make()
    before = faults()
    for _ in range(20):
        make()
    print(faults() - before)
if sys.argv[1] == "main":
    work()
else:
    threading.Thread(target=work).start()
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told to keep what is freed")
@pytest.mark.parametrize("thread", ["main", "another"])
def test_an_array_of_a_size_that_was_freed_costs_no_new_pages(thread):
    """20 times three arrays of 40 MB: 1,200 new pages of 2 MB (600,000 of 4 KB), or none."""

    def run(**environment):
        environment = {k: v for k, v in os.environ.items() if k not in SET_BY_USER} | environment
        return int(
            subprocess.run(
                [sys.executable, "-c", PROGRAM, thread], capture_output=True, text=True, check=True, env=environment
            ).stdout
        )

    assert run() < 200


def test_the_c_librarys_own_variables_win_if_a_user_has_set_them(monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda name: pytest.fail("the C library was asked"))
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert keep_freed_memory() is False


@pytest.mark.parametrize("error", [OSError, TypeError, AttributeError])
def test_another_c_library_is_no_error(monkeypatch, error):
    def missing(name):
        raise error

    for name in SET_BY_USER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert keep_freed_memory() is False


HUGE = """
import numpy as np
import minires.kernels
kept = [np.ones(1 << 18, np.float32) for _ in range(100)]
print(sum(int(line.split()[1]) for line in open("/proc/self/smaps") if line.startswith("AnonHugePages")))
"""


def _huge_pages_are_given():
    """Whether this system gives huge pages on request only, and has some."""
    setting = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not (GLIBC and setting.exists() and "[madvise]" in setting.read_text()):
        return False
    with mmap.mmap(-1, 128 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as place:
        place.madvise(mmap.MADV_HUGEPAGE)
        place[::4096] = bytes(len(place) // 4096)
        return _huge("self") >= 100 << 10


def _huge(pid):
    """Kilobytes in huge pages."""
    return sum(
        int(line.split()[1])
        for line in Path(f"/proc/{pid}/smaps").read_text().splitlines()
        if line.startswith("AnonHugePages")
    )


@pytest.mark.skipif(not _huge_pages_are_given(), reason="the system gives no huge pages")
@pytest.mark.parametrize(("limit", "most"), [(None, None), ("AS", 1 << 12), ("DATA", 1 << 12)])
def test_small_arrays_lie_in_huge_pages_unless_addresses_are_limited(limit, most):
    """100 arrays of 1 MB, for which NumPy asks for none: most of them, or at most two pages of 2 MB (in kilobytes)."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_{limit}, (8 << 30, -1))\n" if limit else ""
    environment = {k: v for k, v in os.environ.items() if k not in SET_BY_USER}
    huge = int(
        subprocess.run(
            [sys.executable, "-c", limited + HUGE], capture_output=True, text=True, check=True, env=environment
        ).stdout
    )
    assert huge >= 50 << 10 if limit is None else huge <= most


FORKED = """
import os
import numpy as np
from minires.kernels.cpu import memory
def huge():
    return sum(int(line.split()[1]) for line in open("/proc/self/smaps") if line.startswith("AnonHugePages"))
kept = [np.ones(1 << 18, np.float32) for _ in range(100)]
if os.fork() == 0:
    for array in kept:
        array += 1
    before = huge()
    memory.join_pages()
    print(before, huge(), all((array == 2).all() for array in kept), flush=True)
else:
    os.wait()
"""


def _small_pages_can_be_joined():
    with mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as place:
        place[::4096] = bytes(len(place) // 4096)
        try:
            place.madvise(memory.MADV_COLLAPSE)
        except OSError:  # Linux before 6.1
            return False
        return _huge("self") > 0


@pytest.mark.skipif(not (_huge_pages_are_given() and _small_pages_can_be_joined()), reason="the system joins no pages")
def test_what_a_fork_has_split_lies_in_huge_pages_again():
    """100 arrays of 1 MB that the other process has, too, until they are written."""
    environment = {k: v for k, v in os.environ.items() if k not in SET_BY_USER}
    before, after, same = subprocess.run(
        [sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, env=environment
    ).stdout.split()
    assert int(before) <= 10 << 10
    assert int(after) >= 80 << 10
    assert same == "True"


@pytest.mark.parametrize(
    ("overcommit", "limit", "scarce"),
    [("0\n", -1, False), ("1\n", -1, False), ("2\n", -1, True), ("0\n", 3 << 30, True), (OSError, -1, True)],
)
def test_addresses_are_scarce_where_they_are_limited(monkeypatch, overcommit, limit, scarce):
    resource = pytest.importorskip("resource", reason="Windows has no limits of this kind")

    def read(path):
        if overcommit is OSError:
            raise OSError
        return overcommit

    monkeypatch.setattr(Path, "read_text", read)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (limit, -1))
    assert memory._addresses_are_scarce() is scarce


IN_A_PROCESS = """
import numpy as np
from minires import kernels
from minires.kernels.cpu import memory, threads
from threadpoolctl import threadpool_info
before = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
x = np.ones((8, 16, 64, 64), np.float32)
kernels.conv(x, np.ones((16, 16, 3, 3), np.float32), kernels.Window.of(x.shape, (16, 16, 3, 3), 1, 1))
after = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
print(memory.keep_freed_memory(), kernels.get_num_threads(), after == before)
"""


@pytest.mark.skipif(not keep_freed_memory(), reason="this C library cannot be told to keep freed memory")
@pytest.mark.parametrize(
    ("setting", "tuned"), [({}, True), ({"MINIRES_TUNE": "1"}, True), ({"MINIRES_TUNE": "0"}, False)]
)
def test_one_variable_leaves_the_process_as_it_was(setting, tuned):
    pytest.importorskip("threadpoolctl")
    free = {name: value for name, value in os.environ.items() if name not in (*SET_BY_USER, "MINIRES_TUNE")}
    # a BLAS with two threads, and minires with two, on a machine of any size
    environment = {**free, "OPENBLAS_NUM_THREADS": "2", **setting}
    printed = subprocess.run(
        [sys.executable, "-c", IN_A_PROCESS], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert printed == (["True", "2", "False"] if tuned else ["False", "1", "True"])
