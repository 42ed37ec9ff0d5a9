"""Opening a file to read it: only a regular file, and only as much as fits into memory."""

import os
import stat
from contextlib import contextmanager

from minires.errors import CheckpointError
from minires.paths import as_path


@contextmanager
def opened(path):
    """(file, its size) of a regular file. Raises CheckpointError for anything else, and for what cannot be read."""
    path = as_path(path, CheckpointError)
    try:
        with open(path, "rb", opener=_open) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"{path} cannot be read: it is a pipe or a device, not a file")
            yield file, status.st_size
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error


def whole(path, file, size):
    """All bytes of an opened file. Raises CheckpointError if they are more than this machine has memory."""
    if size > _memory():
        raise CheckpointError(
            f"{path} cannot be read: its {size / 1e9:.0f} GB are more than the {_memory() / 1e9:.0f} GB of this "
            "machine's memory"
        )
    file.seek(0)
    return file.read()


def _open(path, flags):
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # do not wait for the other end of a pipe


def _memory():
    """The bytes of this machine's memory; infinity if the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return float("inf")
