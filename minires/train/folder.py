"""The folder of a run: one process at a time writes it."""

import contextlib
import errno
import os
import stat
import weakref
from pathlib import Path

from minires.errors import CheckpointError, OptionError
from minires.storage import load_state
from minires.storage.lock import lock

CHECKPOINT = "checkpoint.safetensors"
ROOT = Path("runs")


def _make(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from error


def new_folder(config):
    """Make the folder runs/DATASET-MODEL[-N], with the first N that is free; two processes never get the same."""
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
    """The folder under runs/ of the newest run that has epochs to do; epochs: how many there are to be now.

    A checkpoint that cannot be read counts: going on with it says what is wrong with it. Raises OptionError.
    """
    longest = None  # the newest finished run that can be made longer
    found = sorted(ROOT.glob(f"*/{CHECKPOINT}"), key=lambda path: path.stat().st_mtime, reverse=True)
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


class Hold:
    """A folder, made if it is not there, that no other process may write while this one holds it.

    The lock goes with the process, however that ends. Raises OSError, naming the folder, if nothing can be written
    there, and OptionError if it is held already.
    """

    def __init__(self, folder, made=False):
        self.folder = Path(folder)
        self.made = made or not self.folder.exists()
        _make(self.folder)
        self._let_go = None
        self.acquire()

    def acquire(self):
        """Hold the folder from now on; nothing happens if this holds it already."""
        path = self.folder / ".lock"
        while not (self._let_go and self._let_go.alive):
            try:
                handle = self._open(path)
            except OSError as error:
                raise OSError(error.errno, error.strerror, str(self.folder)) from error
            if handle is not None:
                self._let_go = weakref.finalize(self, _release, handle, path, self.made, os.getpid())

    def _open(self, path):
        """The lock's handle, or None if its holder has just let go. Raises OptionError if there is another holder."""
        careful = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)  # follow no link, wait for no pipe
        handle = os.open(path, os.O_RDWR | os.O_CREAT | careful, 0o666)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode) or os.fstat(handle).st_size > 100:
                raise OptionError(f"{path} is no lock of a run; move it away, or choose another --out")
            if lock(handle) is False:
                holder = os.read(handle, 100).decode("ascii", "replace").strip() or "another process"
                raise OptionError(
                    f"{self.folder} is being written by {holder}; wait for it, stop it, or choose another --out"
                )
            if os.fstat(handle).st_nlink:
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()}\n".encode())
                _held.add(handle)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
        return None

    def release(self):
        """Let go, and leave no empty folder that was made for this."""
        if self._let_go:
            self._let_go()


_held = set()  # handles of this process


def _release(handle, path, made, process):
    if os.getpid() != process:  # a forked one, which holds nothing
        return
    with contextlib.suppress(OSError):
        path.unlink()
    _held.discard(handle)
    os.close(handle)
    if made:
        with contextlib.suppress(OSError):  # a run lies in it
            path.parent.rmdir()


def _forked():
    for handle in _held:
        os.close(handle)  # or what a killed process had held would stay locked until its children end
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
