"""What a folder of submissions may hold besides them: links, pipes, deep folders, large files, other modules."""

import os
import subprocess

import pytest
from marks import GOOD, verdicts

from minires.gradcheck.__main__ import main


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a FIFO is POSIX's")
def test_a_fifo_and_a_link_that_leads_back_do_not_stop_the_marking_of_a_folder(tmp_path, grade):
    (tmp_path / "ann.py").write_text(GOOD)
    os.mkfifo(tmp_path / "bob.py")
    (tmp_path / "eve").mkdir()
    os.mkfifo(tmp_path / "eve" / "work.py")
    (tmp_path / "loop").symlink_to(".")
    status, out = grade(tmp_path, "--function", "relu", "--like", "relu", "--seed", 1)
    assert status == 2
    assert "ann.py" in out
    assert "work.py is no file" in out
    assert "4 submissions: 1 passed, 3 could not run" in out
    assert "it is a link, which may lead to the work of another" in out


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize(
    "words", [["in", "--function", "relu"], ["in/*.py:relu", "in/*/hw.py:relu"], ["in/**/*.py:relu"]]
)
def test_a_link_gets_no_marks_of_another(tmp_path, grade, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name in ("alice", "eve"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in" / "alice" / "hw.py").write_text(GOOD)
    (tmp_path / "in" / "carol.py").write_text(GOOD)
    (tmp_path / "in" / "eve" / "hw.py").symlink_to("../alice/hw.py")
    (tmp_path / "in" / "frank").symlink_to("alice")
    (tmp_path / "in" / "mallory.py").symlink_to("carol.py")
    (tmp_path / "in" / "mia.py").symlink_to("/proc/kmsg")
    status, out = grade(*words, "--like", "relu", "--seed", 1)
    assert status == 2
    found = verdicts(out)
    students = {name.split("/")[0].removesuffix(".py:relu").removesuffix(".py") for name in found}
    assert students >= {"alice", "carol", "eve", "mallory", "mia"}
    for name, verdict in found.items():
        assert verdict == ("passed" if name.startswith(("alice", "carol")) else "could not run"), out


def test_what_a_student_puts_into_a_folder_costs_that_student_only(tmp_path, grade, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "good").mkdir(parents=True)
    (tmp_path / "in" / "good" / "hw.py").write_text(GOOD)
    for student, name, depth in (("deep", "d", 1500), ("long", "d" * 200, 30)):
        monkeypatch.chdir(tmp_path / "in")
        os.mkdir(student)
        os.chdir(student)
        for _ in range(depth):
            os.mkdir(name)
            os.chdir(name)
        with open("hw.py", "w") as file:
            file.write(GOOD)
    os.chdir(tmp_path)
    (tmp_path / "in" / "many").mkdir()
    (tmp_path / "in" / "huge").mkdir()
    for k in range(6000):
        (tmp_path / "in" / "many" / f"{k}.txt").touch()
    with (tmp_path / "in" / "huge" / "hw.py").open("w") as file:
        file.write(GOOD)
        file.truncate(10**12)
    try:
        for words in (["in"], ["in/*"], ["in/**/hw.py"]):
            out = grade(*words, "--function", "relu", "--like", "relu", "--seed", 1)[1]
            found = verdicts(out) if len(words[0]) < 5 else {"good/hw.py": "passed"}
            assert found.pop("good/hw.py") == "passed", out
            assert set(found.values()) <= {"could not run"}
            if words == ["in"]:
                assert "more than 8 folders within one another" in out
                assert "more than 5000 files" in out
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "in")], check=True)


def test_files_beside_submissions_shadow_nothing_and_a_helper_is_there_for_all(tmp_path, grade, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "bob" / "random").mkdir(parents=True)
    (tmp_path / "in" / "bob" / "random" / "__init__.py").write_text("raise SystemExit")
    (tmp_path / "in" / "bob" / "hw.py").write_text("import utils, random\n" + GOOD)
    for name in ("_random", "_bisect", "bisect", "random", "mine"):
        (tmp_path / "in" / f"{name}.py").write_text("raise SystemExit('shadowed')\n")
    with (tmp_path / "in" / "eve.npy").open("wb") as file:
        file.truncate(10**9)
    (tmp_path / "in" / "table.csv").write_text("1")
    (tmp_path / "in" / "ann.py").write_text("import random, bisect, utils\nopen('table.csv')\n" + GOOD)
    (tmp_path / "in" / "dan.py").write_text("import mine\n" + GOOD)
    (tmp_path / "utils.py").write_text("")
    (tmp_path / "in" / "utils.py").write_text("")
    (tmp_path / "in" / "old_marks.csv").write_text("1")
    (tmp_path / "in" / "eli.py").write_text("open('old_marks.csv')\n" + GOOD)
    for helper in ("utils.py", "in/utils.py"):
        for words in (["in"], ["in/???.py", "in/bob/hw.py"]):
            helpers = ["--helper", helper, "in/table.csv"]
            out = grade(*words, "--function", "relu", "--like", "relu", "--seed", 1, *helpers)[1]
            found = verdicts(out)
            assert found["ann.py"] == found["bob/hw.py"] == "passed", out
            assert found["dan.py"] == found["eli.py"] == "could not run", out
            assert ("utils.py" in found) == (helper == "utils.py" and words == ["in"])
            assert "imported unless --helper names it" in out
            assert "read unless --helper names it" in out
    assert main(["in", "--function", "relu", "--like", "relu", "--helper", "none.py"]) == 2
    assert "--helper none.py: there is no such file" in capsys.readouterr().err
