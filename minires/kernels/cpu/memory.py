"""Keeping freed memory for the next array.

The C library returns large blocks to the system as soon as they are freed. The system fills every new one with zeros,
page by page. A training step allocates and frees the same arrays every time, and would spend a quarter of its time on
that. glibc can be told to keep what is freed, in one heap for all threads, because it returns the other threads' heaps
when they are empty. With another C library nothing is changed.

Where Linux offers huge pages, the heap asks for them, so that a processor translates an address in fewer steps. NumPy
asks for them too, but only for arrays of 4 MB and more. After a fork two processes have every page. What either writes
is copied into small pages, which join_pages() makes huge again.
"""

import ctypes
import os
import sys
from pathlib import Path

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8  # <malloc.h>
SET_BY_USER = (
    "MALLOC_TRIM_THRESHOLD_",
    "MALLOC_TOP_PAD_",
    "MALLOC_MMAP_MAX_",
    "MALLOC_MMAP_THRESHOLD_",
    "MALLOC_ARENA_MAX",
)
MADV_HUGEPAGE, MADV_COLLAPSE = 14, 25  # <sys/mman.h>
HUGE_PAGE = 2 << 20
HEAP = 4 << 30  # bytes of addresses; they get memory when they are used

_advise, _huge_pages = None, ()  # madvise, and the addresses of the huge pages that were asked for


def may_tune():
    """Whether minires may change settings of the whole process: malloc's thresholds and the BLAS's threads.

    The environment variable MINIRES_TUNE=0 forbids it.
    """
    return os.environ.get("MINIRES_TUNE") != "0"


def keep_freed_memory():
    """Let malloc keep large blocks for the next array of that size -> whether that was possible.

    Nothing is changed if one of glibc's own variables is set in the environment, or with MINIRES_TUNE=0.
    """
    if not may_tune() or any(name in os.environ for name in SET_BY_USER):
        return False
    try:
        libc = ctypes.CDLL(None)
        mallopt = libc.mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    settings = {M_ARENA_MAX: 1, M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 16 << 20}
    done = all(mallopt(name, value) for name, value in settings.items())
    if done:
        _ask_for_huge_pages(libc)
    return done


def _ask_for_huge_pages(libc):
    """Let malloc take a large block of addresses, ask for huge pages there, and free it again unused."""
    global _advise, _huge_pages
    if _addresses_are_scarce():
        return
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    block = libc.malloc(HEAP)
    if block is not None:
        first = -(-block // HUGE_PAGE) * HUGE_PAGE
        if libc.madvise(first, block + HEAP - first, MADV_HUGEPAGE) == 0:  # else the system offers none
            _advise = libc.madvise
            _huge_pages = range(first, block + HEAP - HUGE_PAGE + 1, HUGE_PAGE)
        libc.free(block)


def join_pages():
    """Make huge pages of the small ones that writing after a fork has left (Linux 6.1)."""
    for page in _huge_pages:
        _advise(
            page, HUGE_PAGE, MADV_COLLAPSE
        )  # refused for unused addresses and by an older Linux, which does no harm


def _addresses_are_scarce():
    """Whether addresses are few or limited, for this process (ulimit -v, -d) or by the system for all."""
    import resource  # Windows has none, but does not get here

    try:
        strict = Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "2"
    except OSError:  # unknown
        strict = True
    limits = [resource.getrlimit(what)[0] for what in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return strict or sys.maxsize < 1 << 40 or any(limit != resource.RLIM_INFINITY for limit in limits)
