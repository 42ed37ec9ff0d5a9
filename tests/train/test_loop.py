"""The training loop: what it writes, and that stopping and resuming changes no bit."""

import csv
import math
import os
import signal

import numpy as np
import pytest
from backends import GPUS, host

from minires import models
from minires.errors import CheckpointError, GraphError, OptionError
from minires.parallel import why_not
from minires.parallel.process import Other
from minires.storage import load_checkpoint
from minires.train import Config, Run

SMALL = {"model": "resnet8", "epochs": 2, "limit": 96, "batch_size": 32}


def trained(tmp_path, name="run", **settings):
    run = Run.start(Config(**{**SMALL, "out": str(tmp_path / name), **settings}))
    assert run.go()
    return run


def bits(run):
    return {name: host(value).tobytes() for name, value in
            {**run.model.state_dict(), **{f"optimizer {k}": v for k, v in run.optimizer.state_dict().items()}}.items()}


def test_a_run_writes_checkpoint_log_and_curves(backend, tmp_path):
    run = trained(tmp_path, device=backend.device)
    run.draw()
    assert run.curves_path.read_bytes().startswith(b"\x89PNG")
    rows = list(csv.DictReader(run.log_path.read_text().splitlines()))
    assert [int(row["epoch"]) for row in rows] == [1, 2]
    assert int(rows[-1]["step"]) == run.step == 6
    assert float(rows[-1]["test_accuracy"]) == run.history[-1]["test_accuracy"]
    sections, state = load_checkpoint(run.checkpoint_path)
    assert sections["model"].keys() == run.model.state_dict().keys()
    assert state["epoch"] == 2
    assert sorted(path.name for path in run.folder.iterdir()) == ["checkpoint.safetensors", "curves.png", "log.csv"]


def test_same_seed_same_bits_and_another_seed_others(backend, tmp_path):
    first, second, third = (trained(tmp_path, f"{i}", seed=seed, epochs=1, device=backend.device) for i, seed in enumerate((0, 0, 1)))
    assert bits(first) == bits(second)
    assert bits(first) != bits(third)


@pytest.mark.parametrize("steps", [1, 3, 4, 6])  # inside an epoch, at its end, in the next, at the very end
def test_a_stopped_run_resumes_to_the_bits_of_an_uninterrupted_one(backend, tmp_path, steps):
    whole = trained(tmp_path, "whole", device=backend.device)
    run = Run.start(Config(**SMALL, out=str(tmp_path / "stopped"), device=backend.device))
    assert not run.go(stop=lambda: run.step >= steps)
    resumed = Run.resume(tmp_path / "stopped")
    assert resumed.step == steps
    assert resumed.go()
    assert bits(resumed) == bits(whole)
    timing = ("images_per_second", "seconds")
    for a, b in zip(resumed.history, whole.history, strict=True):
        assert {k: v for k, v in a.items() if k not in timing} == {k: v for k, v in b.items() if k not in timing}


def test_a_run_killed_between_checkpoints_repeats_its_steps_to_the_same_bits(tmp_path):
    class Killed(BaseException):
        pass

    def kill(run, pictures):
        if run.step == 5:
            raise Killed
    run = Run.start(Config(**SMALL, out=str(tmp_path / "killed")))
    with pytest.raises(Killed):
        run.go(on_step=kill)
    resumed = Run.resume(tmp_path / "killed")
    assert resumed.step == 3  # the end of the first epoch
    assert resumed.go()
    assert bits(resumed) == bits(trained(tmp_path, "whole"))


@pytest.mark.parametrize("place", GPUS)
def test_a_run_starts_from_the_same_bits_on_a_gpu_and_goes_the_same_way(tmp_path, place):
    """Weights, order and augmentation are drawn on the host; after three steps rounding has told."""
    here, there = (Run.start(Config(**SMALL, out=str(tmp_path / device), device=device, threads=1, processes=1))
                   for device in ("cpu", place.device))
    assert bits(here) == bits(there)
    for run in (here, there):
        run.go(stop=lambda run=run: run.step >= 3)
    assert there.progress()[0] == pytest.approx(here.progress()[0], rel=1e-4)
    for (name, a), b in zip(here.model.state_dict().items(), there.model.state_dict().values(), strict=True):
        np.testing.assert_allclose(host(b), a, atol=2e-3, err_msg=name)


@pytest.mark.parametrize("change", [{"lr": 0.05}, {"schedule": "cosine"}, {"schedule": "multistep"},
                                    {"schedule": "constant"}, {"weight_decay": 0.1}, {"augment": False}, {"seed": 5},
                                    {"batch_size": 24}, {"limit": 64}, {"model": "plain8"}], ids=str)
