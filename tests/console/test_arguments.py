"""A mistake in what is typed is one line."""

import subprocess
import sys

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


@pytest.mark.parametrize(("flag", "status"), [("--help", 0), ("--no-such-flag", 2)])
def test_a_process_ends_with_the_status_of_its_parser(flag, status):
    said = subprocess.run([sys.executable, "-m", "minires.train", flag], capture_output=True, text=True)
    assert said.returncode == status
    assert "Traceback" not in said.stderr
