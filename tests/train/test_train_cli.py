"""python -m minires.train, as a user sees it."""

import os
import re
import subprocess
import sys
from dataclasses import fields

import pytest
from backends import GPUS

from minires import kernels, models, train
from minires.errors import GraphError
from minires.storage import load_checkpoint
from minires.train import Config, Run
from minires.train.__main__ import main

QUICK = ["--model", "resnet8", "--epochs", "1", "--limit", "64"]


def test_help_names_every_setting_and_its_default(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for f in fields(Config):
        assert "--" + f.name.replace("_", "-") in text
        assert f.metadata["help"].split(" (default")[0].split(",")[0] in text
    assert "(default: 0.1 for sgd" in text


def test_it_ends_with_the_accuracy_and_the_files(tmp_path, capsys):
    assert main([*QUICK, "--out", str(tmp_path / "run")]) == 0
    last = capsys.readouterr().out.splitlines()[-4:]
    assert last[0].startswith("test accuracy ")
    for line, name in zip(last[1:], ("checkpoint.safetensors", "log.csv", "curves.png"), strict=True):
        assert line.endswith(str(tmp_path / "run" / name))
        assert (tmp_path / "run" / name).stat().st_size > 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "resnet21"], "did you mean resnet"),
        (["--batch-size", "100000"], "batch"),
        (["--batch-size", "0"], "batch_size must be at least 1"),
        (["--epochs", "-1"], "epochs must be at least 0, got -1"),
        (["--epochs", "9999999999999"], "epochs must be at most 1000000, got 9999999999999"),
        (["--lr", "-1"], "lr must be at least 0, got -1.0"),
        (["--lr", "nan"], "lr must be a finite number, got nan"),
        (["--lr", "inf"], "lr must be a finite number, got inf"),
        (["--weight-decay", "-1"], "weight_decay must be at least 0"),
        (["--weight-decay", "inf"], "weight_decay must be a finite number, got inf"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--limit", "-1"], "limit must be at least 0, got -1"),
        (["--threads", "100000"], "threads must be at most 1024, got 100000"),
        (["--processes", "1000"], "processes must be at most 256, got 1000"),
        (["--device", "cpu:0"], "device must be 'cpu', 'cuda' or 'cuda:N', got 'cpu:0'"),
        (["--batch-size", "1", "--model", "resnet18"], "cannot train on one image of (1, 8, 8) at a time"),
        (["--out", "x" * 300], "File name too long"),
        (["--dataset", "no/such/folder"], "no/such/folder"),
        (["--dataset", "cifar10", "--data", "no/such/folder"], "no/such/folder"),
        (["--device", "gpu"], "device must be"),
        (["--resume"], "no run to resume"),
        (["--resume", "--out", "nowhere"], "no run to resume in nowhere"),
    ],
)
def test_a_mistake_costs_one_line_and_exit_status_2(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert main(flags) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("minires.train: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out", ""], "argument --out: it is empty; leave the flag out to have the default"),
        (["--dataset", ""], "argument --dataset: it is empty"),
        (["--device", ""], "argument --device: it is empty"),
        (["--lr", "fast"], "argument --lr: it must be a number, got 'fast'"),
        (["--epochs", "1.5"], "argument --epochs: it must be a whole number, got '1.5'"),
        (["--schedule", "step"], "argument --schedule: invalid choice: 'step'"),
        (["--wieght-decay", "1"], "unrecognized arguments: --wieght-decay 1; did you mean --weight-decay?"),
        (["digits"], "unrecognized arguments: digits"),
    ],
)
def test_a_slip_in_a_flag_costs_one_line_and_exit_status_2(capsys, flags, message):
    with pytest.raises(SystemExit) as ended:
        main(flags)
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith(f"minires.train: {message}")
    assert err.endswith("; see python -m minires.train --help\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize(
    ("flags", "message"), [(["--device", "cuda:9"], "numbered from 0"), (["--processes", "2"], "use one process")]
)
def test_a_mistake_costs_one_line_on_a_gpu_too(place, monkeypatch, tmp_path, capsys, flags, message):
    test_a_mistake_costs_one_line_and_exit_status_2(
        tmp_path, monkeypatch, capsys, ["--device", place.device, *flags], message
    )


def test_the_number_of_threads_is_set(tmp_path):
    before = kernels.get_num_threads()
    try:
        assert main([*QUICK, "--threads", "1", "--out", str(tmp_path / "run")]) == 0
        assert kernels.get_num_threads() == 1
    finally:
        kernels.set_num_threads(before)


def test_zero_epochs_save_the_untrained_network(tmp_path, capsys):
    assert main(["--model", "resnet8", "--epochs", "0", "--limit", "64", "--out", str(tmp_path / "run")]) == 0
    assert "untrained network" in capsys.readouterr().out
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()


