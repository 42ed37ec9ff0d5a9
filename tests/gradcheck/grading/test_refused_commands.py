"""A command that cannot be run says why, and what to write instead."""

import os
import subprocess
import sys

import pytest
from marks import GOOD

from minires.gradcheck.__main__ import main

ENDLESS = "loading endless.py did not finish within 2 s: it was in line 1 of endless.py, an endless loop"


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("missing.py:f", "there is no file 'missing.py'"),
        ("homework.py:no_such", "homework.py has no function 'no_such'; it has: right_relu, wrong_relu"),
        ("homewrok.py:loops", "there is no file"),
        ("syntax.py:f", "syntax.py cannot be loaded: SyntaxError: '(' was never closed (syntax.py, line 1)\n"),
        ("endless.py:f", ENDLESS),
        ("leaving.py:f", "leaving.py cannot be loaded: it ended its process"),
    ],
)
def test_what_cannot_be_run_gives_status_2(homework, tmp_path, monkeypatch, grade, target, sentence):
    (tmp_path / "syntax.py").write_text("def f(x:\n")
    (tmp_path / "endless.py").write_text("while True: pass")
    (tmp_path / "leaving.py").write_text("import os\nos._exit(1)")
    monkeypatch.chdir(tmp_path)
    status, out = grade(target, "--like", "relu", "--timeout", "2")
    assert status == 2
    assert sentence in out
    assert "could not check" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["homework.py"], "which function? Write FILE.py:FUNCTION"),
        (["homework.py:loops"], "say which op it is to be like: --like OP"),
        (["homework.py:loops", "--like", "relo"], "there is no op 'relo'; did you mean relu"),
        (["homework.py:loops", "--like", "relu", "--shapes", "2,3"], "--shapes goes with --reference, or alone"),
        (["homework.py:loops", "--reference", "homework.py:right_relu"], "--reference needs the shapes of its arrays"),
        (["homework.py:loops", "--shapes", "2,3", "--csv", "x.csv"], "marks need something to be held to"),
        (["homework.py:loops", "--like", "relu", "--forbid", "numpy"], "it cannot be forbidden"),
        (["--like", "relu", "--function", "loops", "homework.py", "--forbid", "torch.nn,jax,"], "that is no name of a"),
        (["homework.py:loops", "--like", "relu", "--forbid", "torch", "other.py:f"], "--forbid other.py:f: that is no"),
        ([".", "--like", "relu"], "or add --function NAME"),
        (
            ["homework.py:right_relu", "--like", "relu", "--csv", "homework.py"],
            "homework.py is a submission, and would",
        ),
        ([".", "--function", "right_relu", "--like", "relu", "--csv=./homework.py"], "is a submission, and would be"),
    ],
)
def test_a_command_that_cannot_be_understood_says_what_to_add(
    homework, tmp_path, monkeypatch, capsys, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def test_marks_are_written_through_no_link(homework, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "alice.txt").write_text("hers")
    for flag, target in (("--csv", "alice.txt"), ("--json", "homework.py"), ("--gradescope", "missing.txt")):
        (tmp_path / "marks").unlink(missing_ok=True)
        (tmp_path / "marks").symlink_to(target)
        assert main(["homework.py:right_relu", "--like", "relu", "--samples", "1", flag, "marks"]) == 2
        assert "marks is a link, and its target would be overwritten" in capsys.readouterr().err
    assert (tmp_path / "alice.txt").read_text() == "hers"
    assert not (tmp_path / "missing.txt").exists()


def test_a_missing_file_is_no_function_measured_by_differences(tmp_path, grade, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out = grade("nothing.py:relu", "--like", "relu", "--seed", 1)
    assert status == 2
    assert out.splitlines() == [
        "nothing.py:relu, held to relu, seed 1",
        "could not check nothing.py:relu: there is no file 'nothing.py'",
    ]


def test_what_is_wrong_with_all_is_said_once(tmp_path, capsys, monkeypatch):
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    assert main([str(tmp_path), "--function", "rellu", "--like", "relu"]) == 2
    assert "--function rellu: none of the 2 files has that name" in capsys.readouterr().err
    assert main([str(tmp_path), "--function", "relu", "--like", "relu", "--forbid", "nunpy", "torch"]) == 0
    said = capsys.readouterr().err
    assert "--forbid nunpy: no such module is installed here; is the name right?" in said
    assert "torch" not in said
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "eve.ipynb").write_text("{}")
    monkeypatch.setitem(sys.modules, "nbformat", None)
    assert main([str(tmp_path / "in"), "--function", "relu", "--like", "relu"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "notebooks" in captured.err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_one_notebook_that_cannot_be_read_stops_no_others_and_its_name_draws_nothing(tmp_path, capsys, monkeypatch):
    (tmp_path / "ann.py").write_text(GOOD)
    (tmp_path / "a\x1b[2J\nann.py passed.ipynb").write_text("{}")
    monkeypatch.setitem(sys.modules, "nbformat", None)
    assert main([str(tmp_path), "--function", "relu", "--like", "relu"]) == 2
    captured = capsys.readouterr()
    assert "2 submissions: 1 passed, 1 could not run" in captured.out
    assert "reading notebooks needs nbformat" in captured.err
    assert captured.err.count("\n") == 1
    assert (captured.out + captured.err).replace("\n", "").isprintable()


def test_files_named_as_modules_hide_nothing_from_the_command_and_stop_python_m(tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit('this is numpy')\n")
    (tmp_path / "argparse.py").write_text("raise SystemExit('this is argparse')\n")
    (tmp_path / "hw.py").write_text("def relu(x):\n    return x * (x > 0), lambda dy: dy * (x > 0)\n")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "minires"
    script.write_text("import sys\nfrom minires.__main__ import script\nsys.exit(script())\n")
    arguments = ["hw.py:relu", "--like", "relu", "-q"]
    how = {"cwd": tmp_path, "capture_output": True, "text": True}
    ours = subprocess.run([sys.executable, str(script), "gradcheck", *arguments], **how)
    assert (ours.returncode, ours.stderr) == (0, ""), ours.stdout
    module = subprocess.run([sys.executable, "-m", "minires.gradcheck", *arguments], **how)
    assert module.returncode == 2
    assert "mark with the command minires gradcheck" in module.stderr
