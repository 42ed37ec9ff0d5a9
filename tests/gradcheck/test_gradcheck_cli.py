"""python -m minires.gradcheck."""

import subprocess
import sys

import numpy as np
import pytest

from minires.gradcheck.__main__ import main
from minires.tensor import registry


def test_everything_passes_and_every_op_has_a_row(capsys):
    assert main([]) == 0
    out = capsys.readouterr().out
    rows = [line.split() for line in out.splitlines()]
    assert {row[0] for row in rows} >= set(registry)
    assert "resnet8 in training" in out
    assert "FAILED" not in out
    assert all(len(line) <= 100 for line in out.splitlines())


def test_some_ops_can_be_named(capsys):
    assert main(["relu", "conv2d", "--seed", "3"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:-1]
    assert [row.split()[:2] for row in rows] == [["relu", "x"], ["conv2d", "x"], ["conv2d", "w"], ["conv2d", "b"]]


def test_a_wrong_gradient_gives_exit_status_1_and_says_where(capsys, monkeypatch):
    monkeypatch.setattr(registry["neg"], "raw", lambda x: (-x, lambda dy: dy))
    assert main(["neg"]) == 1
    out = capsys.readouterr().out
    assert "FAILED neg (matrix)" in out
    assert "0 of 2 cases passed" in out


def test_an_unknown_op_gives_exit_status_2_and_one_line(capsys):
    assert main(["conv3d"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("gradcheck: there is no op 'conv3d'; did you mean conv2d?")
    assert err.count("\n") == 1


def test_list_names_the_ops(capsys):
    assert main(["--list"]) == 0
    assert capsys.readouterr().out.split() == sorted(registry)


def test_the_module_runs_as_a_command_and_its_exit_status_is_mains():
    run = [subprocess.run([sys.executable, "-m", "minires.gradcheck", op], capture_output=True, text=True)
           for op in ("neg", "conv3d")]
    assert [r.returncode for r in run] == [0, 2]
    assert "2 of 2 cases passed" in run[0].stdout
    assert run[1].stderr.startswith("gradcheck: there is no op 'conv3d'")


def test_help_says_what_the_exit_status_means(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    assert "0 all passed" in " ".join(capsys.readouterr().out.split())


def test_numeric_methods_meet_a_known_derivative():
    from minires.gradcheck.numeric import complex_step, four_point
    x, upstream = np.array([0.4, 1.3]), np.array([2.0, -1.0])
    exact = upstream * np.cos(x)
    assert np.abs(complex_step(lambda at: np.sin(at[0]), [x], 0, upstream) - exact).max() < 1e-15
    assert np.abs(four_point(lambda at: np.sin(at[0]), [x], 0, upstream) - exact).max() < 1e-12
