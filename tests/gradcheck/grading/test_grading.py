"""Marking files from the command line: what is right passes, what is wrong gets a clear sentence, nothing gets stuck."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc

import pytest
import submissions

from minires.gradcheck.__main__ import main

HOMEWORK = """
import functools
import os
import sys
import numpy as np
import neighbour

print("this is not shown")

def right_relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0)

def wrong_relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > -0.5)

def other_relu(x):
    return np.maximum(x, 0.1 * x), lambda dy: dy * np.where(x > 0, 1, 0.1)

def relu_backward(dy, x):
    return dy * (x > 0)

def doubled(x):
    return np.tanh(x), lambda dy: 2 * dy * (1 - np.tanh(x) ** 2)

class Relu:
    def __call__(self, x):
        return right_relu(x)

instance = Relu()
partial_relu = functools.partial(lambda x, slope: (np.maximum(x, slope * x), lambda dy: dy * np.where(x > 0, 1, slope)),
                                 slope=0)

def seven(x):
    return np.maximum(np.append(x, x[:3]), 0) if x.shape == (4,) else np.maximum(x, 0), lambda dy: (
        dy[:4] * (x > 0) if x.shape == (4,) else dy * (x > 0))

def loops(x):
    while True:
        pass

def loops_sometimes(x):
    y = np.maximum(x, 0)
    while x.ndim == 4:
        pass
    return y, lambda dy: dy * (x > 0)

def leaves(x):
    os._exit(3)

def exits(x):
    sys.exit("enough")

def raises(x):
    return np.maximum(x, 0), lambda dy: dy * undefined

def gives_one(x):
    return np.maximum(x, 0)

def gives_nan(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0) * np.nan

def gives_none(x):
    return np.maximum(x, 0), lambda dy: None

def in_place(x):
    def backward(dy):
        dy[x <= 0] = 0
        return dy
    return np.maximum(x, 0), backward
"""


@pytest.fixture
def homework(tmp_path):
    (tmp_path / "neighbour.py").write_text("")
    (tmp_path / "homework.py").write_text(HOMEWORK)
    return lambda name: f"{tmp_path / 'homework.py'}:{name}"


def rows_of(path):
    with path.open(encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def grade(capsys, *arguments):
    status = main([*map(str, arguments), "--samples", "1"])
    return status, capsys.readouterr().out


def test_a_right_function_passes_and_the_seed_is_printed(homework, capsys):
    status, out = grade(capsys, homework("right_relu"), "--like", "relu")
    assert status == 0
    assert out.endswith("6 of 6 cases passed\n")
    assert "not shown" not in out
    assert "held to relu, seed " in out
    assert "float32" not in out


def test_each_run_draws_another_seed_unless_one_is_given(homework, capsys):
    def first(*flags):
        return grade(capsys, homework("right_relu"), "--like", "relu", *flags)[1].splitlines()[0]

    assert first() != first()
    assert first("--seed", 3).endswith("seed 3")


def test_a_wrong_function_is_told_which_argument_and_both_numbers(homework, capsys):
    status, out = grade(capsys, homework("wrong_relu"), "--like", "relu")
    assert status == 1
    assert "dx is wrong, in relu (" in out
    assert "it should be 0" in out


@pytest.mark.parametrize("name", ["instance", "partial_relu"])
def test_a_callable_without_a_name_is_graded_as_a_function_is(homework, capsys, name):
    status, out = grade(capsys, homework(name), "--like", "relu")
    assert status == 0, out


def test_a_function_of_another_value_is_told_so(homework, capsys):
    status, out = grade(capsys, homework("other_relu"), "--like", "relu")
    assert status == 1
    assert "y is not relu's: y[" in out


def test_a_y_of_another_shape_is_told_so(homework, capsys):
    status, out = grade(capsys, homework("seven"), "--like", "relu")
    assert status == 1
    assert "y has shape (7,), that of relu is (4,)" in out
    assert "ValueError" not in out


def test_a_backward_alone_needs_no_like_if_named_after_an_op(homework, capsys):
    status, out = grade(capsys, homework("relu_backward"))
    assert status == 0
    assert "recognized: a backward alone" in out


def test_a_factor_is_named(homework, capsys):
    said = grade(capsys, homework("doubled"), "--like", "tanh")[1]
    assert "your dx is right but for a factor (2 in this case)" in said


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [
        ("leaves", 1, "it ended its process (exit code 3)"),
        ("exits", 1, "SystemExit: enough (homework.py, line"),
        ("raises", 1, "the backward raises NameError: name 'undefined' is not defined (homework.py, line"),
        ("gives_one", 1, "not done: it returns y alone: return (y, backward)"),
        ("gives_nan", 1, "dx is wrong"),
        ("gives_none", 1, "not done: the backward gives None"),
        ("in_place", 1, "it changes dy, which it is given, in place: work on a copy, dy.copy()"),
    ],
)
def test_what_goes_wrong_gets_a_sentence(homework, capsys, name, status, sentence):
    found, out = grade(capsys, homework(name), "--like", "relu")
    assert sentence in out
    assert found == status


def test_work_in_place_on_what_is_given_can_be_let_pass(homework, capsys):
    status, out = grade(capsys, homework("in_place"), "--like", "relu", "--numbers-only")
    assert status == 0
    assert "it changes dy" in out


def test_an_endless_loop_ends_with_its_case_and_the_others_go_on(homework, capsys):
    status, out = grade(capsys, homework("loops_sometimes"), "--like", "relu", "--timeout", "1")
    assert status == 1
    assert "relu (feature map, channels-last): did not finish within 1 s: it was in line" in out
    assert "Is it a loop without end, or only slow? --timeout 3 allows more" in out
    assert "timed out: no case is known to be wrong" in out
    assert "5 of 6 cases passed" in out


def test_two_time_outs_are_enough(homework, capsys):
    begin = time.monotonic()
    status, out = grade(capsys, homework("loops"), "--like", "relu", "--timeout", "1")
    assert time.monotonic() - begin < 8
    assert status == 1
    assert ", an endless loop: nothing ends the `while` of line " in out
    assert "2 calls did not finish within 1 s; cases not tried: 5" in out
    assert out.endswith("0 of 6 cases passed\n")
    assert "timed out" not in out


SLOW = """
import os, threading, time
import numpy as np

