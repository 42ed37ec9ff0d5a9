"""A file with two names: an archive can make a hard link to a file of another, which its author need never see."""

import os
import shutil

import pytest
from marks import GOOD, verdicts

USES = "from lib import step\nimport numpy as np\ndef relu(x): return np.maximum(x, 0), lambda dy: dy * step(x)\n"
STEP = "def step(x):\n    return x > 0\n"
WORDS = [["in", "--function", "relu"], ["in/*.py:relu", "in/*/hw.py:relu"], ["in/**/hw.py:relu", "in/*.py:relu"]]


@pytest.fixture
def given(tmp_path, monkeypatch):
    """A folder in which alice, bob and carol have right work of their own, in folders and in a file."""
    monkeypatch.chdir(tmp_path)
    for name in ("alice", "bob", "mallory"):
        (tmp_path / "in" / name).mkdir(parents=True)
    for name in ("alice", "bob"):
        (tmp_path / "in" / name / "hw.py").write_text(USES)
        (tmp_path / "in" / name / "lib.py").write_text(STEP)
    (tmp_path / "in" / "carol.py").write_text(GOOD)
    return tmp_path / "in"


@pytest.mark.parametrize("words", WORDS)
def test_one_file_is_not_the_work_of_two(given, grade, words):
    (given / "mallory" / "hw.py").hardlink_to(given / "alice" / "hw.py")
    (given / "mallory" / "lib.py").write_text(STEP)
    (given / "dave.py").hardlink_to(given / "carol.py")
    out = grade(*words, "--like", "relu", "--seed", 1)[1]
    passed = {name.removesuffix(":relu") for name, verdict in verdicts(out).items() if verdict == "passed"}
    assert passed == {"bob/hw.py"}
    assert "it is one file with in/alice/hw.py (a hard link), so whose work is it?" in out
    assert "it is one file with in/mallory/hw.py (a hard link), so whose work is it?" in out


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("linked", ["alice/lib.py", "alice/hw.py"])
def test_another_cannot_import_a_file_by_a_name_of_their_own(given, grade, words, linked):
    (given / "mallory" / "mine.py").hardlink_to(given / linked)
    (given / "mallory" / "lib.py").write_text(STEP)
    lines = {"alice/lib.py": USES.replace("lib", "mine"), "alice/hw.py": "from mine import relu\nrelu = relu\n"}
    (given / "mallory" / "hw.py").write_text(lines[linked])
    found = verdicts(grade(*words, "--like", "relu", "--seed", 1)[1])
    found = {name.removesuffix(":relu"): verdict for name, verdict in found.items()}
    mallory = [verdict for name, verdict in found.items() if "mallory" in name]
    assert set(mallory) == {"could not run"}
    assert found["bob/hw.py"] == found["carol.py"] == "passed"


def test_a_hard_link_to_the_teachers_file_gets_no_marks(given, grade, tmp_path):
    (tmp_path / "teacher.py").write_text(GOOD)
    (given / "mallory" / "hw.py").hardlink_to(tmp_path / "teacher.py")
    out = grade("in", "--function", "relu", "--reference", "teacher.py:relu", "--shapes", "3,4", "--seed", 1)[1]
    assert verdicts(out)["mallory/hw.py"] == "could not run"
    assert "it is one file with teacher.py (a hard link)" in out


@pytest.mark.parametrize("words", WORDS)
def test_links_of_a_backup_and_copies_are_no_sign(given, grade, tmp_path, words):
    """cp -al makes links to all files; and one file may be named twice in a command."""
    shutil.copytree(given, tmp_path / "backup", copy_function=os.link)
    (given / "mallory" / "hw.py").write_text(GOOD)
    (given / "mallory" / "again.txt").hardlink_to(given / "mallory" / "hw.py")
    found = verdicts(grade(*words, "--like", "relu", "--seed", 1)[1])
    assert set(found.values()) == {"passed"}
    found = verdicts(grade("in/carol.py:relu", "./in/carol.py:relu", "--like", "relu", "--seed", 1)[1])
    assert set(found.values()) == {"passed"}


@pytest.mark.parametrize("words", [["in/*.py:relu", "in/*/hw.py:relu"], ["in/carol.py:relu", "in/alice/hw.py:relu"]])
def test_of_a_folder_in_which_others_lie_nothing_is_seen(given, grade, words):
    """carol.py lies in the folder that holds the folder of alice, and could import what is in it."""
    theirs = "import sys\nsys.path.insert(0, 'alice')\n" + USES
    (given / "carol.py").write_text(theirs)
    (given / "eve.py").write_text("from alice.lib import step\n" + GOOD)
    found = verdicts(grade(*words, "in/eve.py:relu", "--like", "relu", "--seed", 1)[1])
    assert found["alice/hw.py:relu"] == "passed"
    assert found["carol.py:relu"] == found["eve.py:relu"] == "could not run"
