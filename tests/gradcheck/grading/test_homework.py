"""Somebody's own function: what is right passes, what is wrong gets a clear sentence, and nothing gets stuck."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from minires.gradcheck.__main__ import main
from minires.gradcheck.grading.loading import load

HOMEWORK = '''
import functools
import os
import sys
import numpy as np
import neighbour
from minires import ops

print("this is not shown")

def right_relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > 0)

def wrong_relu(x):
    return np.maximum(x, 0), lambda dy: dy * (x > -0.5)

def other_relu(x):
    return np.maximum(x, 0.1 * x), lambda dy: dy * np.where(x > 0, 1, 0.1)

def relu_backward(dy, x):
    return dy * (x > 0)

def conv_of_squares(x, w, b, stride, padding):
    """Loops, one stride for both axes, no dilation, no groups, always a bias."""
    N, C, H, W = x.shape
    O, _, KH, KW = w.shape
    OH, OW = (H + 2 * padding - KH) // stride + 1, (W + 2 * padding - KW) // stride + 1
    padded = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    y = np.zeros((N, O, OH, OW), np.result_type(x, w, b))
    places = [(i, j, slice(i * stride, i * stride + KH), slice(j * stride, j * stride + KW))
              for i in range(OH) for j in range(OW)]
    for i, j, rows, columns in places:
        y[:, :, i, j] = np.tensordot(padded[:, :, rows, columns], w, axes=([1, 2, 3], [1, 2, 3])) + b
    def backward(dy):
        dpadded, dw = np.zeros_like(padded), np.zeros_like(w)
        for i, j, rows, columns in places:
            dw += np.tensordot(dy[:, :, i, j], padded[:, :, rows, columns], axes=(0, 0))
            dpadded[:, :, rows, columns] += np.tensordot(dy[:, :, i, j], w, axes=(1, 0))
        return dpadded[:, :, padding:padding + H, padding:padding + W], dw, dy.sum((0, 2, 3))
    return y, backward

def conv2d_backward(dy, x, w, b=None, *, stride=1, padding=0, dilation=1, groups=1):
    y, backward = ops.conv2d.raw(x, w, b, stride=stride, padding=padding, dilation=dilation, groups=groups)
    dx, dw, *db = backward(dy)
    return (dx, dw, *(g / max(len(x), 1) for g in db))

def training_norm(x, gamma, beta, eps):
    """Statistics of the batch taken for constants; no running statistics, no `training`."""
    mean, var = x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)
    x_hat = (x - mean) / np.sqrt(var + eps)
    g = gamma.reshape(1, -1, 1, 1)
    return x_hat * g + beta.reshape(1, -1, 1, 1), lambda dy: (
        dy * g / np.sqrt(var + eps), (dy * x_hat).sum((0, 2, 3)), dy.sum((0, 2, 3)))

def doubled(x):
    return np.tanh(x), lambda dy: 2 * dy * (1 - np.tanh(x) ** 2)

class Relu:
    def __call__(self, x):
        return right_relu(x)

instance = Relu()
partial_relu = functools.partial(lambda x, slope: (np.maximum(x, slope * x), lambda dy: dy * np.where(x > 0, 1, slope)),
                                 slope=0)
partial_conv = functools.partial(right_relu)
builtin = max

def seven(x):
    return np.maximum(np.append(x, x[:3]), 0) if x.shape == (4,) else np.maximum(x, 0), lambda dy: (
        dy[:4] * (x > 0) + np.append(dy[4:], 0) * (x > 0) if x.shape == (4,) else dy * (x > 0))

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

def too_many(x, y, z):
    return x, lambda dy: dy
'''


@pytest.fixture
def homework(tmp_path):
    (tmp_path / "neighbour.py").write_text("")
    (tmp_path / "homework.py").write_text(HOMEWORK)
    return lambda name: f"{tmp_path / 'homework.py'}:{name}"


def grade(capsys, *arguments):
    status = main([*arguments, "--samples", "1"])
    return status, capsys.readouterr().out


def test_a_right_function_passes(homework, capsys):
    status, out = grade(capsys, homework("right_relu"), "--like", "relu")
    assert status == 0
    assert out.endswith("4 of 4 cases passed\n")
    assert "not shown" not in out
    assert "2 of 149 elements lie at a kink" in out or "elements lie at a kink" in out


def test_a_wrong_function_is_told_which_argument_and_both_numbers(homework, capsys):
    status, out = grade(capsys, homework("wrong_relu"), "--like", "relu")
    assert status == 1
    assert "dx is wrong, in relu (" in out
    assert "by backward" in out
    assert "measured" in out


@pytest.mark.parametrize("name", ["instance", "partial_relu"])
def test_a_callable_without_a_name_is_checked_as_a_function_is(homework, capsys, name):
    status, out = grade(capsys, homework(name), "--like", "relu")
    assert status == 0, out


def test_a_callable_without_a_name_that_fits_no_case_is_told_so(homework, capsys):
    assert "none of conv2d's cases fits partial(x)" in grade(capsys, homework("partial_conv"), "--like", "conv2d")[1]


def test_a_callable_whose_arguments_python_does_not_tell_is_refused_with_the_remedy(homework, capsys):
    status, out = grade(capsys, homework("builtin"), "--like", "relu")
    assert status == 2
    assert "Python does not tell the arguments of builtin, a builtin_function_or_method; call it in a function" in out


def test_a_y_of_another_shape_at_a_tie_is_told_so(homework, capsys):
    """Its gradients are right for what it computes, and so have no place in the convention's."""
    status, out = grade(capsys, homework("seven"), "--like", "relu")
    assert status == 1
    assert "y has shape (7,), that of relu is (4,)" in out
    assert "ValueError" not in out