def relu(x):
    time.sleep(0.4)
    return np.maximum(x, 0), lambda dy: dy * (x > 0)

def wrong(x):
    time.sleep(0.4)
    return np.maximum(x, 0), lambda dy: dy

def prints(x):
    while True:
        print("a" * 1000)

class Endless(Exception):
    def __str__(self):
        while True:
            pass

def raises(x):
    raise Endless

def forks(x):
    while True:
        os.fork()

def starts(x):
    while True:
        threading.Thread(target=time.sleep, args=(60,)).start()

def asks(x):
    return input("x? ")
"""


@pytest.fixture
def slow(tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    return lambda name: f"{tmp_path / 'slow.py'}:{name}"


def test_slow_work_is_told_apart_from_wrong_work_and_what_allows_more_is_said(slow, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minires.gradcheck.grading.session.LONGEST", 1)
    files = ["--csv", tmp_path / "marks.csv", "--gradescope", tmp_path / "results.json", "--timeout", "2"]
    status, out = grade(capsys, slow("relu"), "--like", "relu", *files)
    assert status == 1
    assert "its calls took more than 2 s together: it is too slow; --timeout 6 allows three times as much" in out
    assert "timed out: no case is known to be wrong" in out
    (row,) = rows_of(tmp_path / "marks.csv")
    assert (row["status"], row["cases"]) == ("timed out", "6")
    assert int(row["cases_passed"]) < 6
    assert row["said"].startswith("its calls took more than 2 s together")
    tests = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
    assert sum(test["score"] for test in tests) < sum(test["max_score"] for test in tests)
    assert grade(capsys, slow("wrong"), "--like", "relu", *files)[0] == 1
    assert rows_of(tmp_path / "marks.csv")[0]["status"] == "failed"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("prints", "and printed all the time: does it print without end?"),
        ("raises", "in a __str__ that does not end"),
        ("starts", "it may have 64 processes and threads; does it start them without end?"),
        ("asks", "there is no input here; take arguments in place of input()"),
        pytest.param(
            "forks",
            "it may have 64 processes and threads; does it start them without end?",
            marks=pytest.mark.skipif(not hasattr(os, "fork") or sys.platform != "linux", reason="Linux ends them all"),
        ),
    ],
)
def test_what_goes_on_without_end_is_called_what_it_is(slow, capsys, name, sentence):
    status, out = grade(capsys, slow(name), "--like", "relu", "--timeout", "1")
    assert status == 1
    assert sentence in out


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("missing.py:f", "there is no file 'missing.py'"),
        ("homework.py:no_such", "homework.py has no function 'no_such'; it has: right_relu, wrong_relu"),
        ("homewrok.py:loops", "there is no file"),
        ("syntax.py:f", "syntax.py cannot be loaded: SyntaxError: '(' was never closed (syntax.py, line 1)\n"),
        (
            "endless.py:f",
            "loading endless.py did not finish within 2 s: it was in line 1 of endless.py, an endless loop",
        ),
        ("leaving.py:f", "leaving.py cannot be loaded: it ended its process"),
    ],
)
def test_what_cannot_be_run_gives_status_2(homework, tmp_path, monkeypatch, capsys, target, sentence):
    (tmp_path / "syntax.py").write_text("def f(x:\n")
    (tmp_path / "endless.py").write_text("while True: pass")
    (tmp_path / "leaving.py").write_text("import os\nos._exit(1)")
    monkeypatch.chdir(tmp_path)
    status, out = grade(capsys, target, "--like", "relu", "--timeout", "2")
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
    ],
)
def test_a_command_that_cannot_be_understood_says_what_to_add(
    homework, tmp_path, monkeypatch, capsys, arguments, sentence
):
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def test_files_are_written_for_graders(homework, tmp_path, capsys):
    ours, table, theirs = tmp_path / "out.json", tmp_path / "out.csv", tmp_path / "results.json"
    names = [homework(n) for n in ("right_relu", "wrong_relu", "gives_none", "nothing")]
    status, out = grade(capsys, *names, "--like", "relu", "--json", ours, "--csv", table, "--gradescope", theirs)
    assert status == 2
    assert "4 submissions: 1 passed, 1 failed, 1 not done, 1 could not run" in out
    report = json.loads(ours.read_text(encoding="utf-8"), parse_constant=lambda c: pytest.fail(f"{c} is no JSON"))
    assert [r["status"] for r in report["results"]] == ["passed", "failed", "not done", "could not run"]
    assert report["results"][0]["cases_passed"] == report["results"][0]["cases"] == 6
    assert next(r for r in report["results"][1]["reports"] if not r["passed"])["wrong"] == ["x"]
    rows = rows_of(table)
    assert [row["status"] for row in rows] == ["passed", "failed", "not done", "could not run"]
    tests = json.loads(theirs.read_text(encoding="utf-8"))["tests"]
    assert [t["max_score"] for t in tests] == [1] * 4
    assert tests[0]["score"] == 1
    assert 0 < tests[1]["score"] < 1
    assert [t["score"] for t in tests[2:]] == [0, 0]
    assert [t["status"] for t in tests] == ["passed", "failed", "failed", "failed"]
    assert [t["output"].splitlines()[0] for t in tests] == ["passed", "failed", "not done", "could not run"]
    assert "dx is wrong, in relu (" in tests[1]["output"]


def test_a_forbidden_module_is_named(tmp_path, capsys):
    (tmp_path / "hw.py").write_text("import minires.ops as o\ndef f(x):\n    return o.relu.raw(x)\n")
    status, out = grade(capsys, f"{tmp_path / 'hw.py'}:f", "--like", "relu", "--forbid", "minires", "torch")
    assert status == 2
    assert "imports minires" in out


BLOCK = """
import numpy as np
def block(x, w1, w2):
    h = np.maximum(x @ w1, 0)
    def backward(dy):
        dh = (dy @ w2.T) * (h > 0)
        return dy + dh @ w1.T, x.T @ dh, h.T @ dy
    return x + h @ w2, backward
