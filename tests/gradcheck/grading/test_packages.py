"""Modules that a submission imports: those of a package that it lies in, and what the teacher lends to all."""

import pytest
from marks import GOOD

from minires.gradcheck.grading.source import package_of

HELPED = (
    "import numpy as np\nfrom {} import positive\ndef relu(x): return np.maximum(x, 0), lambda dy: dy * positive(x)\n"
)
HELPER = "def positive(x):\n    return x > 0\n"
WORDS = ["--function", "relu", "--like", "relu", "--seed", 1]


def package(folder, **files):
    folder.mkdir(parents=True)
    for name, text in {"__init__": "", **files}.items():
        (folder / f"{name}.py").write_text(text)


@pytest.mark.parametrize("module", ["cs231n.fast", ".fast", "cs231n.inner.fast", ".inner.fast"])
def test_a_submission_in_a_package_imports_the_package(tmp_path, grade, module):
    kim = tmp_path / "in" / "kim" / "cs231n"
    package(kim, fast=HELPER, layers=HELPED.format(module))
    package(kim / "inner", fast="from ..fast import positive\n")
    status, out = grade(tmp_path / "in", *WORDS)
    assert status == 0, out


def test_a_folder_is_lent_to_all(tmp_path, grade, monkeypatch):
    monkeypatch.chdir(tmp_path)
    package(tmp_path / "in" / "cs231n", fast=HELPER)
    (tmp_path / "in" / "ann.py").write_text(HELPED.format("cs231n.fast"))
    (tmp_path / "in" / "bob.py").write_text(GOOD)
    status, out = grade("in", *WORDS)
    assert status == 2
    assert "--helper names it" in out
    for helper in ("in/cs231n", "in/cs231n/"):
        status, out = grade("in", *WORDS, "--helper", helper)
        assert status == 0, out
        assert "2 submissions: 2 passed" in out


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (
            "from cs231n.fast import positive",
            "No module named 'cs231n': neither installed beside minires nor one of its own files",
        ),
        ("from ..fast import positive", "its package is not there"),
    ],
)
def test_a_module_that_is_not_there_is_said_to_be_lent_with_helper(tmp_path, grade, line, why):
    (tmp_path / "hw.py").write_text(f"{line}\n{GOOD}")
    status, out = grade(f"{tmp_path / 'hw.py'}:relu", "--like", "relu")
    assert status == 2
    assert why in out
    assert "--helper FILE.py or --helper FOLDER, at the end of the command" in out


@pytest.mark.parametrize(
    ("text", "marked", "name"),
    [
        ("import numpy", ["kim", "in"], ""),
        ("from .fast import f", [], "kim"),
        ("import kim.fast", [], "kim"),
        ("from ..fast import f", [], "kim"),
        ("from ..fast import f", ["kim"], "kim"),
        ("from ..fast import f", ["kim", "in"], "in.kim"),
        ("from in_ import fast", ["kim"], ""),
        ("import os, in_.kim.fast", ["kim"], ""),
    ],
)
def test_folders_further_up_are_a_package_only_where_they_say_so(tmp_path, text, marked, name):
    """A folder above may hold the work of others, so that an import alone must not open it."""
    kim = tmp_path / "in" / "kim"
    kim.mkdir(parents=True)
    for folder in marked:
        (kim if folder == "kim" else kim.parent).joinpath("__init__.py").write_text("")
    folder, dotted = package_of(kim, text)
    assert dotted == name
    assert folder == (None if not name else kim.parent if name.startswith("in.") else kim)
