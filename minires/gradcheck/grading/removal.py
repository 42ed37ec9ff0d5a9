"""Removing the folder of a submission, however deep: Python before 3.13 calls itself for each folder within one."""

import contextlib
import os
import secrets
import shutil
import stat

HAS_PLACES = os.rename in os.supports_dir_fd and os.open in os.supports_dir_fd


def remove_tree(path):
    """Remove a folder with all that is in it. What cannot be removed stays, without an error."""
    if HAS_PLACES:
        with contextlib.suppress(OSError):
            top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                _empty(top)
            finally:
                os.close(top)
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(path)


def _empty(top):
    """Remove what is in a folder. Folders within its folders move up to it first, so that none is deep."""
    mark = secrets.token_hex(8)
    moved = 0
    waiting = os.listdir(top)
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError):
            if not stat.S_ISDIR(os.stat(name, dir_fd=top, follow_symlinks=False).st_mode):
                os.unlink(name, dir_fd=top)
                continue
            os.chmod(name, 0o700, dir_fd=top)
            inside = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                for entry in os.listdir(inside):
                    moved += 1
                    os.rename(entry, f"{mark}-{moved}", src_dir_fd=inside, dst_dir_fd=top)
                    waiting.append(f"{mark}-{moved}")
            finally:
                os.close(inside)
            os.rmdir(name, dir_fd=top)
