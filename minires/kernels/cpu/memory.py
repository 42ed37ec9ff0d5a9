"""Keeping freed memory at hand.

The C library gives large blocks back to the system as soon as they are freed, and the system hands out every new one
page by page, each filled with zeros first. A training step makes and drops the same maps every time, and spends a
quarter of its time on that. glibc can be told to keep what is freed, in one place for all threads (places of other
threads it gives back whenever they are empty); elsewhere nothing is changed.

Where Linux gives huge pages to who asks, that place is made of them, so that a processor finds its way to an address
in fewer steps. NumPy asks for them too, but only for arrays of 4 MB and more. A fork leaves every page to two
processes; what either writes then is copied in small pages, which join_pages() puts together again.
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
PLACE = 4 << 30  # bytes of addresses; memory comes to them when it is used

_advise, _huge_pages = None, ()  # madvise, and where huge pages have been asked for: their addresses


def may_tune():
    """Whether minires may change what all of this process shares: malloc's thresholds, and the BLAS's threads.

    The environment's MINIRES_TUNE=0 says no.
    """
    return os.environ.get("MINIRES_TUNE") != "0"


def keep_freed_memory():
    """Let malloc keep large blocks for the next array of that size -> whether it could be told so.

    Not where one of glibc's own variables is set in the environment, nor with MINIRES_TUNE=0.
    """
    if not may_tune() or any(name in os.environ for name in SET_BY_USER):
        return False
    try:
        libc = ctypes.CDLL(None)
        mallopt = libc.mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    settings = {M_ARENA_MAX: 1, M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 16 << 20}
    told = all(mallopt(name, value) for name, value in settings.items())
    if told:
        _ask_for_huge_pages(libc)
    return told


def _ask_for_huge_pages(libc):
    """Let malloc take a large place at once, ask for huge pages there, and give it back to malloc untouched."""
    global _advise, _huge_pages
    if _addresses_are_scarce():
        return
    libc.malloc.argtypes, libc.malloc.restype = [ctypes.c_size_t], ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    place = libc.malloc(PLACE)
    if place is not None:
        first = -(-place // HUGE_PAGE) * HUGE_PAGE
        if libc.madvise(first, place + PLACE - first, MADV_HUGEPAGE) == 0:  # else there are none: nothing is lost
            _advise = libc.madvise
            _huge_pages = range(first, place + PLACE - HUGE_PAGE + 1, HUGE_PAGE)
        libc.free(place)


def join_pages():
    """Make huge pages of the small ones in which memory lies that a fork had left to two processes (Linux 6.1)."""
    for page in _huge_pages:
        _advise(page, HUGE_PAGE, MADV_COLLAPSE)  # refused where nothing lies, or by an older Linux: nothing is lost


def _addresses_are_scarce():
    """Whether there are few, or somebody limits them: this process's (ulimit -v, -d), or the system everybody's."""
    import resource  # not on Windows, where nobody gets here

    try:
        strict = Path("/proc/sys/vm/overcommit_memory").read_text().strip() == "2"
    except OSError:  # nobody knows
        strict = True
    limits = [resource.getrlimit(what)[0] for what in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    return strict or sys.maxsize < 1 << 40 or any(limit != resource.RLIM_INFINITY for limit in limits)
