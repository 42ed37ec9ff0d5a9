"""Locks on open files: the system takes them back when their process ends, however that comes about."""

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def lock(handle):
    """Keep an open file for this process and those that it forks.

    True if it is locked now, False if another process holds it, None where the system or the disk has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # some network file systems
        return None
    return True
