"""What lies in the folder where a command is started hides none of Python's modules."""

import os
import subprocess
import sys

import pytest

from minires import working_folder

HIDING = (
    "argparse",
    "collections",
    "copy",
    "enum",
    "functools",
    "json",
    "numpy",
    "operator",
    "os",
    "pathlib",
    "queue",
    "random",
    "re",
    "signal",
    "string",
    "struct",
    "tempfile",
    "typing",
)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="processes that Python 3.10 starts look into the folder first")
def test_a_command_runs_where_files_have_the_names_of_modules(tmp_path):
    for name in HIDING:
        (tmp_path / f"{name}.py").write_text(f"raise SystemExit('this is {name}')\n")
    found = subprocess.run(
        [sys.executable, "-m", "minires.gradcheck", "relu", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (found.returncode, found.stderr) == (0, ""), found.stdout


@pytest.mark.parametrize("stays", [True, False])
def test_the_working_folder_moves_to_the_end_or_away(tmp_path, monkeypatch, stays):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "other" if stays else "minires.gradcheck", "relu"])
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    here = os.getcwd()
    site = os.path.join(os.getcwd(), "site")
    for before, after in (
        ([here, "/lib", site], ["/lib", site, here]),
        (["", "/lib"], ["/lib", ""]),
        ([here, here, "/lib"], ["/lib", here, here]),
        (["/lib", site], ["/lib", site]),
        ([], []),
    ):
        monkeypatch.setattr(sys, "path", before)
        working_folder.leave()
        assert sys.path is before
        assert before == (after if stays else [folder for folder in after if folder not in ("", here)])


def test_in_a_clone_the_working_folder_stays(monkeypatch):
    clone = os.path.dirname(os.path.dirname(os.path.abspath(working_folder.__file__)))
    monkeypatch.chdir(clone)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "minires.gradcheck", "relu"])
    monkeypatch.setattr(sys, "path", ["", "/lib"])
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    working_folder.leave()
    assert sys.path == ["/lib", ""]


def test_a_working_folder_that_was_deleted_changes_nothing(monkeypatch):
    def deleted():
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", deleted)
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setattr(sys, "path", ["", "/lib"])
    working_folder.leave()
    assert sys.path == ["", "/lib"]


@pytest.mark.parametrize("command", ["import minires", "import sys; sys.argv = ['script.py']; import minires"])
def test_a_script_or_a_notebook_finds_its_modules_where_it_did(tmp_path, command):
    code = f"import sys; before = list(sys.path); {command}; assert sys.path == before"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60).returncode == 0