def test_without_matplotlib_the_run_is_saved_and_its_result_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([*QUICK, "--out", str(tmp_path / "run")]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("minires.train: the curves are not drawn: drawing needs matplotlib")
    assert "test accuracy" in out
    assert (tmp_path / "run" / "log.csv").exists()


@pytest.mark.skipif(os.name == "nt", reason="terminals are POSIX's")
def test_bar_and_lines_fit_80_columns(tmp_path):
    import fcntl
    import pty
    import struct
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "minires.train",
            "--model",
            "resnet8",
            "--epochs",
            "2",
            "--out",
            "run",
            "--processes",
            "1",
        ],
        cwd=tmp_path,
        stdout=theirs,
        stderr=theirs,
        text=True,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        shown += part
    assert process.wait(timeout=60) == 0
    os.close(ours)
    text = shown.decode().replace("\x1b[A", "")
    lines = text.replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= 80, max(lines, key=len)
    bars = [line for line in lines if "loss" in line and "|" in line]
    assert bars, text
    for bar in bars:
        assert re.fullmatch(
            r"epoch \d/2: +\d+%\|.{10,}\| \d\d:\d\d<\d\d:\d\d +[\d.?]+img/s, loss \d\.\d{3}, acc \d+%", bar
        ), bar


def test_help_and_models_fit_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80, max(text.splitlines(), key=len)
    for word in ("examples:", "python -m minires lists the other", "exit status: 0 done, 2 ", "130 stopped and saved"):
        assert word in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_console_without_the_letters_of_a_folder_loses_nothing(tmp_path, encoding):
    from PIL import Image

    for name in ("가", "∂"):
        (tmp_path / "그림" / name).mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (8, 8), (i, i, 40 * i)).save(tmp_path / "그림" / name / f"{i}.png")
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "minires.train",
            "--model",
            "resnet8",
            "--dataset",
            "그림",
            "--epochs",
            "1",
            "--batch-size",
            "2",
            "--limit",
            "4",
        ],
        cwd=tmp_path,
        capture_output=True,
        timeout=100,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert found.returncode == 0, found.stderr
    assert b"runs/??-resnet8" in found.stdout
    assert load_checkpoint(tmp_path / "runs" / "그림-resnet8" / "checkpoint.safetensors")[1]["dataset"]["classes"] == [
        "∂",
        "가",
    ]


def test_a_last_batch_of_one_image_is_left_out_where_the_network_cannot_train_on_it(tmp_path, capsys):
    """resnet18 makes 1×1 feature maps of digits, where batch norm has one value a channel; resnet8 does not."""
    settings = {"epochs": 1, "limit": 17, "batch_size": 16, "processes": 1}
    small = Run.start(Config(model="resnet8", **settings, out=str(tmp_path / "small")))
    assert len(small.loader) == 2
    small.close()
    history = train.run(Config(model="resnet18", **settings, out=str(tmp_path / "run")))
    assert [row["step"] for row in history] == [1]
    assert "the last image of each epoch is left out" in capsys.readouterr().out
    assert len(Run(Config(model="resnet18", **{**settings, "limit": 18})).loader) == 2


def test_the_trial_of_one_image_changes_nothing(tmp_path, monkeypatch):
    run = Run(Config(model="resnet8", limit=17, batch_size=16))
    other = models.create("resnet8", in_channels=1, rng=0)
    for name, array in other.state_dict().items():
        assert run.model.state_dict()[name].tobytes() == array.tobytes()


def test_run_is_the_command_as_a_function(tmp_path, capsys):
    history = train.run(Config(model="resnet8", epochs=2, limit=64, out=str(tmp_path / "run")))
    assert [row["epoch"] for row in history] == [1, 2]
    assert (tmp_path / "run" / "curves.png").exists()
    assert capsys.readouterr().out.count("images/s") == 2


def test_only_a_loss_that_is_not_finite_advises_a_smaller_rate(tmp_path, monkeypatch):
    run = Run.start(Config(model="resnet8", limit=64, processes=1, out=str(tmp_path / "run")))

    def fault(*args):
        raise GraphError("something else")

    monkeypatch.setattr(run.optimizer, "step", fault)
    with pytest.raises(GraphError, match=r"^something else$"):
        run.fit()


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    run = Run.start(Config(model="resnet8", limit=64, processes=1, out=str(tmp_path / "run")))
    run.fit(stop=lambda: True)
    before = run.checkpoint_path.read_bytes()
    run.model.conv1.weight.data[0, 0, 0, 0] = float("inf")
    with pytest.raises(GraphError, match=r"model/conv1\.weight holds NaN or infinite numbers at step 1 .* --lr"):
        run.save()
    assert run.checkpoint_path.read_bytes() == before
