"""The table of fixed columns that consoles print."""

import sys

from minires.console import Table, verdict


def test_numbers_are_flushed_right_and_headings_printed_once(capsys):
    table = Table({"op": 6, "error": -5})
    table.row("relu", 1.5)
    table.row("add", 12, passed=True)
    table.row("sub", 3, passed=False)
    assert capsys.readouterr().out == "op      error\nrelu      1.5\nadd        12  ok\nsub         3  FAILED\n"


def test_a_long_first_cell_has_its_own_line_and_others_are_cut(capsys):
    Table({"op": 4, "why": 5}).row("conv2d", "too long")
    assert capsys.readouterr().out == "op    why\nconv2d\n      too …\n"


def test_a_quiet_table_prints_nothing(capsys):
    Table({"op": 4}, quiet=True).row("add")
    assert capsys.readouterr().out == ""


def test_only_a_person_at_a_terminal_sees_colors(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert verdict(True) == "ok"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert verdict(False) == "\033[31mFAILED\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert verdict(False) == "FAILED"


def test_a_first_cell_of_just_the_width_stays_in_its_row(capsys):
    Table({"op": 4, "why": 5}).row("relu", "fine")
    assert capsys.readouterr().out == "op    why\nrelu  fine\n"
