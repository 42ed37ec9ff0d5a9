"""A mistake in what is typed is one line."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from minires import console


def test_a_mistyped_flag_costs_one_line_with_the_flag_that_was_meant(capsys):
    parser = console.Parser(prog="me")
    parser.add_argument("--weight-decay", type=float)
    for flags, line in (
        (
            ["--wieght-decay", "1"],
            "me: unrecognized arguments: --wieght-decay 1; did you mean --weight-decay?; see me --help\n",
        ),
        (["--weight-decay", "x"], "me: argument --weight-decay: invalid float value: 'x'; see me --help\n"),
    ):
        with pytest.raises(SystemExit) as ended:
            parser.parse_args(flags)
        assert ended.value.code == 2
        assert capsys.readouterr().err == line


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("minires.gradcheck", ["relu", "--plot"]),
        ("minires.gradcheck", ["work.py:relu", "--json"]),
        ("minires.gradcheck", ["work.py:relu", "--csv"]),
        ("minires.gradcheck", ["work.py:relu", "--gradescope"]),
        ("minires.probes", ["--out"]),
        ("minires.summary", ["resnet8", "--csv"]),
        ("minires.summary", ["resnet8", "--json"]),
        ("minires.gpucheck", ["--json"]),
        ("benchmarks", ["--json"]),
        ("benchmarks", ["--plot"]),
    ],
)
def test_a_file_in_a_folder_that_is_missing_is_refused_and_no_folder_is_made(
    tmp_path, monkeypatch, capsys, command, flags
):
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # benchmarks/ is no part of the installed package
    main = import_module(f"{command}.__main__").main
    with pytest.raises(SystemExit) as ended:
        main([*flags, str(tmp_path / "nope" / "x.png")])
    assert ended.value.code == 2
    assert f"argument {flags[-1]}: there is no folder {tmp_path / 'nope'}; see " in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("flag", "status"), [("--help", 0), ("--no-such-flag", 2)])
def test_a_process_ends_with_the_status_of_its_parser(flag, status):
    said = subprocess.run([sys.executable, "-m", "minires.train", flag], capture_output=True, text=True)
    assert said.returncode == status
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (["--wieghts", "a"], "me: unrecognized arguments: --wieghts; did you mean --weights?; see me --help\n"),
        (["--wieghts=a"], "me: unrecognized arguments: --wieghts; did you mean --weights?; see me --help\n"),
        (["--seed", "1"], "me: the following arguments are required: --weights; see me --help\n"),
        (["--", "--wieghts"], "me: the following arguments are required: --weights; see me --help\n"),
    ],
)
def test_a_required_flag_that_is_misspelt_is_not_called_missing(given, line, capsys):
    parser = console.Parser(prog="me")
    parser.add_argument("--weights", required=True)
    parser.add_argument("--seed")
    parser.add_argument("more", nargs="*")
    with pytest.raises(SystemExit):
        parser.parse_args(given)
    assert capsys.readouterr().err == line
