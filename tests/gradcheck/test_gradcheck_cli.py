"""python -m minires.gradcheck."""

import json
import os
import signal
import subprocess
import sys

import pytest
from backends import needs_gpu

from minires import cuda, gradcheck
from minires.gradcheck.__main__ import main
from minires.op import registry


@pytest.fixture(scope="module")
def whole():
    """One run of everything, as a stranger starts it."""
    return subprocess.run([sys.executable, "-m", "minires.gradcheck", "--samples", "1"], capture_output=True, text=True)


def test_everything_passes_and_every_op_has_a_row(whole):
    assert whole.returncode == 0, whole.stdout
    rows = [line.split() for line in whole.stdout.splitlines() if line]
    assert {row[0] for row in rows} >= set(registry)
    for part in ("im2col, col2im", "resnet8 in training", "resnet20 in training", "Taylor test", "linear maps"):
        assert part in whole.stdout
    assert "FAILED" not in whole.stdout
    assert "elements skipped at a kink" in whole.stdout


def test_the_tables_are_plain_when_piped_and_fit_a_terminal(whole):
    assert "\033" not in whole.stdout
    tables = whole.stdout.splitlines()[:-1]
    assert all(len(line) <= 80 for line in tables)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--seeds", "1", "--bugs"], "--seeds means nothing with --bugs"),
        (["--paths", "--bugs"], "--bugs means nothing with --paths"),
        (["--model", "resnet8"], "--model goes with --paths: add --paths, or leave --model out"),
        (["--model", "resnet20"], "--model goes with --paths"),  # the default
        (["relu", "--variant", "v1"], "--variant goes with --paths"),
        (["--dataset", "digits"], "--dataset goes with --paths"),
        (["--batch-size", "64"], "--batch-size goes with --paths"),
        (["--bugs", "--samples", "3"], "--samples means nothing with --bugs"),
        (["--list", "relu"], "the name 'relu' means nothing with --list"),
        (["relu", "--timeout", "1"], "--timeout means nothing"),
        (["relu", "--plot", "x.png", "--bugs"], "--bugs means nothing with --plot"),
        (["work.py:relu", "--plot", "x.png"], "--plot means nothing with a function in a file"),
        (["--op", "relu", "--list"], "the name 'relu'"),
    ],
)
def test_a_flag_that_would_be_ignored_is_refused(capsys, arguments, said):
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


def test_some_ops_can_be_named_in_either_way(capsys):
    assert main(["relu", "--op", "conv2d", "--seed", "3"]) == 0
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if line][1:-1]
    assert rows == [["relu", "x"], ["conv2d", "x"], ["conv2d", "weight"], ["conv2d", "bias"]]


def test_capitals_and_underscores_of_an_op_do_not_matter(capsys):
    for name in ("ReLU", "RE_LU"):
        assert main([name, "--samples", "1"]) == 0
        assert "relu " in capsys.readouterr().out


def test_samples_multiply_the_cases(capsys):
    counts = []
    for samples in ("1", "4"):
        assert main(["neg", "-q", "--samples", samples]) == 0
        counts.append(int(capsys.readouterr().out.split()[0]))
    assert counts[1] == 4 * counts[0]


def test_a_wrong_gradient_gives_exit_status_1_and_says_where(capsys, monkeypatch):
    monkeypatch.setattr(registry["neg"], "raw", lambda x: (-x, lambda dy: dy))
    assert main(["neg", "--samples", "1"]) == 1
    out = capsys.readouterr().out
    assert "FAILED neg (matrix)  complex step, worst error 2.0e+00 at dx[" in out
    assert "0 of 3 cases passed" in out


def test_quiet_prints_what_failed_and_one_line(capsys, monkeypatch):
    assert main(["relu", "-q"]) == 0
    assert capsys.readouterr().out.count("\n") == 1
    monkeypatch.setattr(registry["neg"], "raw", lambda x: (-x, lambda dy: dy))
    assert main(["neg", "-q", "--samples", "1"]) == 1
    assert capsys.readouterr().out.count("\n") == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["conv3d"], "minires.gradcheck: there is no op 'conv3d'; did you mean conv2d?"),
        (["--op", "conv3d"], "minires.gradcheck: there is no op 'conv3d'"),
        (["--bugs", "conv3d"], "minires.gradcheck: there is no op 'conv3d'"),
        (["relu", "abs", "--plot", "x.png"], "minires.gradcheck: --plot draws one op: name it"),
        (["relu", "--like", "relu"], "minires.gradcheck: --like, --json and --gradescope go with a function"),
        (["relu", "x.py:relu"], "minires.gradcheck: name either ops or functions in files, not both"),
        (["relu", "--paths"], "minires.gradcheck: --paths shows a network (--model), not the op relu"),
        (["--paths", "--variant", "v1"], "minires.gradcheck: resnet20 has no bottlenecks, so no variant; resnet50 has"),
    ],
)
def test_what_cannot_run_gives_exit_status_2_and_one_line(capsys, arguments, message):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["--samples", "0"],
        ["--samples", "-1"],
        ["--samples", "1.5"],
        ["--seeds", "0"],
        ["--backend", "tpu"],
        ["--seed", "-1"],
        ["--seed", "x"],
        ["--paths", "--batch-size", "0"],
        ["--json", ""],
        ["--gradescope", ""],
        ["--plot", ""],
        ["--paths", "--dataset", ""],
        ["--like", ""],
        *(["--timeout", text] for text in ("-1", "0", "nan", "inf", "1e300", "soon")),
    ],
)
def test_impossible_options_are_refused_in_one_line_that_names_them(capsys, arguments):
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert arguments[-2] in err


