"""python -m minires.train, as a person meets it."""

import os
import re
import subprocess
import sys
import time
from dataclasses import fields

import pytest
from backends import GPUS

from minires import kernels, models, train
from minires.console import SIGNALS
from minires.errors import GraphError, OptionError
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
    assert "(default: 0.1)" in text


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
        (["--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
        (["--epochs", "1.5"], "argument --epochs: invalid int value: '1.5'"),
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
    assert err.startswith(f"python -m minires.train: {message}")
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
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoint.safetensors", "log.csv"]


def test_without_matplotlib_the_run_is_saved_and_its_result_shown(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main([*QUICK, "--out", str(tmp_path / "run")]) == 2
    out, err = capsys.readouterr()
    assert err.startswith("minires.train: the curves are not drawn: drawing needs matplotlib")
    assert "test accuracy" in out
    assert (tmp_path / "run" / "log.csv").exists()


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
    """It is noticed with the first line: with /dev/full before the first step, in a pipe after the first epoch."""
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
        for _ in range(2):
            take.readline()  # the heading
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


def test_a_last_batch_of_one_image_is_left_out_where_the_network_cannot_train_on_it(tmp_path, capsys):
    """resnet18 makes maps of 1×1 of digits, where batch norm has one value a channel; resnet8 does not."""
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
        "checkpoint.safetensors",
        "curves.png",
        "log.csv",
    ]
