"""The folder of a run, which one process at a time may write."""

import contextlib
import errno
import os
import re
import stat
import weakref
from pathlib import Path

from minires.errors import CheckpointError, OptionError
from minires.storage import load_state
from minires.storage.lock import lock

CHECKPOINT = "checkpoint.safetensors"
OLDER = re.compile(r"checkpoint-(\d{1,18})\.safetensors")  # one that is kept, with its step
ROOT = Path("runs")


def step_of(path):
    """The step in the name of a checkpoint that is not the newest; None for any other file."""
    match = OLDER.fullmatch(path.name)
    return int(match[1]) if match else None


def checkpoints(folder):
    """The paths of a run's checkpoints, the newest first; empty if the folder holds no run."""
    newest = Path(folder) / CHECKPOINT
    older = [path for path in Path(folder).glob("checkpoint-*.safetensors") if OLDER.fullmatch(path.name)]
    return [newest] * newest.exists() + sorted(older, key=step_of, reverse=True)


def _make(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def new_folder(config):
    """Make the folder runs/DATASET-MODEL[-N] with the smallest free N. Two processes never get the same one."""
    name = f"{os.path.basename(os.path.abspath(config.dataset))}-{config.model}"
    _make(ROOT)
    number = 1
    while True:
        folder = ROOT / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir()
            return folder
        except FileExistsError:
            number += 1


def unfinished_run(epochs=None):
    """The folder in runs/ of the newest run that is not finished. epochs: as many as --epochs says now.

    A checkpoint that cannot be read counts as not finished: to resume it says what is wrong. Raises OptionError if
    there is none.
    """
    longest = None  # the newest finished run that can be made longer
    found = [there[0] for folder in ROOT.glob("*") if (there := checkpoints(folder))]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in found:
        try:
            state = load_state(path)
            done, total = state["epoch"], epochs or state["config"]["epochs"]
            if done >= total:
                if state["config"]["schedule"] == "constant":
                    longest = longest or path.parent
                continue
        except (CheckpointError, KeyError, TypeError):
            pass
        return path.parent
    if not found:
        raise OptionError("there is no run to resume in runs/; name its folder with --out")
    advice = (
        f"to make {longest} longer: --resume --out {longest} --epochs N"
        if longest
        else "only one with --schedule constant can be made longer"
    )
    raise OptionError(f"all runs in runs/ are finished, {found[0].parent} as the last; {advice}")


def locked_by_first(ranks, make_lock):
    """The lock that the first rank makes. The other ranks get one that only knows the folder.

    What make_lock() raises in the first rank is raised in all.
    """
    made = []

    def folder_of_lock():
        made.append(make_lock())
        return made[0].folder

    folder = ranks.from_first(folder_of_lock)
    return made[0] if made else LockElsewhere(folder)


class LockElsewhere:
    """The lock on a folder that another rank has made, and holds."""

    def __init__(self, folder):
        self.folder = folder

    def acquire(self):
        """The other rank does it."""

    def release(self):
        """The other rank does it."""


class FolderLock:
    """A lock on a folder, which is made if necessary: no other process can have it at the same time.

    The system releases it when the process ends. Raises OSError that names the folder if it cannot be written, and
    OptionError if another process has the lock.
    """

    def __init__(self, folder, made=False):
        self.folder = Path(folder)
        self.made = made or not self.folder.exists()
        _make(self.folder)
        self._finalizer = None
        self.acquire()

    def acquire(self):
        """Lock the folder, unless this object has the lock already."""
        path = self.folder / ".lock"
        while not (self._finalizer and self._finalizer.alive):
            try:
                handle = self._open(path)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self.folder)) from error
            if handle is not None:
                self._finalizer = weakref.finalize(self, _release, handle, path, self.made, os.getpid())

    def _open(self, path):
        """The handle of the lock, None if its owner has just released it. Raises OptionError for another owner."""
        flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # no link, and no waiting for a pipe
        handle = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode) or os.fstat(handle).st_size > 100:
                raise OptionError(f"{path} is no lock of a run; move it away, or choose another --out")
            if lock(handle) is False:
                owner = os.read(handle, 100).decode("ascii", "replace").strip() or "another process"
                raise OptionError(
                    f"{self.folder} is being written by {owner}; wait for it, stop it, or choose another --out"
                )
            if os.fstat(handle).st_nlink:
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()}\n".encode())
                _handles.add(handle)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None

    def release(self):
        """Release the lock, and remove the folder if it is empty and was made for this run."""
        if self._finalizer:
            self._finalizer()


_handles = set()  # of this process's locks


def _release(handle, path, made, process):
    if os.getpid() != process:  # a fork, which has no lock
        return
    with contextlib.suppress(OSError):
        path.unlink()
    _handles.discard(handle)
    os.close(handle)
    if made:
        with contextlib.suppress(OSError):  # it is not empty
            path.parent.rmdir()


def _forked():
    for handle in _handles:
        os.close(handle)  # otherwise a lock would last until all forks have ended
    _handles.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