def test_list_names_the_ops(capsys):
    assert main(["--list"]) == 0
    assert capsys.readouterr().out.split() == sorted(registry)


def test_the_module_runs_as_a_command_and_its_exit_status_is_mains():
    run = [
        subprocess.run([sys.executable, "-m", "minires.gradcheck", op], capture_output=True, text=True)
        for op in ("neg", "conv3d")
    ]
    assert [r.returncode for r in run] == [0, 2]
    assert "9 of 9 cases passed" in run[0].stdout
    assert run[1].stderr.startswith("minires.gradcheck: there is no op 'conv3d'")


def test_help_says_what_the_exit_status_means(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    assert "0 all passed, 1 something failed, 2 could not run" in text
    assert max(map(len, text.splitlines())) <= 80


def test_many_seeds_find_no_false_alarm_and_would_show_one(capsys, monkeypatch):
    assert main(["relu", "batch_norm", "--seeds", "3"]) == 0
    assert capsys.readouterr().out.startswith("0 false alarms in 48 cases of 3 seeds")
    monkeypatch.setattr(registry["neg"], "raw", lambda x: (-x, lambda dy: dy))
    assert main(["neg", "--seeds", "2"]) == 1
    assert "6 false alarms in 6 cases of 2 seeds" in capsys.readouterr().out


def test_control_c_is_one_line_and_status_130(capsys, monkeypatch):
    def interrupted(*args, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("minires.gradcheck.__main__.full_check", interrupted)
    assert main([]) == 130
    assert capsys.readouterr().err == "\nminires.gradcheck: stopped\n"


def test_a_plot_of_error_against_step_is_written(tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert main(["batch_norm", "--plot", str(tmp_path / "steps.png")]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'steps.png'}\n"
    assert (tmp_path / "steps.png").read_bytes().startswith(b"\x89PNG")


def test_the_v_curve_is_what_theory_says():
    from minires.gradcheck.checks.step_size import STEPS, errors_by_step

    errors = errors_by_step("batch_norm")
    assert errors["complex step"][STEPS < 1e-9].max() < 2e-15
    assert 1e-13 < errors["2-point"].min() < 1e-10
    assert errors["4-point"].min() < 1e-12
    for method, power in (("2-point", 2), ("4-point", 4)):
        coarse, fine = (errors[method][np_index(STEPS, h)] for h in (10**-1.0, 10**-1.5))
        assert abs((coarse / fine) ** (1 / 0.5) / 10**power - 1) < 0.2, method


def np_index(steps, h):
    return abs(steps / h - 1).argmin()


SIGMOID = """
import numpy as np
def sigmoid(x):
    y = 1 / (1 + np.exp(-x))
    return y, lambda dy: dy * y
"""


def command(folder, *arguments, **options):
    (folder / "work.py").write_text(SIGMOID)
    return subprocess.Popen(
        [sys.executable, "-m", "minires.gradcheck", *arguments],
        text=True,
        cwd=folder,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def passed_in(path):
    return [
        report["passed"]
        for result in json.loads(path.read_text(encoding="utf-8"))["results"]
        for report in result["reports"]
    ]


@pytest.mark.skipif(os.name == "nt", reason="descriptors are POSIX's")
@pytest.mark.parametrize(("output", "status", "lines"), [("a reader that leaves", 1, 0), ("/dev/full", 2, 1)])
def test_results_are_written_even_if_the_console_cannot_show_them(tmp_path, output, status, lines):
    """A verdict that was not read is still the status, as `minires gradcheck … | head -1` asks for it."""
    files = ["--json", "r.json", "--gradescope", "g.json"]
    if output == "/dev/full":
        with open(output, "w") as full:
            run = command(tmp_path, "work.py:sigmoid", "work.py:sigmoid", *files, stdout=full)
    else:
        run = command(tmp_path, "work.py:sigmoid", "work.py:sigmoid", *files)
        run.stdout.close()
    _, err = run.communicate(timeout=120)
    assert (run.returncode, err.count("\n")) == (status, lines), err
    assert ("standard output" in err) == (lines > 0)
    assert passed_in(tmp_path / "r.json") == [False] * 22
    assert [t["score"] for t in json.loads((tmp_path / "g.json").read_text())["tests"]] == [0, 0]


def test_letters_that_the_console_does_not_have_lose_no_results(tmp_path):
    run = command(
        tmp_path,
        "work.py:sigmoid",
        "--json",
        "r.json",
        "--samples",
        "1",
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )
    out, err = run.communicate(timeout=120)
    assert (run.returncode, err) == (1, "")
    assert "0 of 5 cases passed" in out
    assert passed_in(tmp_path / "r.json") == [False] * 5


@pytest.mark.parametrize(
    ("flag", "words"),
    [("--json", ["work.py:relu"]), ("--gradescope", ["work.py:relu"]), ("--plot", ["relu"]), ("--plot", ["--paths"])],
)
def test_a_file_that_cannot_be_written_is_named_in_one_line_before_the_work(tmp_path, monkeypatch, capsys, flag, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work.py").write_text("raise AssertionError('it was loaded')")
    for work in ("check_targets", "show_paths", "errors_by_step"):
        monkeypatch.setattr(f"minires.gradcheck.__main__.{work}", lambda *args, **kwargs: pytest.fail("it works"))
    assert main([*words, flag, "work.py/x"]) == 2
    assert capsys.readouterr() == ("", "minires.gradcheck: work.py/x: Not a directory\n")


@pytest.mark.parametrize("words", [["relu"], ["--paths"]])
def test_an_ending_that_no_figure_has_is_refused_before_the_work(capsys, words):
    assert main([*words, "--plot", "steps.docx"]) == 2
    assert capsys.readouterr() == (
        "",
        "minires.gradcheck: steps.docx: a figure can be png, svg, pdf, jpg, jpeg or webp, by the file's ending, not 'docx'\n",
    )


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a full disk is Linux's /dev/full")
def test_one_file_that_cannot_be_written_does_not_keep_the_other_from_it(tmp_path):
    run = command(tmp_path, "work.py:sigmoid", "--samples", "1", "--json", "/dev/full", "--gradescope", "g.json")
    out, err = run.communicate(timeout=120)
    assert (run.returncode, err) == (2, "minires.gradcheck: /dev/full: No space left on device\n")
    assert "0 of 5 cases passed" in out
    assert [t["score"] for t in json.loads((tmp_path / "g.json").read_text())["tests"]] == [0]


def test_control_c_in_the_middle_of_a_table_is_one_line(tmp_path):
    run = command(tmp_path, "--samples", "100")
    assert run.stdout.readline().startswith("op ")
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert (run.returncode, err) == (130, "\nminires.gradcheck: stopped\n")


def test_reports_are_lines_in_a_notebook():
    reports = gradcheck.check_op("relu")
    lines = repr(reports).splitlines()
    assert len(lines) == len(reports) + 1
    assert lines[0].startswith("ok     relu (matrix)  complex step, worst error")
    assert lines[-1] == f"{len(reports)} of {len(reports)} cases passed"
    assert repr(reports[0]) == str(reports[0]) == lines[0]


@needs_gpu
def test_ops_are_checked_on_a_gpu(capsys):
    assert main(["conv2d", "residual_add", "--backend", "cupy", "--samples", "1"]) == 0
    assert "cases passed" in capsys.readouterr().out


@needs_gpu
@pytest.mark.parametrize(
    "arguments", [["relu", "--seeds", "1"], ["--paths", "-q", "--model", "resnet8", "--batch-size", "4"]]
)
def test_seeds_and_paths_run_where_the_backend_says(arguments, monkeypatch):
    from minires.kernels import device

    right = device.relu_dx
    command = [*arguments, "--backend", "cupy"]
    assert main(command) == 0
    monkeypatch.setattr(device, "relu_dx", lambda dy, y: right(dy, y) * 1.001)
    assert main(command) == 1
    assert main(arguments) == 0  # on the host nothing is wrong


@needs_gpu
@pytest.mark.parametrize("arguments", [["--bugs"], ["relu", "--plot", "x.png"], ["homework.py:f", "--like", "relu"]])
def test_a_backend_that_would_not_be_used_is_refused(arguments, capsys):
    assert main([*arguments, "--backend", "cupy"]) == 2
    assert "are for NumPy" in capsys.readouterr().err


@pytest.mark.skipif(cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("arguments", [[], ["--paths"], ["--bugs"], ["relu", "--seeds", "1"]])
def test_without_a_gpu_one_line_says_what_to_install(arguments, capsys):
    assert main([*arguments, "--backend", "cupy"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("minires.gradcheck: --backend cupy: it needs CuPy")
    assert err.count("\n") == 1