"""


def test_a_whole_function_is_measured_for_advice_or_held_to_a_teachers(tmp_path, capsys):
    shapes = ["--shapes", "3,4", "4,5", "5,4"]
    (tmp_path / "teacher.py").write_text(BLOCK)
    (tmp_path / "wrong.py").write_text(BLOCK.replace("return dy + dh", "return dh"))
    status, out = grade(capsys, f"{tmp_path / 'teacher.py'}:block", *shapes)
    assert status == 0
    assert "this is advice, not a mark" in out
    assert grade(capsys, f"{tmp_path / 'wrong.py'}:block", *shapes)[0] == 1
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block"]
    assert grade(capsys, f"{tmp_path / 'wrong.py'}:block", *shapes, *teacher)[0] == 1
    (tmp_path / "right.py").write_text(BLOCK)
    assert grade(capsys, f"{tmp_path / 'right.py'}:block", *shapes, *teacher, "--json", tmp_path / "o.json")[0] == 0


def test_a_function_too_slow_to_be_measured_and_a_layer_that_is_given_its_arrays(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("minires.gradcheck.grading.session.LONGEST", 1)
    (tmp_path / "slow.py").write_text(BLOCK.replace("    h =", "    __import__('time').sleep(0.2)\n    h ="))
    (tmp_path / "layer.py").write_text(
        "class Layer:\n    def __init__(self, w):\n        self.w = w\n"
        "    def forward(self, x):\n        self.x = x\n        return x @ self.w\n"
        "    def backward(self, dy):\n        self.dw = self.x.T @ dy\n        return dy @ self.w.T\n"
    )
    shapes = ["--shapes", "3,4", "4,5", "5,4", "--timeout", "2"]
    status, out = grade(capsys, f"{tmp_path / 'slow.py'}:block", *shapes)
    assert status == 1
    assert "its calls took more than 2 s together: it is too slow; --timeout 6 allows three times as much" in out
    assert "timed out: no case is known to be wrong" in out
    assert grade(capsys, f"{tmp_path / 'layer.py'}:Layer", "--shapes", "3,4", "4,5")[0] == 0


def test_a_submission_does_not_see_the_teachers_file_nor_another_submission(tmp_path, capsys):
    (tmp_path / "teacher.py").write_text(BLOCK)
    (tmp_path / "other.py").write_text(BLOCK)
    (tmp_path / "cheat.py").write_text("from teacher import block\n")
    (tmp_path / "copies.py").write_text("from other import block\n")
    teacher = ["--reference", f"{tmp_path / 'teacher.py'}:block", "--shapes", "3,4", "4,5", "5,4"]
    files = [f"{tmp_path / name}:block" for name in ("cheat.py", "other.py", "copies.py")]
    assert grade(capsys, *files, *teacher, "--csv", tmp_path / "t.csv")[0] == 2
    rows = rows_of(tmp_path / "t.csv")
    assert [row["status"] for row in rows] == ["could not run", "passed", "could not run"]
    for row, name in ((rows[0], "teacher"), (rows[2], "other")):
        said = f"No module named '{name}': that file is not the submission's own, and cannot be imported"
        assert said in row["said"]


def test_in_a_folder_of_files_and_folders_a_submission_sees_its_own_only(tmp_path, capsys):
    folder = tmp_path / "in"
    (folder / "ann").mkdir(parents=True)
    relu = "import numpy as np\ndef relu(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"
    (folder / "ann" / "helper.py").write_text(relu.replace("relu", "helped"))
    (folder / "ann" / "work.py").write_text("from helper import helped\ndef relu(x): return helped(x)\n")
    for k in range(40):
        (folder / f"s{k}.py").write_text(relu)
    (folder / "bob.py").write_text("from ann.helper import helped\ndef relu(x): return helped(x)\n")
    (folder / "eve.py").write_text("import s1\ndef relu(x): return s1.relu(x)\n")
    (folder / "sue.py").write_text(
        "import os\nprint(os.listdir())\nassert os.listdir() == ['sue.py'], os.listdir()\n" + relu
    )
    begin = time.monotonic()
    arguments = ["--function", "relu", "--like", "relu", "--jobs", "2", "--csv", folder / "marks.csv"]
    (folder / "marks.csv").write_text("marks of last time")
    assert grade(capsys, folder, *arguments)[0] == 2
    assert time.monotonic() - begin < 60
    rows = {row["submission"].rpartition("/")[2]: row["status"] for row in rows_of(folder / "marks.csv")}
    assert len(rows) == 44
    assert [name for name, status in rows.items() if status != "passed"] == ["bob.py", "eve.py"]


@pytest.mark.parametrize(
    ("text", "forbid", "said"),
    [
        ("import decimal.nothing", ["fractions,decimal"], "hw.py imports decimal, which is forbidden here"),
        ("try:\n    import decimal\nexcept Exception:\n    pass", ["decimal"], "hw.py imports decimal"),
        ("__import__('deci' + 'mal')", ["decimal"], "it imports decimal"),
        ("import helper", ["decimal"], "it imports decimal"),
        ("# import decimal\nimport decimals", ["decimal"], ""),
        ("import json", ["decimal", "os", "threading"], ""),
    ],
)
def test_what_is_forbidden_is_told_and_what_looks_like_it_passes(tmp_path, capsys, text, forbid, said):
    (tmp_path / "helper.py").write_text("import decimal")
    (tmp_path / "decimals.py").write_text("")
    (tmp_path / "hw.py").write_text(f"{text}\ndef neg(x):\n    return -x, lambda dy: -dy\n")
    status, out = grade(capsys, f"{tmp_path / 'hw.py'}:neg", "--forbid", *forbid)
    assert status == (2 if said else 0), out
    assert said in out


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


def test_a_class_of_forty_takes_less_than_two_minutes(forty, tmp_path, capsys):
    begin = time.monotonic()
    arguments = ["--function", submissions.PAIR, "--like", "conv2d", "--timeout", "5", "--jobs", "2"]
    status, out = grade(capsys, forty, *arguments, "--csv", tmp_path / "marks.csv")
    assert time.monotonic() - begin < 120
    assert status == 2
    rows = rows_of(tmp_path / "marks.csv")
    assert [row["submission"][-6:-3] for row in rows] == [f"s{k:02}" for k in range(40)]
    for k, row in enumerate(rows):
        expected = "failed" if k % 4 == 1 or k == 7 else "not done" if k % 8 == 2 else "passed"
        assert row["status"] == ("could not run" if k == 11 else expected), row
    assert out.splitlines()[-1] == "40 submissions: 23 passed, 11 failed, 5 not done, 1 could not run"


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


def test_a_cheat_harms_its_own_result_only(tmp_path, capsys):
    for name, text in CHEATS.items():
        (tmp_path / f"{name}.py").write_text(f"import os, time\nimport numpy as np\n{text}")
    status, out = grade(capsys, tmp_path, "--function", "tanh", "--like", "tanh", "--timeout", "1", "--jobs", "2")
    assert status == 2
    assert "\x1b" not in out
    verdicts = {line.split()[0].split("/")[-1]: line.split()[1] for line in out.splitlines()[1:-1]}
    assert [name for name, verdict in verdicts.items() if verdict == "passed"] == ["right.py"]
    assert len(verdicts) == len(CHEATS)


def test_patterns_and_folders_of_folders(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("ann", "bob", "eve"):
        (tmp_path / "in" / name).mkdir(parents=True)
        (tmp_path / "in" / name / "helper.py").write_text("")
    relu = "import numpy as np\ndef relu(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"
    (tmp_path / "in" / "ann" / "hw.py").write_text(relu)
    (tmp_path / "in" / "bob" / "work.py").write_text(relu.replace("x > 0)", "x > -1)"))
    status, out = grade(capsys, "in", "--function", "relu", "--like", "relu", "--seed", 1)
    assert status == 2
    assert [line.split()[1] for line in out.splitlines()[1:3]] == ["passed", "failed"]
    assert "none of its files defines relu" in out
    status, out = grade(capsys, "in/*/*w*.py:relu", "--like", "relu")
    assert status == 1
    assert "2 submissions: 1 passed, 1 failed" in out
    assert "no file fits 'no*.py'" in grade(capsys, "no*.py:relu", "--like", "relu")[1]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a FIFO is POSIX's")
def test_a_fifo_and_a_link_that_leads_back_do_not_stop_the_marking_of_a_folder(tmp_path, capsys):
    relu = "import numpy as np\ndef relu(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"
    (tmp_path / "ann.py").write_text(relu)
    os.mkfifo(tmp_path / "bob.py")
    (tmp_path / "eve").mkdir()
    os.mkfifo(tmp_path / "eve" / "work.py")
    (tmp_path / "loop").symlink_to(".")
    status, out = grade(capsys, tmp_path, "--function", "relu", "--like", "relu", "--seed", 1)
    assert status == 2
    assert "ann.py" in out
    assert "work.py" not in out
    assert "2 submissions: 1 passed, 1 could not run" in out
    assert "it is a link, which may lead to the work of another" in out


GOOD = "import numpy as np\ndef relu(x):\n    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"


def verdicts(out):
    """{file or folder: verdict} of the lines of a class."""
    rows = [line.split() for line in out.splitlines() if "submissions:" not in line and not line.startswith("seed")]
    return {row[0].rpartition("in/")[2]: " ".join(row[1:4]) if row[1] == "could" else row[1] for row in rows}


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
@pytest.mark.parametrize(
    "words", [["in", "--function", "relu"], ["in/*.py:relu", "in/*/hw.py:relu"], ["in/**/*.py:relu"]]
)
def test_a_link_gets_no_marks_of_another(tmp_path, capsys, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    for name in ("alice", "eve"):
        (tmp_path / "in" / name).mkdir(parents=True)
    (tmp_path / "in" / "alice" / "hw.py").write_text(GOOD)
    (tmp_path / "in" / "carol.py").write_text(GOOD)
    (tmp_path / "in" / "eve" / "hw.py").symlink_to("../alice/hw.py")
    (tmp_path / "in" / "frank").symlink_to("alice")
    (tmp_path / "in" / "mallory.py").symlink_to("carol.py")
    (tmp_path / "in" / "mia.py").symlink_to("/proc/kmsg")
    status, out = grade(capsys, *words, "--like", "relu", "--seed", 1)
    assert status == 2
    found = verdicts(out)
    assert {name.split("/")[0].removesuffix(".py:relu").removesuffix(".py") for name in found} >= {
        "alice",
        "carol",
        "eve",
        "mallory",
        "mia",
    }
    for name, verdict in found.items():
        assert verdict == ("passed" if name.startswith(("alice", "carol")) else "could not run"), out


def test_what_a_student_puts_into_a_folder_costs_that_student_only(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / "good").mkdir(parents=True)
    (tmp_path / "in" / "good" / "hw.py").write_text(GOOD)
    here = os.open(tmp_path / "in", os.O_RDONLY)
    name = "d" * 200
    for student, depth in (("deep", 1500), ("long", 30)):
        monkeypatch.chdir(tmp_path / "in")
        os.mkdir(student)
        os.chdir(student)
        for _ in range(depth):
            os.mkdir("d" if student == "deep" else name)
            os.chdir("d" if student == "deep" else name)
        with open("hw.py", "w") as file:
            file.write(GOOD)
    os.close(here)
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
            out = grade(capsys, *words, "--function", "relu", "--like", "relu", "--seed", 1)[1]
            found = verdicts(out) if len(words[0]) < 5 else {"good/hw.py": "passed"}
            assert found.pop("good/hw.py") == "passed", out
            assert set(found.values()) <= {"could not run"}
            if words == ["in"]:
                assert "more than 8 folders within one another" in out
                assert "more than 5000 files" in out
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "in")], check=True)


def test_files_beside_submissions_shadow_nothing_and_a_helper_is_there_for_all(tmp_path, capsys, monkeypatch):
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
    for helper in ("utils.py", "in/utils.py"):
        for words in (["in"], ["in/???.py", "in/bob/hw.py"]):
            out = grade(capsys, *words, "--function", "relu", "--like", "relu", "--seed", 1, "--helper", helper)[1]
            found = verdicts(out)
            assert [found[f"{name}.py"] for name in ("ann", "bob/hw", "dan")] == [
                "passed",
                "passed",
                "could not run",
            ], out
            assert ("utils.py" in found) == (helper == "utils.py" and words == ["in"])
            assert "imported unless --helper names it" in out
    assert main(["in", "--function", "relu", "--like", "relu", "--helper", "none.py"]) == 2
    assert "--helper none.py: there is no such file" in capsys.readouterr().err


def test_a_missing_file_is_no_function_measured_by_differences(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out = grade(capsys, "nothing.py:relu", "--like", "relu", "--seed", 1)
    assert status == 2
    assert out.splitlines() == [
        "nothing.py:relu, held to relu, seed 1",
        "could not check nothing.py:relu: there is no file 'nothing.py'",
    ]


def test_quiet_says_whose_work_failed(homework, capsys):
    _, out = grade(capsys, homework("wrong_relu"), "--like", "relu", "-q", "--seed", 1)
    assert out.startswith(f"{homework('wrong_relu')}, held to relu, seed 1\n")


def test_a_console_that_closes_early_loses_no_results(homework, tmp_path):
    """The reader of standard output has gone, and cannot print the letters of the sentences either."""
    command = [sys.executable, "-m", "minires.gradcheck", homework("wrong_relu"), homework("right_relu")]
    process = subprocess.Popen(
        [*command, "--like", "relu", "--csv", "marks.csv", "--json", "marks.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    process.stdout.close()
    assert process.wait(60) in (1, 2)
    assert len(json.loads((tmp_path / "marks.json").read_text(encoding="utf-8"))["results"]) == 2
    assert (tmp_path / "marks.csv").read_text(encoding="utf-8").count("\n") == 3


def test_results_are_written_as_they_come(homework, tmp_path, monkeypatch, capsys):
    seen = []
    from minires.gradcheck.grading import results

    write = results.atomic_write
    monkeypatch.setattr(
        results, "atomic_write", lambda file, content: (seen.append(content.count(b"\n")), write(file, content))
    )
    grade(capsys, homework("right_relu"), homework("wrong_relu"), "--like", "relu", "--csv", tmp_path / "x.csv")
    assert seen == [2, 3]


def test_files_named_as_modules_hide_nothing_from_the_command_and_stop_python_m(tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit('this is numpy')\n")
    (tmp_path / "argparse.py").write_text("raise SystemExit('this is argparse')\n")
    (tmp_path / "hw.py").write_text("def relu(x):\n    return x * (x > 0), lambda dy: dy * (x > 0)\n")
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "minires"
    script.write_text("import sys\nfrom minires.__main__ import script\nsys.exit(script())\n")
    arguments = ["hw.py:relu", "--like", "relu", "-q"]
    ours = subprocess.run(
        [sys.executable, str(script), "gradcheck", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert (ours.returncode, ours.stderr) == (0, ""), ours.stdout
    module = subprocess.run(
        [sys.executable, "-m", "minires.gradcheck", *arguments], cwd=tmp_path, capture_output=True, text=True
    )
    assert module.returncode == 2
    assert "mark with the command minires gradcheck" in module.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("jobs", [1, 3])
def test_control_c_ends_at_once_with_what_there_is(tmp_path, jobs):
    for k in range(8):
        endless = "    while True: pass\n"
        right = "    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"
        folder = tmp_path / "in" / f"s{k}"
        folder.mkdir(parents=True)
        (folder / "work.py").write_text("import numpy as np\ndef relu(x):\n" + (endless if k in (1, 2, 4) else right))
    arguments = ["in", "--function", "relu", "--like", "relu", "--jobs", str(jobs), "--timeout", "60", "--samples", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "minires.gradcheck", *arguments, "--csv", "marks.csv", "--json", "marks.json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path / "in")},
    )
    assert process.stdout.readline().startswith("seed ")
    assert "passed" in process.stdout.readline()  # the first; the others, some of which are endless, go on
    time.sleep(3)
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)  # as Ctrl-C, which a shell's background jobs ignore
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - sent < 5
    rows = rows_of(tmp_path / "marks.csv")
    assert (process.returncode, err) == (
        130,
        f"\nminires.gradcheck: stopped; {len(rows)} of 8 submissions were marked\n",
    )
    assert [row["status"] for row in rows] == ["passed"] * len(rows)
    assert len(rows) == 1 if jobs == 1 else len(rows) >= 2
    assert not json.loads((tmp_path / "marks.json").read_text(encoding="utf-8"))["passed"]
    assert not list((tmp_path / "in").glob("minires-*"))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_the_name_of_a_file_is_no_formula_no_escape_and_no_line_of_its_own(tmp_path, capsys):
    names = [
        "=1+2.py",
        "+a.py",
        "-b.py",
        "@c.py",
        "＝d.py",
        "\x1b[2Jx\n9 passed.py",
        "\u202ee.py",
        "ann, 'bob'.py",
        "김.py",
    ]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_text("def neg(x):\n    return -x, lambda dy: -dy\n")
    files = ["--csv", tmp_path / "marks.csv", "--gradescope", tmp_path / "results.json"]
    status, out = grade(capsys, tmp_path / "in", "--function", "neg", "--like", "neg", *files)
    assert status == 0
    assert out.count("\n") == len(names) + 2
    text = (tmp_path / "marks.csv").read_text(encoding="utf-8-sig")
    written = [row["submission"].rpartition("/")[2] for row in rows_of(tmp_path / "marks.csv")]
    tests = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["tests"]
    assert text.count("\n") == len(names) + 1
    assert len(written) == len(set(written)) == len(names)
    for shown in (out.replace("\n", ""), text.replace("\n", ""), *(test["name"] for test in tests)):
        assert shown.isprintable()
    from minires.gradcheck.grading.results import Result, table_of

    rows = list(csv.reader(table_of([Result(name, error=name) for name in names]).splitlines()))
    assert not [cell for row in rows for cell in row if cell[:1] in ("=", "+", "-", "@", "＝")]


def test_large_answers_are_not_kept(tmp_path, capsys):
    (tmp_path / "hw.py").write_text(
        "import numpy as np\nZ = np.broadcast_to(np.uint8(0), (4_000_000,))\n"
        "def linear(x, w, b):\n    return x @ w.T + b, lambda dy: (Z, Z, Z)\ndef relu(x):\n    return Z, lambda dy: Z\n"
    )
    for name, shape in (("linear", "of shape (4000000,) for x"), ("relu", "y has shape (4000000,)")):
        tracemalloc.start()
        status, out = grade(capsys, f"{tmp_path / 'hw.py'}:{name}")
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert status == 1
        assert shape in out
        assert peak < 150e6


def test_all_calls_together_have_a_deadline_whatever_they_ask(tmp_path, capsys):
    (tmp_path / "hw.py").write_text("""
