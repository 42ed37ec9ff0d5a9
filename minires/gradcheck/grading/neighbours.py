"""What a submission may import and read: its neighbours, the package that it lies in, and what is lent to all."""

import contextlib
import os
import shutil
import stat
from pathlib import Path

from minires.gradcheck.grading.folders import linked_number
from minires.gradcheck.grading.removal import remove_tree
from minires.gradcheck.grading.source import package_of

NEIGHBOURS = {".py", ".npy", ".npz", ".csv", ".txt", ".json"}  # what a homework may read beside it
DEPTH = 4  # folders within folders
ENTRIES = 10_000  # files and folders looked at; a homework may lie in a home folder


def copy_neighbours(text, folder, to, size, without=()):
    """Copy what lies in a submission's folder, and the package in which its text says it lies.

    -> (the package's dotted name, the files that were left out because they are another's, too)
    """
    left_out = _copy(folder, to, size, without)
    top, package = package_of(folder, text)
    if top is not None:
        left_out += _copy(top, os.path.join(to, top.name), size, without)
    return package, left_out


def copy_helpers(paths, to, size):
    """Copy the files and folders that a teacher lends to all submissions, in place of theirs of the same name."""
    for path in paths:
        copy = os.path.join(to, Path(path).name or Path(path).resolve().name)
        if os.path.isdir(path) and not os.path.isdir(copy):
            with contextlib.suppress(FileNotFoundError):
                os.remove(copy)
        elif os.path.isdir(copy) and not os.path.isdir(path):
            remove_tree(copy)
        if os.path.isdir(path):
            _copy(path, copy, size)
        else:
            shutil.copyfile(path, copy)


def _copy(folder, to, size, without=()):
    """Copy a folder: no links, which may lead anywhere, and nothing large. -> the files that are another's, too

    The smallest come first, so that a large file uses up no part of what others may have.
    """
    skipped = {os.path.realpath(path) for path in without}
    wanted = []
    entries = 0
    for place, folders, files in os.walk(folder):
        entries += len(files) + len(folders)
        if entries > ENTRIES:
            break
        inside = os.path.relpath(place, folder)
        deep = len(Path(inside).parts)
        seen = [f for f in folders if f[0] not in "._" and os.path.realpath(os.path.join(place, f)) not in skipped]
        folders[:] = sorted(seen) if deep < DEPTH else []
        for file in sorted(files):
            path = os.path.join(place, file)
            if Path(file).suffix not in NEIGHBOURS or os.path.realpath(path) in skipped:
                continue
            with contextlib.suppress(OSError):  # it is gone
                about = os.lstat(path)
                if stat.S_ISREG(about.st_mode):
                    wanted.append((about.st_size, path, os.path.join(to, inside, file)))
    numbers = {path: linked_number(path) for _, path, _ in wanted}
    taken = _numbers_elsewhere(folder, without) if any(numbers.values()) else set()
    for length, path, copy in sorted(wanted):
        if numbers[path] in taken:
            continue
        size -= length
        if size < 0:
            break
        with contextlib.suppress(OSError):  # not ours to read, or gone
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            shutil.copyfile(path, copy)
    return [path for path, number in numbers.items() if number in taken]


def _numbers_elsewhere(folder, others):
    """The numbers of the files that have several names, one of them where others have their work."""
    own = os.path.realpath(folder) + os.sep
    found = set()
    for place in {path if os.path.isdir(path) else os.path.dirname(path) for path in map(os.path.realpath, others)}:
        entries = 0
        for inside, folders, files in os.walk(place):
            if (inside + os.sep).startswith(own):
                folders.clear()
                continue
            entries += len(files) + len(folders)
            if entries > ENTRIES:
                break
            if os.path.relpath(inside, place).count(os.sep) >= DEPTH:
                folders.clear()  # no work is deeper, and os.walk calls itself for each folder within one
            found |= {linked_number(os.path.join(inside, file)) for file in files}
    return found - {None}
