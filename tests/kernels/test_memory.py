"""Keeping freed memory: where it can be asked for, and never against the user's own setting."""

import ctypes
import os
import subprocess
import sys

import pytest

from minires.kernels.memory import SET_BY_USER, keep_freed_memory

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
        return int(subprocess.run([sys.executable, "-c", PROGRAM, thread], capture_output=True, text=True, check=True,
                                  env=environment).stdout)
    assert run() < 200


def test_who_has_set_the_c_librarys_own_variables_is_left_alone(monkeypatch):
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