def test_every_setting_has_an_effect(tmp_path, change):
    assert bits(trained(tmp_path, "a", epochs=1)) != bits(trained(tmp_path, "b", **{"epochs": 1, **change}))


def test_a_loss_that_is_not_finite_names_the_step_and_leaves_the_checkpoint(backend, tmp_path):
    """A GPU is not waited for: there it is noticed when the numbers are read, here at the end of the epoch."""
    run = Run.start(Config(**SMALL, out=str(tmp_path / "run"), device=backend.device))

    def poison(run, pictures):
        if run.step == 4:
            run.model.conv1.weight.data[0, 0, 0, 0] = math.nan
    at = r"4 \(epoch 2, batch 2" if backend.device == "cpu" else r"6 \(epoch 2, batch 4"
    with pytest.raises(GraphError, match=rf"nan at step {at}, learning rate .*--lr"):
        run.go(on_step=poison)
    assert Run.resume(tmp_path / "run").step == 3


def test_a_new_run_does_not_overwrite_an_old_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [trained(tmp_path, out="", epochs=1, limit=32).folder for _ in range(2)]
    assert [str(folder) for folder in folders] == ["runs/digits-resnet8", "runs/digits-resnet8-2"]
    with pytest.raises(OptionError, match="holds a run already; go on with it by --resume"):
        Run.start(Config(**SMALL, out="runs/digits-resnet8"))


def test_resuming_with_a_contradicting_setting_is_refused(tmp_path):
    trained(tmp_path, epochs=1)
    with pytest.raises(OptionError, match=r"made with --lr 0\.1, not 0\.2"):
        Run.resume(tmp_path / "run", {"lr": 0.2})
    assert Run.resume(tmp_path / "run", {"lr": 0.1, "threads": 1}).config.threads == 1


def test_a_flipped_byte_in_a_checkpoint_is_noticed(tmp_path):
    run = trained(tmp_path, epochs=1, limit=32)
    content = bytearray(run.checkpoint_path.read_bytes())
    content[len(content) // 2] ^= 1
    run.checkpoint_path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors"):
        Run.resume(run.folder)


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path):
    with pytest.raises(CheckpointError, match="no run to resume"):
        Run.resume(tmp_path)


def test_dropout_state_is_part_of_a_checkpoint(tmp_path, monkeypatch):
    from minires.nn import Dropout, Sequential

    def with_dropout(name, *, rng, **options):
        return Sequential(create(name, rng=rng, **options), Dropout(0.2, rng=rng))
    create = models.create
    monkeypatch.setattr(models, "create", with_dropout)
    whole = trained(tmp_path, "whole")
    run = Run.start(Config(**SMALL, out=str(tmp_path / "stopped")))
    run.go(stop=lambda: run.step >= 2)
    resumed = Run.resume(tmp_path / "stopped")
    resumed.go()
    assert bits(resumed) == bits(whole)


def test_float32_stays_float32_through_training(tmp_path):
    run = trained(tmp_path, epochs=1)
    arrays = {**run.model.state_dict(), **run.optimizer.state_dict()}
    assert {a.dtype for name, a in arrays.items() if np.asarray(a).dtype.kind == "f"
            and not name.startswith("group.")} == {np.dtype(np.float32)}  # an optimiser's settings are Python's floats


@pytest.mark.skipif(why_not(models.resnet8()) != "", reason="one process only")
@pytest.mark.parametrize("work", ["gradients", "answers"])
def test_a_process_that_is_killed_is_told_and_costs_no_step(tmp_path, monkeypatch, work):
    """What is left goes on alone, from the network of before the batch: the same numbers up to rounding."""
    alone = trained(tmp_path, "alone", processes=1)
    run, notices = Run.start(Config(**SMALL, out=str(tmp_path / "run"), processes=2)), []
    send = Other.send

    def and_kill(other, order):
        send(other, order)
        if order[0] == work and run.step >= 3:
            os.kill(other.process.pid, signal.SIGKILL)
    monkeypatch.setattr(Other, "send", and_kill)
    assert run.go(on_notice=notices.append)
    assert notices == ["minires replica 1 was ended by SIGKILL, as Linux does where memory runs out; this process goes on "
                       "alone"]
    assert run.replicas.n == 1
    for a, b in zip(run.history, alone.history, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-3)
        assert a["step"] == b["step"]


def test_a_log_that_cannot_be_written_costs_no_checkpoint(tmp_path):
    run, notices = Run.start(Config(**SMALL, out=str(tmp_path / "run"), processes=1)), []
    (run.folder / "log.csv").mkdir()
    assert run.go(on_notice=notices.append)
    assert set(notices) == {f"the checkpoint is saved, its log is not: {run.folder / 'log.csv'}: Is a directory"}
    assert Run.resume(run.folder).finished
