"""Keeping freed memory at hand.

The C library gives large blocks back to the system as soon as they are freed, and the system hands out every new one
page by page, each filled with zeros first. A training step makes and drops the same maps every time, and spends a
quarter of its time on that. glibc can be told to keep what is freed, in one place for all threads (places of other
threads it gives back whenever they are empty); elsewhere nothing is changed.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX, M_ARENA_MAX = -1, -2, -4, -8  # <malloc.h>
SET_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_",
               "MALLOC_ARENA_MAX")


def keep_freed_memory():
    """Let malloc keep large blocks for the next array of that size -> whether it could be told so.

    Whoever has set one of glibc's own variables in the environment is not interfered with.
    """
    if any(name in os.environ for name in SET_BY_USER):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, or Windows
        return False
    settings = {M_ARENA_MAX: 1, M_MMAP_MAX: 0, M_TRIM_THRESHOLD: -1, M_TOP_PAD: 16 << 20}
    return all(mallopt(name, value) for name, value in settings.items())
