"""What can be no path is refused by everything that takes one, in the error of its room."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minires import data, storage
from minires.errors import CheckpointError, DataError, OptionError
from minires.paths import as_path

ARRAYS = {"a": np.ones(2)}
TAKES_A_PATH = [
    (lambda path: storage.save(path, ARRAYS), OptionError),
    (lambda path: storage.save_checkpoint(path, {"model": ARRAYS}, {}), OptionError),
    (lambda path: storage.atomic_write(path, b"x"), OptionError),
    (storage.remove_leftovers, OptionError),
    (storage.load, CheckpointError),
    (storage.load_checkpoint, CheckpointError),
    (storage.load_state, CheckpointError),
    (data.read_image, DataError),
    (data.load, DataError),
    (lambda path: data.load("cifar10", path), DataError),
]
IDS = [
    "save",
    "save_checkpoint",
    "atomic_write",
    "remove_leftovers",
    "load",
    "load_checkpoint",
    "load_state",
    "read_image",
    "data.load",
    "a local copy",
]


@pytest.mark.parametrize(
    "path", [7, 1.5, True, b"bytes", "", "a\0b", Path("a\0b"), "\ud800", [], np.ones(2), sys.stdout], ids=repr
)
@pytest.mark.parametrize(("take", "error"), TAKES_A_PATH, ids=IDS)
def test_what_can_be_no_path_is_refused_in_one_line_and_nothing_is_made(tmp_path, monkeypatch, take, error, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error) as caught:
        take(path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("take", "error"), TAKES_A_PATH[:-1], ids=IDS[:-1])
def test_none_is_no_path(take, error):
    with pytest.raises(error, match="None"):
        take(None)


def test_a_path_is_text_or_what_gives_text():
    class Folder:
        def __fspath__(self):
            return "folder"

    assert [as_path(path) for path in ("folder", Path("folder"), Folder())] == [Path("folder")] * 3


def test_a_number_is_no_file_that_happens_to_be_open():
    """open(1) would read from standard output, and close it."""
    code = (
        "from minires import storage\ntry: storage.load(1)\nexcept storage.weights.CheckpointError: print('still open')"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "still open\n"


@pytest.mark.parametrize("root", [None, "x" * 5000])
def test_a_name_that_no_file_system_takes_is_a_data_error(root):
    with pytest.raises(DataError, match="cannot be read: File name too long"):
        data.load("cifar10" if root else "x" * 5000, root)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX's permissions")
def test_a_folder_that_may_not_be_looked_into_is_a_data_error(tmp_path, monkeypatch):
    def refused(path, **settings):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", refused)
    with pytest.raises(DataError, match=rf"{tmp_path.name} cannot be read: Permission denied"):
        data.load(tmp_path)
