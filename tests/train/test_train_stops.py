"""python -m minires.train stops when it is told to, saves, and goes on with --resume."""

import os
import subprocess
import sys
import time

import pytest

from minires.console import SIGNALS
from minires.errors import OptionError
from minires.storage import load_checkpoint
from minires.train import Config, Run
from minires.train.__main__ import main

QUICK = ["--model", "resnet8", "--epochs", "1", "--limit", "64"]


@pytest.mark.skipif(os.name == "nt", reason="signals are sent the POSIX way")
@pytest.mark.parametrize("number", SIGNALS)
def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path, number):
    command = [
        sys.executable,
        "-m",
        "minires.train",
        "--model",
        "resnet8",
        "--epochs",
        "500",
        "--limit",
        "256",
        "--out",
        "run",
    ]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "log.csv").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert err == "minires.train: stopping after this step ...\n"
    assert out.splitlines()[-1] == ("stopped and saved; go on with: python -m minires.train --resume --out run")

    before = (tmp_path / "run" / "checkpoint.safetensors").stat().st_mtime_ns
    process = subprocess.Popen(
        [sys.executable, "-m", "minires.train", "--resume", "--out", "run"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while (tmp_path / "run" / "checkpoint.safetensors").stat().st_mtime_ns == before and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "resumed at epoch" in out


def test_control_c_in_start_up_leaves_one_line_and_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for where in ("minires.models.create", "minires.parallel.Replicas.__enter__"):
        with monkeypatch.context() as patch:
            patch.setattr(where, pressed)
            assert main(QUICK) == 130
    first, second = capsys.readouterr().err.split("\n\n")
    assert first == "\nminires.train: stopped"
    assert second.startswith("minires.train: stopped, and saved at step 0; go on with: ")
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["digits-resnet8"]


def pressed(*args, **kwargs):
    raise KeyboardInterrupt


def test_control_c_while_drawing_loses_the_curves_only(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Run, "draw", pressed)
    assert main([*QUICK, "--out", str(tmp_path / "run")]) == 130
    out, err = capsys.readouterr()
    assert err == "\nminires.train: stopped while drawing; the run is finished and saved\n"
    assert "test accuracy" in out
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint-0.safetensors",
        "checkpoint.safetensors",
        "log.csv",
    ]


def test_a_stop_during_the_evaluation_does_not_wait_for_its_end_and_resumes_to_the_same_bits(tmp_path, monkeypatch):
    settings = {"model": "resnet8", "epochs": 2, "limit": 64, "batch_size": 32, "processes": 1}
    whole = Run.start(Config(**settings, out=str(tmp_path / "whole")))
    assert whole.fit()
    run = Run.start(Config(**settings, out=str(tmp_path / "run")))
    asked = []

    def stop():  # after each of the two steps no, in the evaluation yes
        asked.append(run.step)
        return len(asked) > 2

    monkeypatch.setattr(run.replicas, "predict", lambda images: pytest.fail("it evaluates"))
    assert not run.fit(stop=stop)
    assert (run.epoch, run.batch, run.history) == (0, 2, [])
    resumed = Run.resume(run.folder)
    assert resumed.fit()
    assert [row["test_loss"] for row in resumed.history] == [row["test_loss"] for row in whole.history]
    for name, array in whole.model.state_dict().items():
        assert resumed.model.state_dict()[name].tobytes() == array.tobytes()


@pytest.mark.skipif(os.name == "nt", reason="descriptors are POSIX's")
@pytest.mark.parametrize("output", ["/dev/full", "a reader that leaves"])
def test_an_output_that_cannot_be_written_stops_the_run_saved(tmp_path, output):
    """It is noticed with the first line: with /dev/full before the first step, in a pipe after an epoch."""
    if output == "/dev/full":
        writer = os.open(output, os.O_WRONLY)
        take = None
    else:
        reader, writer = os.pipe()
        take = os.fdopen(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "minires.train", *QUICK[:2], "--epochs", "500", "--limit", "64", "--out", "run"],
        cwd=tmp_path,
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    if take:
        while not take.readline().startswith("epoch"):  # the heading has a line more if the cores are busy
            pass
        take.close()
    err = process.communicate(timeout=60)[1]
    assert process.returncode == 2
    assert err.startswith("minires.train: standard output cannot be written: ")
    assert err.count("\n") == 1
    if take:
        assert "; stopped, and saved at step " in err
        assert load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")[1]["epoch"] >= 1
    else:
        assert err.endswith("; stopped before the first step\n")
        assert list(tmp_path.iterdir()) == []


def test_resume_takes_the_newest_run_that_is_not_finished_and_says_so_of_others(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run = Run.start(Config(model="resnet8", epochs=1, limit=64, out="runs/stopped"))
    run.fit(stop=lambda: True)
    assert main([*QUICK, "--out", "runs/finished"]) == 0
    capsys.readouterr()
    assert main(["--resume"]) == 0
    assert "-> runs/stopped\n" in capsys.readouterr().out
    assert main(["--resume"]) == 2
    assert (
        "all runs in runs/ are finished, runs/stopped as the last; only one with --schedule constant can be made "
        "longer" in capsys.readouterr().err
    )
    assert main([*QUICK, "--schedule", "constant", "--out", "runs/steady"]) == 0
    assert main(["--resume"]) == 2
    assert "to make runs/steady longer: --resume --out runs/steady --epochs N" in capsys.readouterr().err
    assert main(["--resume", "--out", "runs/finished"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("runs/finished is finished, with 1 epoch\n")
    assert "test accuracy" in out


def test_a_run_of_constant_rate_can_be_made_longer_and_is_then_as_if_it_had_always_been(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    flags = ["--model", "resnet8", "--limit", "64", "--schedule", "constant", "--processes", "1"]
    assert main([*flags, "--epochs", "2", "--out", "runs/whole"]) == 0
    assert main([*flags, "--epochs", "1", "--out", "runs/short"]) == 0
    for named in (["--out", "runs/short"], ["runs/short"], ["runs/short", "--out", "runs/short"]):
        assert main(["--resume", *named]) == 0
        assert "runs/short is finished, with 1 epoch; --epochs N makes it longer\n" in capsys.readouterr().out
    assert main(["--resume", "runs/short", "--out", "runs/whole"]) == 2
    assert "--resume runs/short and --out runs/whole name two folders" in capsys.readouterr().err
    assert main(["--resume", "--epochs", "2"]) == 0
    whole, longer = (load_checkpoint(f"runs/{name}/checkpoint.safetensors") for name in ("whole", "short"))
    assert longer[1]["epoch"] == longer[1]["config"]["epochs"] == 2
    for section, arrays in whole[0].items():
        for name, array in arrays.items():
            assert longer[0][section][name].tobytes() == array.tobytes()
    assert main(["--resume", "--out", "runs/short", "--epochs", "1"]) == 2
    assert "--epochs 1: 2 epochs are trained already" in capsys.readouterr().err


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine", "multistep"])
def test_a_schedule_over_the_whole_run_cannot_be_made_longer_and_the_way_is_shown(tmp_path, schedule):
    run = Run.start(Config(model="resnet8", epochs=1, limit=64, schedule=schedule, out=str(tmp_path / "run")))
    run.fit()
    with pytest.raises(
        OptionError,
        match=rf"{schedule} spreads the learning rate over all --epochs, which were 1 at the "
        "start, .* start a new run with --epochs 4, or with --schedule constant",
    ):
        Run.resume(run.folder, {"epochs": 4})


@pytest.mark.skipif(os.name == "nt", reason="processes are killed the POSIX way")
@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.soak)])
def test_runs_killed_at_any_moment_resume_to_the_same_bits(tmp_path, kills):
    command = [sys.executable, "-m", "minires.train", "--processes", "1"]
    flags = ["--model", "resnet8", "--epochs", "6", "--limit", "320"]
    subprocess.run([*command, *flags, "--out", "whole"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    whole = load_checkpoint(tmp_path / "whole" / "checkpoint.safetensors")
    log = tmp_path / "run" / "log.csv"
    for number in range(kills):
        process = subprocess.Popen(
            [*command, "--resume", "--out", "run"] if log.exists() else [*command, *flags, "--out", "run"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = log.stat().st_mtime_ns if log.exists() else None
        deadline = time.monotonic() + 30
        while (
            process.poll() is None
            and time.monotonic() < deadline
            and (not log.exists() or log.stat().st_mtime_ns == before)
        ):
            time.sleep(0.01)
        time.sleep(0.003 * number)
        process.kill()
        process.wait()
    subprocess.run([*command, "--resume", "--out", "run"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    resumed = load_checkpoint(tmp_path / "run" / "checkpoint.safetensors")
    for section, arrays in whole[0].items():
        for name, array in arrays.items():
            assert resumed[0][section][name].tobytes() == array.tobytes()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoint-25.safetensors",
        "checkpoint.safetensors",
        "curves.png",
        "log.csv",
    ]