def test_a_function_of_another_value_is_told_so(homework, capsys):
    """Its gradient is right, for what it computes."""
    status, out = grade(capsys, homework("other_relu"), "--like", "relu")
    assert status == 1
    assert "y is not relu's: y[" in out
    assert "dx is wrong" not in out


def test_a_backward_alone_is_recognised_and_needs_no_like_if_named_after_an_op(homework, capsys):
    assert grade(capsys, homework("relu_backward"))[0] == 0


def test_a_known_mistake_is_named(homework, capsys):
    status, out = grade(capsys, homework("conv2d_backward"))
    assert status == 1
    assert "db is wrong" in out
    assert "dx is wrong" not in out
    assert "db" in out
    assert "averaged over the batch" in out


def test_a_factor_is_named(homework, capsys):
    assert (
        "your dx is right but for a factor (2 in this case)" in grade(capsys, homework("doubled"), "--like", "tanh")[1]
    )


def test_a_simple_function_gets_the_cases_that_it_can_do_and_is_told_which_not(homework, capsys):
    status, out = grade(capsys, homework("conv_of_squares"), "--like", "conv2d")
    assert status == 0, out
    assert "checked with one number for both axes" in out
    assert "cases passed over: it takes no groups" in out
    assert "cases passed over: it takes the arrays x, w, b, the case has 2 of them" in out
    assert "5 of 5 cases passed" in out


def test_a_norm_for_training_only_is_held_to_the_training_cases(homework, capsys):
    status, out = grade(capsys, homework("training_norm"), "--like", "batch_norm")
    assert status == 1
    assert "cases passed over: it takes no training=False" in out
    assert "constant" in out  # the catalogue knows this one
    assert "dgamma" not in out


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("leaves", "ended the whole process (exit code 3): does it call exit()?"),
        ("exits", "SystemExit: enough (homework.py, line"),
        ("raises", "the backward raises NameError: name 'undefined' is not defined (homework.py, line"),
        ("gives_one", "the function must return (y, backward), backward a function of dy; it returns one ndarray"),
        ("gives_nan", "backward makes a dx that is not zero"),
        ("gives_none", "backward gives no gradient (None) for x"),
    ],
)
def test_what_goes_wrong_gets_a_sentence(homework, capsys, name, sentence):
    status, out = grade(capsys, homework(name), "--like", "relu")
    assert status == 1
    assert sentence in out
    assert "0 of 4 cases passed" in out


def test_an_endless_loop_ends_with_its_case_and_the_others_go_on(homework, capsys):
    status, out = grade(capsys, homework("loops_sometimes"), "--like", "relu", "--timeout", "2")
    assert status == 1
    assert "relu (feature map, channels-last): did not finish within 2 s (--timeout): an endless loop?" in out
    assert "3 of 4 cases passed" in out


