"""python -m minires.probes, as a person meets it."""

import sys

import pytest

from minires.console import OutputError
from minires.probes.__main__ import main


def test_it_prints_the_norms_and_draws_them(tmp_path, capsys):
    assert main(["--depths", "20", "20", "--batch-size", "8", "--out", str(tmp_path / "g.png")]) == 0
    first, second, last = capsys.readouterr().out.splitlines()
    assert first.startswith("plain20    first block ")
    assert second.startswith("resnet20   first block ")
    assert max(len(first), len(second)) <= 80
    assert last == str(tmp_path / "g.png")
    assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--depths", "0"], "argument --depths: there are networks of 8 14 18 20 32 34 44 56 110 layers, got '0'"),
        (
            ["--depths", "20", "21"],
            "argument --depths: there are networks of 8 14 18 20 32 34 44 56 110 layers, got '21'",
        ),
        (["--seed", "-1"], "argument --seed: it must be at least 0, got -1"),
        (["--batch-size", "0"], "argument --batch-size: it must be at least 1, got 0"),
        (["--batch-size", "many"], "argument --batch-size: it must be a whole number, got 'many'"),
        (["--out", ""], "argument --out: it is empty"),
        (["--depths", "20", "--seeds", "1"], "unrecognized arguments: --seeds 1; did you mean --seed"),
    ],
)
def test_a_slip_costs_one_line_and_status_2(capsys, flags, message):
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"minires.probes: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("file/g.png", "file/g.png: Not a directory"),
        ("g.gif", "g.gif: a figure can be png, svg, pdf, jpg, jpeg or webp"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_named_before_the_work(tmp_path, monkeypatch, capsys, out, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("minires.probes.__main__.gradient_norms", lambda *args: pytest.fail("it measures"))
    assert main(["--depths", "20", "--batch-size", "4", "--out", out]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"minires.probes: {message}")
    assert err.count("\n") == 1


def test_without_matplotlib_it_is_said_before_the_work(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("minires.probes: drawing needs matplotlib")


def test_an_output_that_has_gone_costs_no_figure(tmp_path, monkeypatch, capsys):
    def gone(*args, **kwargs):
        raise OutputError("standard output cannot be written: Broken pipe")

    monkeypatch.setattr("builtins.print", gone)
    with monkeypatch.context() as patch:
        patch.setattr("minires.console.process.say", lambda name, message: said.append(message))
        said = []
        assert main(["--depths", "20", "--batch-size", "4", "--out", str(tmp_path / "g.png")]) == 2
    assert said == ["standard output cannot be written: Broken pipe"]
    assert (tmp_path / "g.png").exists()


def test_help_fits_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "exit status: 0 done, 2 " in text
