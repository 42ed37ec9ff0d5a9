"""Writing a file so that at every moment either the old or the new content is there, whole."""

import contextlib
import errno
import os
import re
import stat
import sys
import tempfile
import time
from pathlib import Path

from minires.annotations import PathLike
from minires.paths import as_path
from minires.storage.lock import lock


def atomic_write(path: PathLike, content: bytes) -> None:
    """Write bytes beside `path`, flush them to the disk, and rename; a failure leaves the old file as it was.

    A symbolic link stays one, and its target is written. What is no file (/dev/null, a pipe, standard output) is
    written through. Raises OSError that names the file, OptionError for what can name none.
    """
    path = as_path(path)
    if not path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        through = _open_through(path)
        if through is not None:
            with through:
                through.write(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:  # of the file beside it, or of a descriptor, which say nothing to a reader
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def check_writable(*paths: PathLike | None) -> None:
    """Raise, before the work, the OSError that atomic_write would raise after it for one of these paths.

    None stands for no file. Nothing is made or changed. Whether the disk has room is seen by writing only.
    """
    for path in paths:
        try:
            if path is not None:
                _check(Path(path))
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _check(path):
    try:
        there = os.stat(path)
    except FileNotFoundError:
        there = None
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if there is not None and (_printed_into(there) or not stat.S_ISREG(there.st_mode)):
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    folder = Path(os.path.realpath(path)).parent
    while not path.is_symlink() and not folder.exists():  # atomic_write makes it
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def remove_leftovers(path: PathLike) -> None:
    """Delete what killed processes have left of writing path. What is being written is locked, and stays."""
    path = Path(os.path.realpath(as_path(path)))
    part = re.compile(re.escape(_prefix(path)) + r"[a-z0-9_]{8}\.part")
    with contextlib.suppress(OSError):
        for beside in path.parent.iterdir():
            if part.fullmatch(beside.name) and stat.S_ISREG(beside.lstat().st_mode):
                with open(beside, "rb+") as file:
                    if lock(file.fileno()):
                        beside.unlink()


def _open_through(path):
    """`path` opened for writing if it is no regular file, or is what this process prints into; else None."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return None
    number = _printed_into(there)
    if number:
        stream = sys.stdout if number == 1 else sys.stderr
        if stream is not None:
            stream.flush()  # what was printed before comes before
        return open(number, "wb", closefd=False)  # where it stands, and not from the start
    if stat.S_ISREG(there.st_mode):
        return None
    return open(_opened(path), "wb")


def _printed_into(there):
    """The number of the standard stream of this process that a file is; None if it is neither."""
    for number in (1, 2):
        with contextlib.suppress(OSError):  # it is closed
            if os.path.samestat(os.fstat(number), there):
                return number
    return None


def _opened(path, patience=5.0):
    """A handle for writing. A pipe that has no reader for some seconds is an OSError: open() would wait for ever."""
    late = time.monotonic() + patience
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > late:
                raise
            time.sleep(0.05)
        else:
            os.set_blocking(handle, True)
            return handle


def _replace(path, content):
    remove_leftovers(path)
    handle, beside = _new_part(path)
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, 0o666 & ~_umask())  # mkstemp gives 0600, a new file has what the user's umask says
        if os.name == "nt":  # where what is open cannot be renamed, and nothing is locked
            os.close(handle)
            handle = None
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)
    _sync_folder(path.parent)


def _prefix(path):
    return f".{os.fsdecode(os.fsencode(path.name)[:100])}."  # the whole name with its ending could be too long


def _new_part(path):
    """(handle, name) of a new file beside path, locked, so that remove_leftovers knows that it is in use."""
    while True:
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=_prefix(path), suffix=".part")
        if lock(handle) is not False and os.fstat(handle).st_nlink:
            return handle, beside
        os.close(handle)  # remove_leftovers of another process came between


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder):
    """Make the renaming itself durable, where the system can: by now the new file stands, so nothing has failed."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):  # some network file systems cannot open or sync a folder
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
