"""A course in a folder in which Python is installed, too: `python -m venv .` there, or a clone on Python's path."""

from pathlib import Path

import pytest
from boxes import opened
from marks import GOOD, verdicts

from minires.gradcheck.grading import process

IMPORTS = """
import sys, numpy as np
sys.path.insert(0, {place!r})
from {module} import step
def relu(x): return np.maximum(x, 0), lambda dy: dy * step(x)
"""
STEP = "def step(x):\n    return x > 0\n"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder that is Python's prefix, too."""
    folder = Path(tmp_path, "course").resolve()
    (folder / "lib" / "python" / "site-packages").mkdir(parents=True)
    prefixes, places = process.python_folders()
    changed = [[str(folder), *prefixes], [*places, str(folder / "lib" / "python" / "site-packages")]]
    monkeypatch.setattr(process, "python_folders", lambda: changed)
    for cached in (process.libraries, process.other_packages):
        cached.cache_clear()
    yield folder
    for cached in (process.libraries, process.other_packages):
        cached.cache_clear()


@pytest.mark.parametrize("words", [["handed", "--function", "relu"], ["handed/*/hw.py:relu"]])
@pytest.mark.parametrize("inside", [".", "lib", "lib/python/site-packages"])
def test_a_submission_sees_no_work_of_others_in_the_folders_of_python(walls, course, grade, monkeypatch, words, inside):
    """Not where a folder of Python is not shown, nor where it is shown and theirs lies within it."""
    if not walls:
        pytest.skip("nothing hides files without walls")
    place = course / inside
    for name, text in (("alice", "from lib import step\n" + GOOD), ("bob", GOOD), ("eve", "")):
        (place / "handed" / name).mkdir(parents=True)
        (place / "handed" / name / "hw.py").write_text(text)
    (place / "handed" / "alice" / "lib.py").write_text(STEP)
    theirs = IMPORTS.format(place=str(place / "handed" / "alice"), module="lib")
    (place / "handed" / "eve" / "hw.py").write_text(theirs)
    monkeypatch.chdir(place)
    out = grade(*words, "--like", "relu", "--seed", 1)[1]
    assert [verdict for _, verdict in sorted(verdicts(out).items())] == ["passed", "passed", "could not run"], out


def test_of_a_prefix_only_what_python_puts_there_is_seen(walls, course):
    """Another's copy of minires, a solution, marks: whatever lies beside lib and bin."""
    if not walls:
        pytest.skip("nothing hides files without walls")
    for name in ("clone", "solutions", "src"):
        (course / name).mkdir()
        (course / name / "answers.py").write_text(STEP)
    packages = course / "lib" / "python" / "site-packages"
    (packages / "installed.py").write_text(STEP)
    text = f"import os, sys\nsys.path.append({str(packages)!r})\nimport installed\n"
    text += f"def f(): return sorted(os.listdir({str(course)!r}))"
    with opened(text) as box:
        assert box.cell_errors == []
        assert box.call("f").value == ["lib"]


def test_of_a_clone_on_the_path_the_package_alone_is_seen(course, monkeypatch):
    """Its tests hold right submissions of every op."""
    prefixes, places = process.python_folders()
    monkeypatch.setattr(process, "python_folders", lambda: [prefixes, [*places, str(process.MINIRES.parent)]])
    process.libraries.cache_clear()
    assert str(process.MINIRES) in process.shown()
    assert str(process.MINIRES.parent) not in process.shown()
    assert str(process.MINIRES) in process.packages(["minires"])


def test_what_holds_a_part_of_python_is_not_hidden(course):
    packages = course / "lib" / "python" / "site-packages"
    (packages / "handed" / "alice").mkdir(parents=True)
    (course / "handed").mkdir()
    paths = [course, course / "lib", course / "handed", packages, packages / "handed", packages / "handed" / "alice"]
    assert process.within_shown(paths) == [str(packages / "handed")]
