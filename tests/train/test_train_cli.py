"""python -m minires.train, as a person meets it."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import fields

import pytest
from backends import GPUS

from minires import kernels
from minires.train import Config
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
    assert "(default: 0.1)" in text


def test_it_ends_with_the_accuracy_and_the_files(tmp_path, capsys):
    assert main([*QUICK, "--out", str(tmp_path / "run")]) == 0
    last = capsys.readouterr().out.splitlines()[-4:]
    assert last[0].startswith("test accuracy ")
    for line, name in zip(last[1:], ("checkpoint.safetensors", "log.csv", "curves.png"), strict=True):
        assert line.endswith(str(tmp_path / "run" / name))
        assert (tmp_path / "run" / name).stat().st_size > 0


@pytest.mark.parametrize(("flags", "message"), [
    (["--model", "resnet21"], "did you mean resnet"),
    (["--batch-size", "100000"], "batch"),
    (["--batch-size", "0"], "batch_size must be at least 1"),
    (["--epochs", "-1"], "epochs must be at least 0, got -1"),
    (["--lr", "-1"], "lr"),
    (["--lr", "nan"], "lr"),
    (["--weight-decay", "-1"], "weight_decay"),
    (["--dataset", "no/such/folder"], "no/such/folder"),
    (["--dataset", "cifar10", "--data", "no/such/folder"], "no/such/folder"),
    (["--device", "gpu"], "device must be"),
    (["--resume"], "no run to resume"),
    (["--resume", "--out", "nowhere"], "no run to resume in nowhere"),
])
def test_a_mistake_costs_one_line_and_exit_status_2(tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert main(flags) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("minires.train: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", GPUS)
@pytest.mark.parametrize(("flags", "message"), [(["--device", "cuda:9"], "numbered from 0"), (["--processes", "2"], "use one process")])
def test_a_mistake_costs_one_line_on_a_gpu_too(place, monkeypatch, tmp_path, capsys, flags, message):
    test_a_mistake_costs_one_line_and_exit_status_2(tmp_path, monkeypatch, capsys, ["--device", place.device, *flags], message)


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


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, number):
    command = [sys.executable, "-m", "minires.train", "--model", "resnet8", "--epochs", "500", "--out", "run"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "log.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert out.splitlines()[-1] == ("stopped and saved; go on with: python -m minires.train --resume --out run")

    before = (tmp_path / "run" / "checkpoint.safetensors").stat().st_mtime_ns
    process = subprocess.Popen([sys.executable, "-m", "minires.train", "--resume", "--out", "run"], cwd=tmp_path,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while (tmp_path / "run" / "checkpoint.safetensors").stat().st_mtime_ns == before and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "resumed at epoch" in out
