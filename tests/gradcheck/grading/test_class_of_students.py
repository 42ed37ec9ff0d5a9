"""The submissions of a class: each in its turn, apart from the others, with a verdict each."""

import re
import time

import pytest
import submissions
from marks import GOOD, rows_of


def test_patterns_and_folders_of_folders(tmp_path, grade, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ann", "bob", "eve"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "helper.py").write_text("")
    (tmp_path / "in" / "ann" / "hw.py").write_text(GOOD)
    (tmp_path / "in" / "bob" / "work.py").write_text(GOOD.replace("x > 0)", "x > -1)"))
    status, out = grade("in", "--function", "relu", "--like", "relu", "--seed", 1)
    assert status == 2
    assert [line.split()[1] for line in out.splitlines()[1:3]] == ["passed", "failed"]
    assert "none of its files defines relu" in out
    status, out = grade("in/*/*w*.py:relu", "--like", "relu")
    assert status == 1
    assert "2 submissions: 1 passed, 1 failed" in out
    assert "no file fits 'no*.py'" in grade("no*.py:relu", "--like", "relu")[1]


@pytest.mark.parametrize("words", [["in", "--function", "relu"], ["in/**/*.py:relu"]])
def test_hidden_copies_are_not_marked(tmp_path, grade, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    kim = tmp_path / "in" / "kim"
    for hidden in (".ipynb_checkpoints", "__MACOSX/kim"):
        (kim / hidden).mkdir(parents=True)
        (kim / hidden / "hw.py").write_text("def relu(x): ...\n")
    (kim / "._hw.py").write_text("def relu(x): ...\n")
    (kim / "hw.py").write_text(GOOD)
    status, out = grade(*words, "--like", "relu", "--seed", 1)
    assert status == 0, out


def test_two_files_with_the_function_are_not_chosen_from(tmp_path, grade, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kim = tmp_path / "in" / "kim"
    kim.mkdir(parents=True)
    for name in ("hw.py", "hw copy.py"):
        (kim / name).write_text(GOOD)
    arguments = ["in", "--function", "relu", "--like", "relu", "--seed", 1]
    assert grade(*arguments)[0] == 0  # copies are one file
    (kim / "hw_final.py").write_text(GOOD.replace("0)", "1)"))
    status, out = grade(*arguments)
    assert status == 2
    assert "hw copy.py and hw_final.py define relu: leave one of them, or name it, FILE:relu" in out


def test_the_line_of_a_class_says_how_many_cases_were_passed_over(tmp_path, grade):
    (tmp_path / "ann.py").write_text(submissions.IMPORT + submissions.CONV)
    (tmp_path / "bob.py").write_text(submissions.IMPORT + submissions.CONV.replace(", padding=0", "", 1))
    bob = tmp_path / "bob.py"
    bob.write_text(bob.read_text().replace("    N, C", "    padding = 0\n    N, C", 1))
    _, out = grade(tmp_path, "--function", "conv2d", "--like", "conv2d", "--seed", 1)
    over = [int(re.search(r"(\d+) of \1 +(\d+) passed over", line)[2]) for line in out.splitlines()[1:3]]
    assert 0 < over[0] < over[1]


def test_in_a_folder_of_files_and_folders_a_submission_sees_its_own_only(tmp_path, grade):
    folder = tmp_path / "in"
    (folder / "ann").mkdir(parents=True)
    (folder / "ann" / "helper.py").write_text(GOOD.replace("relu", "helped"))
    (folder / "ann" / "work.py").write_text("from helper import helped\ndef relu(x): return helped(x)\n")
    for k in range(40):
        (folder / f"s{k}.py").write_text(GOOD)
    (folder / "bob.py").write_text("from ann.helper import helped\ndef relu(x): return helped(x)\n")
    (folder / "eve.py").write_text("import s1\ndef relu(x): return s1.relu(x)\n")
    (folder / "sue.py").write_text(
        "import os\nprint(os.listdir())\nassert os.listdir() == ['sue.py'], os.listdir()\n" + GOOD
    )
    begin = time.monotonic()
    arguments = ["--function", "relu", "--like", "relu", "--jobs", "2", "--csv", folder / "marks.csv"]
    (folder / "marks.csv").write_text("marks of last time")
    assert grade(folder, *arguments)[0] == 2
    assert time.monotonic() - begin < 60
    rows = {row["submission"].rpartition("/")[2]: row["status"] for row in rows_of(folder / "marks.csv")}
    assert len(rows) == 44
    assert [name for name, status in rows.items() if status != "passed"] == ["bob.py", "eve.py"]


@pytest.fixture
def forty(tmp_path):
    """A folder of forty: right, wrong, blank, one endless and one that has another name."""
    right = submissions.IMPORT + submissions.CS231N
    folder = tmp_path / "handed_in"
    folder.mkdir()
    for k in range(40):
        text = right.replace("dw[f] += dout", "dw[f] = dout") if k % 4 == 1 else right
        text = submissions.IMPORT + submissions.BLANK_CS231N if k % 8 == 2 else text
        text = text.replace("def conv_forward_naive", "def conv_forward") if k == 11 else text
        text = text.replace("out = None", "out = None\n    while True: pass") if k == 7 else text
        (folder / f"s{k:02}.py").write_text(text)
    return folder


def test_a_class_of_forty_takes_less_than_two_minutes(forty, tmp_path, grade):
    begin = time.monotonic()
    arguments = ["--function", submissions.PAIR, "--like", "conv2d", "--timeout", "5", "--jobs", "2"]
    status, out = grade(forty, *arguments, "--csv", tmp_path / "marks.csv")
    assert time.monotonic() - begin < 120
    assert status == 2
    rows = rows_of(tmp_path / "marks.csv")
    assert [row["submission"][-6:-3] for row in rows] == [f"s{k:02}" for k in range(40)]
    endless = rows[7]["status"]
    assert endless in ("failed", "timed out")  # the second where the machine is so busy that it may be slow only
    for k, row in enumerate(rows[:7] + rows[8:]):
        k += k >= 7
        expected = "failed" if k % 4 == 1 else "not done" if k % 8 == 2 else "passed"
        assert row["status"] == ("could not run" if k == 11 else expected), row
    failed = "11 failed" if endless == "failed" else "10 failed, 1 timed out"
    assert out.splitlines()[-1] == f"40 submissions: 23 passed, {failed}, 5 not done, 1 could not run"


CHEATS = {
    "frames": "def tanh(x):\n    for fd in range(3, 400):\n        try:\n            os.write(fd, bytes(7) + b'\\x05hello')\n"
    "        except OSError:\n            pass\n    return np.tanh(x), lambda dy: 0 * dy\n",
    "half": "def tanh(x):\n    for fd in range(3, 400):\n        try:\n            os.write(fd, bytes(6) + b'\\x10\\x00abc')\n"
    "        except OSError:\n            pass\n    time.sleep(100)\n",
    "remembers": "n = 0\ndef tanh(x):\n    y = np.tanh(x)\n    def backward(dy):\n        global n\n        n += 1\n"
    "        return dy * (1 - y * y) if n < 3 else 0 * dy\n    return y, backward\n",
    "patched": "np.allclose = np.array_equal = lambda *a, **k: True\nnp.abs = lambda x: 0 * x\n"
    "def tanh(x):\n    return x, lambda dy: 0 * dy\n",
    "named": "K = type('\\x1b[31mK\\x1b[2J', (), {})\ndef tanh(x):\n    return K()\n",
    "nan": "def tanh(x):\n    return x * np.nan, lambda dy: dy * np.nan\n",
    "right": "def tanh(x):\n    y = np.tanh(x)\n    return y, lambda dy: dy * (1 - y * y)\n",
}


def test_a_cheat_harms_its_own_result_only(tmp_path, grade):
    for name, text in CHEATS.items():
        (tmp_path / f"{name}.py").write_text(f"import os, time\nimport numpy as np\n{text}")
    status, out = grade(tmp_path, "--function", "tanh", "--like", "tanh", "--timeout", "1", "--jobs", "2")
    assert status == 2
    assert "\x1b" not in out
    verdicts = {line.split()[0].split("/")[-1]: line.split()[1] for line in out.splitlines()[1:-1]}
    assert [name for name, verdict in verdicts.items() if verdict == "passed"] == ["right.py"]
    assert len(verdicts) == len(CHEATS)


def test_a_file_that_begins_with_an_underscore_has_a_line(tmp_path, grade):
    for name in ("ann.py", "_bob.py", "__init__.py"):
        (tmp_path / name).write_text(GOOD)
    status, out = grade(tmp_path, "--function", "relu", "--like", "relu", "--csv", tmp_path / "marks.csv")
    assert status == 2
    assert "its name begins with _" in out
    assert out.splitlines()[-1] == "2 submissions: 1 passed, 1 could not run"
    assert {row["status"] for row in rows_of(tmp_path / "marks.csv")} == {"passed", "could not run"}
