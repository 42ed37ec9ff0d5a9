"""Locks on open files. The system releases them when their process ends."""

from minires.system import fcntl


def lock(handle):
    """Lock an open file for this process and its forks.

    -> True if it is locked now, False if another process has the lock, None if the system or the disk has no locks.
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
