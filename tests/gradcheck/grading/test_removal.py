"""What a submission leaves is removed, however deep, and stops no marking."""

import ast
import os
import subprocess
import sys
import time

import pytest
from marks import GOOD, verdicts

from minires.gradcheck.grading import process
from minires.gradcheck.grading.removal import remove_tree
from minires.gradcheck.grading.source import nodes_of

DEEP = 1500  # folders within one another; Python calls itself 1,000 times at most


def deep_folder(top):
    """Many folders within one another, with a file in each; their path is too long to be written."""
    top.mkdir()
    inside = os.open(top, os.O_RDONLY)
    for _ in range(DEEP):
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=inside))
        os.mkdir("a" * 20, dir_fd=inside)
        deeper = os.open("a" * 20, os.O_RDONLY, dir_fd=inside)
        os.close(inside)
        inside = deeper
    os.close(inside)
    return top


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such deep folders")
def test_a_deep_folder_is_removed_and_what_links_lead_to_stays(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    top = deep_folder(tmp_path / "deep")
    (top / "link").symlink_to(tmp_path / "kept")
    (top / "closed").mkdir(mode=0)
    remove_tree(top)
    assert not top.exists()
    assert (tmp_path / "kept" / "file").exists()
    remove_tree(top)  # there is none, and that is no error


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_an_old_deep_folder_stops_no_later_grader(tmp_path, monkeypatch):
    monkeypatch.setattr(process.tempfile, "tempdir", str(tmp_path))
    old = deep_folder(tmp_path / f"{process.SCRATCH}old")
    os.utime(old, (time.time() - 3600,) * 2)
    process.remove_old_scratch_folders()
    assert not old.exists()


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_a_deep_folder_costs_another_no_marks(tmp_path, grade):
    """Alice has a second name for a file of hers, so the folders of others are searched for that file."""
    for name in ("alice", "kim"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "hw.py").write_text(GOOD)
    os.link(tmp_path / "alice" / "hw.py", tmp_path / "alice" / "copy.txt")
    deep_folder(tmp_path / "kim" / "deep")
    _, out = grade(tmp_path, "--function", "relu", "--like", "relu", "--seed", 1)
    assert set(verdicts(out).values()) == {"passed"}, out
    remove_tree(tmp_path / "kim" / "deep")


@pytest.mark.parametrize("dot", [".", " . ", ".\t"])
def test_a_dotted_name_of_thousands_is_not_read_by_the_grader(dot):
    start = time.process_time()
    assert nodes_of("if 0: import " + dot.join("a" * 40_000), ast.Import) == []
    assert nodes_of("import a.b.c\nx = [0.,1.,2.,3.]" + " + y.z" * 500, ast.Import) != []
    assert nodes_of("x = " + "a" * 200_000, ast.Import) == []
    assert time.process_time() - start < 5


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 looks into the folder first")
def test_no_module_beside_homework_is_imported_by_the_grader(tmp_path):
    """copy, of Python itself, tries to import org; others look for what need not be installed."""
    (tmp_path / "hw.py").write_text(GOOD)
    for name in ("org", "regex", "argcomplete", "cupy", "threadpoolctl", "interegular", "rfc3987"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'mark')!r}, 'a').write({name!r})\n")
    command = [sys.executable, "-m", "minires.gradcheck", "hw.py:relu", "--like", "relu", "--samples", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (tmp_path / "mark").exists()