def alive(pid):
    """Whether a process runs; a zombie that nobody has fetched yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for the process in /proc")
def test_an_endless_loop_ends_when_the_checker_is_killed(tmp_path):
    (tmp_path / "hw.py").write_text(
        "import os\nfrom pathlib import Path\n\ndef f(x):\n    Path('pid.part').write_text("
        "str(os.getpid()))\n    os.replace('pid.part', 'pid')\n    while True:\n        pass\n"
    )
    checker = subprocess.Popen(
        [sys.executable, "-m", "minires.gradcheck", "hw.py:f", "--like", "relu", "--timeout", "60"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    checker.kill()
    checker.wait()
    deadline = time.monotonic() + 10
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("missing.py:f", "there is no file 'missing.py'"),
        ("homework.py:no_such", "homework.py has no function 'no_such'; its functions: right_relu, wrong_relu"),
        ("homework.py", "which function? Write FILE.py:FUNCTION"),
        ("homework.py:loops", "say which op it is to be like: --like OP"),
        ("homewrok.py:loops", "there is no file"),  # before it is asked what the function is to be like
        ("homework.py:too_many", "none of relu's cases fits too_many(x, y, z): it takes the arrays x, y, z"),
        ("syntax.py:f", "syntax.py cannot be loaded: SyntaxError"),
        ("endless.py:f", "loading endless.py did not finish"),
    ],
)
def test_what_cannot_be_run_gives_status_2(homework, tmp_path, monkeypatch, capsys, target, sentence):
    monkeypatch.setattr("minires.gradcheck.grading.sandbox.STARTING", 1.0)
    (tmp_path / "syntax.py").write_text("def f(x:\n")
    (tmp_path / "endless.py").write_text("while True: pass")
    monkeypatch.chdir(tmp_path)
    like = [] if target.endswith("loops") else ["--like", "relu"]
    status, out = grade(capsys, target, *like, *(["--timeout", "1"] if "endless" in target else []))
    assert status == 2
    assert sentence in out
    assert "could not check" in out


def test_a_notebook_is_read_cell_by_cell(tmp_path, capsys):
    cells = [
        {"cell_type": "markdown", "source": ["# Homework"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "import numpy as np\n", "!pip list\n"]},
        {"cell_type": "code", "source": ["plot_that_fails()"]},
        {"cell_type": "code", "source": ["def relu(x):\n", "    return np.maximum(x, 0), lambda dy: dy * (x > 0)\n"]},
    ]
    (tmp_path / "hw.ipynb").write_text(json.dumps({"cells": cells}))
    assert grade(capsys, f"{tmp_path / 'hw.ipynb'}:relu")[0] == 0
    assert load(tmp_path / "hw.ipynb", "relu")(np.ones(2))[0].tolist() == [1, 1]
    status, out = grade(capsys, f"{tmp_path / 'hw.ipynb'}:tanh")
    assert status == 2
    assert (
        "hw.ipynb has no function 'tanh'; its functions: relu (after cell 3: NameError: name 'plot_that_fails'" in out
    )


def test_results_are_written_for_graders(homework, tmp_path, capsys):
    ours, theirs = tmp_path / "out.json", tmp_path / "results.json"
    status, _ = grade(
        capsys,
        homework("right_relu"),
        homework("wrong_relu"),
        homework("gives_nan"),
        "--like",
        "relu",
        "--json",
        str(ours),
        "--gradescope",
        str(theirs),
    )
    assert status == 1
    report = json.loads(ours.read_text(), parse_constant=lambda c: pytest.fail(f"{c} is no JSON"))
    assert [r["passed"] for r in report["results"]] == [True, False, False]
    assert report["results"][0]["cases_passed"] == report["results"][0]["cases"] == 4
    wrong = next(r for r in report["results"][1]["reports"] if not r["passed"])
    assert wrong["wrong"] == ["x"]
    assert wrong["arguments"][0]["analytic"] != wrong["arguments"][0]["numeric"]
    tests = json.loads(theirs.read_text())["tests"]
    assert len(tests) == 12
    assert {"name", "score", "max_score", "status", "output"} == tests[0].keys()
    assert sum(t["score"] for t in tests[:4]) == 4
    assert sum(t["score"] for t in tests[8:]) == 0


def test_a_function_that_cannot_be_run_scores_0_in_gradescope(homework, tmp_path, capsys):
    assert grade(capsys, homework("nothing"), "--like", "relu", "--gradescope", str(tmp_path / "g.json"))[0] == 2
    (test,) = json.loads((tmp_path / "g.json").read_text())["tests"]
    assert (test["score"], test["status"]) == (0, "failed")
    assert "has no function 'nothing'" in test["output"]
