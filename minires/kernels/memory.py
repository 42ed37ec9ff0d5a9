"""Keeping freed memory at hand.

The C library gives large blocks back to the system as soon as they are freed, and the system hands out every new one
page by page, each filled with zeros first. A training step makes and drops the same maps every time, and spends a
quarter of its time on that. glibc can be told to keep what is freed; elsewhere nothing is changed.
"""

import ctypes
import os

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # <malloc.h>
SET_BY_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_")


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
    return bool(mallopt(M_MMAP_MAX, 0) and mallopt(M_TRIM_THRESHOLD, -1) and mallopt(M_TOP_PAD, 16 << 20))
