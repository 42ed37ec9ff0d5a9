"""python -m minires.summary, as a person meets it."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest

from minires import models
from minires.summary import Row, summary
from minires.summary.__main__ import main


def printed(capsys, *arguments):
    assert main(list(arguments)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    return out


def test_it_prints_stages_and_blocks_of_the_network(capsys):
    assert printed(capsys, "resnet20") == f"{summary(models.resnet20(rng=0), (1, 3, 32, 32))}\n"


def test_the_image_has_the_size_that_the_network_is_made_for(capsys):
    assert "multiply-adds for an input of 1×3×224×224\n" in printed(capsys, "ResNet-18")
    assert "multiply-adds for an input of 1×1×32×32\n" in printed(capsys, "resnet8", "--options", "in_channels=1")
    assert "multiply-adds for an input of 2×3×8×9\n" in printed(capsys, "resnet8", "--input", "2,3,8,9")


def test_options_and_depth_are_heeded(capsys):
    out = printed(capsys, "resnet8", "--options", "shortcut='B', num_classes=7", "--depth", "3")
    assert "    downsample  Sequential " in out
    assert "1×7  " in out
    assert "\n  0  " not in printed(capsys, "resnet8", "--depth", "1")


def test_without_a_name_it_lists_the_networks_and_how_they_are_made(capsys):
    lines = printed(capsys).splitlines()
    assert [line.split()[0] for line in lines] == models.names()
    assert "resnet50 ResNet(Bottleneck, (3, 4, 6, 3))" in [" ".join(line.split()) for line in lines]
    assert len({line.index(line.split()[1], len(line.split()[0])) for line in lines}) == 1
    assert max(map(len, lines)) <= 80


def test_csv_has_a_line_for_each_row(capsys, tmp_path):
    found = list(csv.reader(io.StringIO(printed(capsys, "resnet8", "--csv", "-"))))
    table = summary(models.resnet8(rng=0), (1, 3, 32, 32))
    assert found[0] == list(Row._fields)
    conv1 = ["conv1", "Conv2d 3×3", "1", "1×16×32×32", "432", str(432 * 32 * 32), "", "3", "1", "-1", "False", ""]
    assert found[1] == conv1
    assert len(found) == 1 + len(table.rows)
    file = tmp_path / "rows.csv"
    assert printed(capsys, "resnet8", "--csv", str(file)) == f"{table}\n"
    assert list(csv.reader(io.StringIO(file.read_text(encoding="utf-8")))) == found


def test_json_has_rows_and_totals(capsys, tmp_path):
    found = json.loads(printed(capsys, "resnet8", "--json", "-"))
    table = summary(models.resnet8(rng=0), (1, 3, 32, 32))
    assert found["input_size"] == [[1, 3, 32, 32]]
    for name in ("parameters", "trainable_parameters", "buffers", "multiply_adds"):
        assert found[name] == getattr(table, name) > 0
    assert [tuple(row["output_size"]) for row in found["rows"]] == [row.output_size for row in table.rows]
    assert list(found["rows"][0]) == list(Row._fields)
    files = tmp_path / "rows.json", tmp_path / "rows.csv"
    assert printed(capsys, "resnet8", "--json", str(files[0]), "--csv", str(files[1])) == f"{table}\n"
    assert json.loads(files[0].read_text(encoding="utf-8")) == found
    assert files[1].exists()


def test_several_networks_have_a_line_each(capsys, tmp_path):
    lines = printed(capsys, "resnet34", "plain34", "--json", str(tmp_path / "both.json")).splitlines()
    assert lines[1].split() == ["resnet34", "21,797,672", "3,663,761,408", "899", "32"]
    assert lines[2].split()[:2] == ["plain34", "21,623,848"]
    found = json.loads((tmp_path / "both.json").read_text(encoding="utf-8"))["networks"]
    assert found["resnet34"]["parameters"] == 21_797_672
    rows = list(csv.DictReader(io.StringIO(printed(capsys, "resnet8", "resnet14", "--csv", "-"))))
    assert [(row["model"], row["parameters"]) for row in rows] == [("resnet8", "75290"), ("resnet14", "172506")]


def test_memory_and_receptive_fields_are_columns_within_100_characters(capsys):
    lines = printed(capsys, "se_resnet20", "--memory", "--receptive-field", "--depth", "3").splitlines()
    assert lines[0].split() == ["layer", "output", "sees", "stride", "start", "kept"]
    assert max(map(len, lines)) <= 100
    conv1 = json.loads(printed(capsys, "resnet8", "--memory", "--json", "-"))["rows"][0]
    assert (conv1["field_size"], conv1["field_start"], conv1["sees_all"]) == ([3, 3], [-1, -1], False)
    assert "kept" in printed(capsys, "resnet8", "resnet14", "--memory").splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet5"], "there is no model 'resnet5'; did you mean resnet"),
        (["lenet"], "there is no model 'lenet'; did you mean"),
        (["resnet20", "--input", "1,4,8,8"], "--input 1,4,8,8 does not fit resnet20: conv2d: x has 4 channels"),
        (["resnet20", "--options", "depth=3"], "--options: resnet20: there is no option 'depth'; it takes num_classes"),
        (["resnet20", "--options", "depth"], "model_options are written as in \"shortcut='B', zero_init_residual=True\""),
        (["resnet20", "--options", "num_classes=0"], "CifarResNet: num_classes must be at least 1, got 0"),
        (["--table1", "resnet20"], "--table1 has networks of its own; leave resnet20 out"),
        (["--table1", "--depth", "3"], "--table1 has networks of its own; leave --depth out"),
        (["--csv", "x.csv"], "--csv goes with a network; name one, such as resnet50"),
        (["--input", "1,3,8,8"], "--input goes with a network; name one, such as resnet50"),
        (["--memory"], "--memory goes with a network; name one, such as resnet50"),
        (["--table1", "--receptive-field"], "--table1 has networks of its own; leave --receptive-field out"),
        (["resnet8", "resnet14", "--depth", "3"], "--depth goes with one network; several networks have a line each"),
        (["resnet8", "--csv", "-", "--json", "-"], "--csv - and --json - print both; leave one of them out"),
        (["resnet8", "--csv", "."], ".: Is a directory"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line_and_status_2(capsys, arguments, message):
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"minires.summary: {message}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--input", "3,224,224"], "argument --input: it must be N,C,H,W, such as 1,3,224,224, got '3,224,224'"),
        (["--input", "1,3,0,8"], "argument --input: it must be N,C,H,W, such as 1,3,224,224, got '1,3,0,8'"),
        (["--input", "1x3x8x8"], "argument --input: it must be N,C,H,W, such as 1,3,224,224, got '1x3x8x8'"),
        (["--depth", "0"], "argument --depth: it must be at least 1, got 0"),
        (["--options", ""], "argument --options: it is empty"),
        (["--tabel1"], "unrecognized arguments: --tabel1; did you mean --table1?"),
    ],
)
def test_a_slip_costs_one_line(capsys, flags, message):
    with pytest.raises(SystemExit) as ended:
        main(["resnet8", *flags])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"minires.summary: {message}")
    assert err.count("\n") == 1


def test_an_image_that_is_too_small_is_named(capsys, monkeypatch):
    from minires import nn

    monkeypatch.setattr("minires.models.create", lambda name, **options: nn.Conv2d(3, 4, 5, rng=0))
    assert main(["resnet8", "--input", "1,3,4,4"]) == 2
    assert capsys.readouterr().err.startswith("minires.summary: --input 1,3,4,4 does not fit resnet8: conv2d: ")


def test_a_pipe_may_end_early_and_a_console_may_lack_letters():
    command = [sys.executable, "-m", "minires.summary", "resnet8"]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    found = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    assert (found.returncode, found.stderr) == (0, "")
    assert "1?16?32?32" in found.stdout


def test_help_fits_80_columns_and_says_what_is_counted(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "A multiply-add is one multiplication with its addition." in text
    assert "exit status: 0 done, 2 " in text


def test_table1_is_printed(monkeypatch, capsys):
    monkeypatch.setattr("minires.summary.__main__.table1", lambda: "the table")
    assert printed(capsys, "--table1") == "the table\n"
