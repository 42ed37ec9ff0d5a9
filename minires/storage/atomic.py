"""Writing a file atomically: at every moment it holds either the whole old content or the whole new one."""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
import tempfile
import time
from pathlib import Path

from minires.annotations import PathLike
from minires.paths import as_path
from minires.storage.lock import lock


def atomic_write(path: PathLike, content: bytes) -> None:
    """Write bytes to a temporary file beside `path`, flush it to the disk, and rename it. A failure keeps the old file.

    A symbolic link stays a link, and its target is written. A device, a pipe and standard output are written directly.
    Raises OSError that names the file, and OptionError for what can be no path.
    """
    path = as_path(path)
    if not path.is_symlink():
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        special = _open_special(path)
        if special is not None:
            with special:
                special.write(content)
        else:
            _replace(Path(os.path.realpath(path)), content)
    except OSError as error:  # it names the temporary file, which says nothing to a reader
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def keep_as(path: PathLike, other: PathLike) -> None:
    """Let `other` be the file at `path`, and stay as it is when path is replaced. A failure leaves path as it is.

    It is a second name of one file, which takes no room, or a copy on a disk without hard links. What was there under
    the name `other` goes. Raises OSError.
    """
    path = Path(as_path(path))
    other = Path(as_path(other))
    if other.exists() and os.path.samefile(path, other):
        return
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except (OSError, AttributeError, NotImplementedError):  # some disks, and the system of a browser
        atomic_write(other, path.read_bytes())


def check_writable(*paths: PathLike | None) -> None:
    """Raise now, before long work, the OSError that atomic_write would raise after it for one of these paths.

    None stands for no file. Nothing is written, so a full disk is not noticed.
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
    if there is not None and (_standard_stream(there) or not stat.S_ISREG(there.st_mode)):
        if not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return
    folder = Path(os.path.realpath(path)).parent
    while not path.is_symlink() and not folder.exists():  # atomic_write makes the missing folders
        folder = folder.parent
    with tempfile.TemporaryFile(dir=folder):
        pass


def remove_leftovers(path: PathLike) -> None:
    """Delete temporary files that killed processes have left beside path. Files in use are locked, and stay."""
    path = Path(os.path.realpath(as_path(path)))
    part = re.compile(re.escape(_prefix(path)) + r"[a-z0-9_]{8}\.part")
    with contextlib.suppress(OSError):
        for beside in path.parent.iterdir():
            if part.fullmatch(beside.name) and stat.S_ISREG(beside.lstat().st_mode):
                with open(beside, "rb+") as file:
                    if lock(file.fileno()):
                        beside.unlink()


def _open_special(path):
    """`path` opened for writing if it is no regular file, or is this process's standard output or error; else None."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return None
    number = _standard_stream(there)
    if number:
        stream = sys.stdout if number == 1 else sys.stderr
        if stream is not None:
            stream.flush()  # what was printed before must come first
        return open(number, "wb", closefd=False)  # at its current position, not from the start
    if stat.S_ISREG(there.st_mode):
        return None
    return open(_open_for_writing(path), "wb")


def _standard_stream(there):
    """1 or 2 if the file is this process's standard output or error; else None."""
    for number in (1, 2):
        with contextlib.suppress(OSError):  # it is closed
            if os.path.samestat(os.fstat(number), there):
                return number
    return None


def _open_for_writing(path, patience=5.0):
    """A handle for writing. Raises OSError if a pipe has no reader for some seconds; open() would wait for ever."""
    deadline = time.monotonic() + patience
    while True:
        try:
            handle = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            os.set_blocking(handle, True)
            return handle


def _replace(path, content):
    remove_leftovers(path)
    handle, beside = _new_temporary(path)
    try:
        with os.fdopen(os.dup(handle), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if os.name == "nt":  # Windows cannot rename an open file, and has no lock on it
            os.close(handle)
            handle = None
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    finally:
        if handle is not None:
            os.close(handle)
    _sync_folder(path.parent)


def _prefix(path):
    return f".{os.fsdecode(os.fsencode(path.name)[:100])}."  # a longer name could be too long with its ending


def _new_temporary(path):
    """(handle, name) of a new file beside path. It is locked, so that remove_leftovers knows that it is in use.

    It has the permissions that open() gives. They cannot be computed, because in a browser os.umask() says 0o777.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        beside = path.parent / f"{_prefix(path)}{secrets.token_hex(4)}.part"
        try:
            handle = os.open(beside, flags, 0o666)
        except FileExistsError:
            continue
        if lock(handle) is not False and os.fstat(handle).st_nlink:
            return handle, beside
        os.close(handle)  # another process has removed it before it was locked


def _sync_folder(folder):
    """Flush the renaming to the disk, if the system can. An error is ignored, because the new file is complete."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with contextlib.suppress(OSError):  # some network file systems cannot open or sync a folder
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