import time
import tracemalloc
class Linear:
    def __init__(self):
        for k in range(60):
            setattr(self, "w" + "_" * k, 1)
    def __getattribute__(self, name):
        if name.strip("_") == "w":
            time.sleep(0.25)
            return object()
        return object.__getattribute__(self, name)
    def forward(self, x): return x
    def backward(self, dy): return dy
""")
    begin = time.monotonic()
    status, out = grade(capsys, f"{tmp_path / 'hw.py'}:Linear", "--timeout", "0.3")
    assert status == 1
    assert "timed out" in out
    assert time.monotonic() - begin < 13 * 0.3 + 4


def test_a_dropout_with_one_mask_for_all_calls_is_noted(tmp_path, capsys):
    (tmp_path / "hw.py").write_text("""
import numpy as np
rng = np.random.default_rng()
def fixed(x, p=0.5, training=True):
    keep = np.arange(x.size).reshape(x.shape) % 10 >= round(10 * p) if training else np.ones(x.shape, bool)
    mask = keep / (1 - p) if training else keep * 1.0
    return x * mask, lambda dy: dy * mask
def drawn(x, p=0.5, training=True):
    mask = (rng.random(x.shape) >= p) / (1 - p) if training else np.ones(x.shape)
    return x * mask, lambda dy: dy * mask
