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
def work():
    np.ones(16 << 20, np.uint8)
    before = faults()
    for _ in range(20):
        np.ones(16 << 20, np.uint8)
    print(faults() - before)
if sys.argv[1] == "main":
    work()
else:
    threading.Thread(target=work).start()
"""


@pytest.mark.skipif(not GLIBC, reason="only glibc can be told to keep what is freed")
@pytest.mark.parametrize("thread", ["main", "another"])
def test_an_array_of_a_size_that_was_freed_costs_no_new_pages(thread):
    """20 arrays of 16 MB, one after another: 80,000 new pages of 4 KB, or none."""
    def run(**environment):
        environment = {k: v for k, v in os.environ.items() if k not in SET_BY_USER} | environment
        return int(subprocess.run([sys.executable, "-c", PROGRAM, thread], capture_output=True, text=True, check=True,
                                  env=environment).stdout)
    assert run() < 2000


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
