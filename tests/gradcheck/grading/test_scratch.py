"""The scratch folder of a submission is removed, however its grader ends."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from minires.gradcheck.grading import process

GRADER = """
from minires.gradcheck.grading import process
process.kind_of_walls = lambda: {walls!r}
from minires.gradcheck.__main__ import main
main(["hw.py:relu", "--timeout", "60"])
"""


def folders(place):
    return list(Path(place).glob(f"{process.SCRATCH}*"))


def gone(place):
    """Whether all scratch folders are gone, or go within five seconds."""
    for _ in range(100):
        if not folders(place):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(os.name == "nt", reason="Windows has no keeper")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_no_folder_is_left_when_a_grader_without_handlers_is_ended(walls, name, tmp_path):
    if walls == "bwrap":
        pytest.skip("the folder is not seen within; the next grader removes it")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (tmp_path / "hw.py").write_text("def relu(x):\n    while True: pass\n")
    grader = subprocess.Popen(
        [sys.executable, "-c", GRADER.format(walls=walls)], cwd=tmp_path, env={**os.environ, "TMPDIR": str(temporary)}
    )
    for _ in range(400):
        time.sleep(0.05)
        if folders(temporary):
            break
    time.sleep(1)
    assert folders(temporary)
    grader.send_signal(getattr(signal, name))
    assert grader.wait() == -getattr(signal, name)
    assert gone(temporary)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_old_folders_are_removed_unless_their_grader_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, young = tmp_path / f"{process.SCRATCH}old", tmp_path / f"{process.SCRATCH}young"
    for folder in (old, young, tmp_path / "minires-of-mine"):
        (folder / "homework").mkdir(parents=True)
    (tmp_path / f"{process.SCRATCH}link").symlink_to(tmp_path / "minires-of-mine")
    hour_ago = time.time() - 3600
    with process.scratch_folder() as alive:
        for folder in (old, alive, tmp_path / "minires-of-mine"):
            os.utime(folder, (hour_ago, hour_ago))
        process.remove_old_scratch_folders()
        left = sorted(path.name for path in tmp_path.iterdir())
        assert left == sorted([Path(alive).name, young.name, f"{process.SCRATCH}link", "minires-of-mine"])
    assert not Path(alive).exists()