""")
    for name, noted in (("fixed", True), ("drawn", False)):
        _, out = grade(capsys, f"{tmp_path / 'hw.py'}:{name}", "--like", "dropout")
        assert ("its mask is the same in each call" in out) == noted


def test_an_empty_batch_earns_nothing_and_samples_of_a_case_count_once(tmp_path, capsys):
    dead = submissions.CONV.replace("return (dx, dw) if b is None else", "return (dx * 0, dw * 0) if b is None else")
    dead = dead.replace("(dx, dw, dy.sum", "(dx * 0, dw * 0, dy.sum")
    (tmp_path / "dead.py").write_text(submissions.IMPORT + dead)
    (tmp_path / "right.py").write_text(submissions.IMPORT + submissions.CONV)
    stride = submissions.CONV.replace(
        "at = np.s_[:, :, i * stride:i * stride + KH, j * stride:j * stride + KW]",
        "at = np.s_[:, :, i:i + KH, j:j + KW]",
    )
    (tmp_path / "some.py").write_text(submissions.IMPORT + stride)
    files = "--csv", tmp_path / "m.csv", "--gradescope", tmp_path / "g.json", "--seed", "5"
    main([str(tmp_path), "--function", "conv2d", "--like", "conv2d", *map(str, files)])
    capsys.readouterr()
    assert (tmp_path / "m.csv").read_bytes().startswith("\ufeffsubmission".encode())
    rows = rows_of(tmp_path / "m.csv")
    assert [row["seed"] for row in rows] == ["5"] * 3
    scores = [float(row["score"]) for row in rows]
    assert scores[:2] == [0, 1]
    assert 0.2 < scores[2] < 0.8
    assert [t["score"] for t in json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))["tests"]] == scores


def test_the_error_of_what_passes_is_the_measured_one_and_an_empty_file_is_not_done(tmp_path, capsys):
    (tmp_path / "hw.py").write_text(
        "import numpy as np\ndef tanh(x):\n    y = np.tanh(x)\n    return y, lambda dy: dy * (1 + 1e-9) * (1 - y * y)\ndef relu(x):\n    return x[:1], lambda dy: dy\n"
    )
    (tmp_path / "none.py").write_text("\n")
    assert "1.0e-09  ok" in grade(capsys, f"{tmp_path / 'hw.py'}:tanh")[1]
    assert "shape  see below  FAILED" in grade(capsys, f"{tmp_path / 'hw.py'}:relu")[1]
    status, out = grade(capsys, f"{tmp_path / 'none.py'}:relu")
    assert status == 1
    assert "not done: none.py is empty" in out


def test_what_is_wrong_with_all_is_said_once(tmp_path, capsys, monkeypatch):
    for name in ("ann", "bob"):
        (tmp_path / f"{name}.py").write_text(GOOD)
    assert main([str(tmp_path), "--function", "rellu", "--like", "relu"]) == 2
    assert "--function rellu: none of the 2 files has that name" in capsys.readouterr().err
    assert main([str(tmp_path), "--function", "relu", "--like", "relu", "--forbid", "nunpy", "torch"]) == 0
    said = capsys.readouterr().err
    assert "--forbid nunpy: no such module is installed here; is the name right?" in said
    assert "torch" not in said
    (tmp_path / "eve.ipynb").write_text("{}")
    monkeypatch.setitem(sys.modules, "nbformat", None)
    assert main([str(tmp_path), "--function", "relu", "--like", "relu"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "notebooks" in captured.err
