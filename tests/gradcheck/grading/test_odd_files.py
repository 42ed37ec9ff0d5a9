"""A submission that is too large, or no file, has a row that says so."""

import os
import sys

import pytest

from minires.gradcheck.__main__ import main
from minires.gradcheck.grading import source
from minires.gradcheck.grading.source import nodes_of

RIGHT = "def relu(x):\n    return x * (x > 0), lambda dy: dy * (x > 0)\n"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_each_has_its_row(tmp_path, capsys):
    for student in ("ann", "big", "pipe"):
        (tmp_path / student).mkdir()
    (tmp_path / "ann" / "hw.py").write_text(RIGHT)
    (tmp_path / "big" / "hw.py").write_text(RIGHT + "x = 1\n" * 200_000)
    os.mkfifo(tmp_path / "pipe" / "hw.py")
    os.mkfifo(tmp_path / "flat.py")
    assert main([str(tmp_path), "--function", "relu", "--like", "relu"]) == 2
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.partition("could not run")[2].partition("of 0")[2].strip() for row in rows[:4]] == [
        "",
        "hw.py is larger than 1 MB",
        "it is no file",
        "hw.py is no file",
    ]
    assert "passed" in rows[0]


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux counts memory, and files may be sparse")
def test_large_files_of_one_folder_take_no_memory_of_the_grader(tmp_path, grade):
    import resource

    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "hw.py").write_text(RIGHT)
    for student, begin in (("bob", "relu = 1\n"), ("eve", "tanh = 1\n")):
        (tmp_path / student).mkdir()
        for k in range(10):
            with (tmp_path / student / f"hw{k}.ipynb").open("w") as file:
                file.write(f"# {k}\n{begin}")
                file.truncate(60 << 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = grade(tmp_path, "--function", "relu", "--like", "relu")[1]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # two files and the text of one
    assert "hw0.ipynb and hw1.ipynb define relu: leave one of them" in out
    assert "its files have more than 128 MB together" in out
    assert "1 passed, 2 could not run" in out


def test_a_long_file_is_parsed_once_for_all_cases_that_raise(tmp_path, grade, monkeypatch):
    """A case that raises may be excused by what the text says, so that the text is read."""
    parsed = []
    parse = source.ast.parse
    monkeypatch.setattr(source.ast, "parse", lambda text: parsed.append(len(text)) or parse(text))
    nodes_of.cache_clear()
    text = "def conv2d(x, w, bias=None, stride=1, padding=0):\n    raise ValueError('not square')\nif 0:\n    ();();\n"
    (tmp_path / "hw.py").write_text(text)
    assert grade(f"{tmp_path / 'hw.py'}:conv2d")[0] in (1, 2)
    assert len(parsed) < 6
    (tmp_path / "hw.py").write_text(text + "if 0: " + "();" * 200_000)
    assert "more than 300 kB of code" in grade(f"{tmp_path / 'hw.py'}:conv2d")[1]


def test_a_helper_is_there_whatever_a_student_has_under_its_name(tmp_path, grade, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lent").mkdir()
    (tmp_path / "lent" / "one.py").write_text("step = 1\n")
    (tmp_path / "utils.py").write_text("step = 1\n")
    text = "from utils import step\nfrom lent.one import step\n" + RIGHT
    for student in ("ann", "file", "folder"):
        (tmp_path / "in" / student).mkdir(parents=True)
        (tmp_path / "in" / student / "hw.py").write_text(text)
    (tmp_path / "in" / "folder" / "utils.py").mkdir()
    (tmp_path / "in" / "folder" / "utils.py" / "a.txt").write_text("")
    (tmp_path / "in" / "file" / "lent").write_text("")
    (tmp_path / "in" / "file" / "utils.py").write_text("")
    status, out = grade("in/*/hw.py:relu", "--like", "relu", "--helper", "utils.py", "lent")
    assert status == 0, out
    assert "3 submissions: 3 passed" in out
