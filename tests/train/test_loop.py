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
from minires.parallel import unsupported_reason
from minires.parallel.process import Worker
from minires.storage import load_checkpoint
from minires.train import Config, Run, loop
from minires.train.folder import FolderLock

SMALL = {"model": "resnet8", "epochs": 2, "limit": 96, "batch_size": 32}
ALONE = {**SMALL, "processes": 1}


def trained(tmp_path, name="run", **settings):
    run = Run.start(Config(**{**SMALL, "out": str(tmp_path / name), **settings}))
    assert run.fit()
    return run


def bits(run):
    return {
        name: host(value).tobytes()
        for name, value in {
            **run.model.state_dict(),
            **{f"optimizer {k}": v for k, v in run.optimizer.state_dict().items()},
        }.items()
    }


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
    assert sorted(path.name for path in run.folder.iterdir()) == [
        "checkpoint-3.safetensors",
        "checkpoint.safetensors",
        "curves.png",
        "log.csv",
    ]


def test_same_seed_same_bits_and_another_seed_others(backend, tmp_path):
    first, second, third = (
        trained(tmp_path, f"{i}", seed=seed, epochs=1, device=backend.device) for i, seed in enumerate((0, 0, 1))
    )
    assert bits(first) == bits(second)
    assert bits(first) != bits(third)


@pytest.mark.parametrize("steps", [1, 3, 4, 6])  # inside an epoch, at its end, in the next, at the very end
def test_a_stopped_run_resumes_to_the_bits_of_an_uninterrupted_one(backend, tmp_path, steps):
    whole = trained(tmp_path, "whole", device=backend.device)
    run = Run.start(Config(**SMALL, out=str(tmp_path / "stopped"), device=backend.device))
    assert not run.fit(stop=lambda: run.step >= steps)
    resumed = Run.resume(tmp_path / "stopped")
    assert resumed.step == steps
    assert resumed.fit()
    assert bits(resumed) == bits(whole)
    timing = ("images_per_second", "seconds")
    for a, b in zip(resumed.history, whole.history, strict=True):
        assert {k: v for k, v in a.items() if k not in timing} == {k: v for k, v in b.items() if k not in timing}


def test_a_run_killed_between_checkpoints_repeats_its_steps_to_the_same_bits(tmp_path):
    class Killed(BaseException):
        pass

    def kill(run, images):
        if run.step == 5:
            raise Killed

    run = Run.start(Config(**SMALL, out=str(tmp_path / "killed")))
    with pytest.raises(Killed):
        run.fit(on_step=kill)
    resumed = Run.resume(tmp_path / "killed")
    assert resumed.step == 3  # the end of the first epoch
    assert resumed.fit()
    assert bits(resumed) == bits(trained(tmp_path, "whole"))


@pytest.mark.parametrize("place", GPUS)
def test_a_run_starts_from_the_same_bits_on_a_gpu_and_goes_the_same_way(tmp_path, place):
    """Weights, order and augmentation are drawn on the host; after three steps rounding has told."""
    here, there = (
        Run.start(Config(**SMALL, out=str(tmp_path / device), device=device, threads=1, processes=1))
        for device in ("cpu", place.device)
    )
    assert bits(here) == bits(there)
    for run in (here, there):
        run.fit(stop=lambda run=run: run.step >= 3)
    assert there.progress()[0] == pytest.approx(here.progress()[0], rel=1e-4)
    for (name, a), b in zip(here.model.state_dict().items(), there.model.state_dict().values(), strict=True):
        np.testing.assert_allclose(host(b), a, atol=2e-3, err_msg=name)


@pytest.mark.parametrize(
    "change",
    [
        {"lr": 0.05},
        {"schedule": "cosine"},
        {"schedule": "multistep"},
        {"schedule": "constant"},
        {"weight_decay": 0.1},
        {"augment": False},
        {"seed": 5},
        {"batch_size": 24},
        {"limit": 64},
        {"model": "plain8"},
    ],
    ids=str,
)
def test_every_setting_has_an_effect(tmp_path, change):
    assert bits(trained(tmp_path, "a", epochs=1)) != bits(trained(tmp_path, "b", **{"epochs": 1, **change}))


def test_a_loss_that_is_not_finite_names_the_step_and_leaves_the_checkpoint(backend, tmp_path):
    """A GPU is not waited for: there it is noticed when the numbers are read, here at the end of the epoch."""
    run = Run.start(Config(**SMALL, out=str(tmp_path / "run"), device=backend.device))

    def poison(run, images):
        if run.step == 4:
            run.model.conv1.weight.data[0, 0, 0, 0] = math.nan

    at = r"4 \(epoch 2, batch 2" if backend.device == "cpu" else r"6 \(epoch 2, batch 4"
    with pytest.raises(GraphError, match=rf"nan at step {at}, learning rate .*--lr"):
        run.fit(on_step=poison)
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
    run = trained(tmp_path, epochs=1, limit=32, keep=1)  # with none before it
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
    run.fit(stop=lambda: run.step >= 2)
    resumed = Run.resume(tmp_path / "stopped")
    resumed.fit()
    assert bits(resumed) == bits(whole)


@pytest.mark.parametrize(
    "options",
    [
        "stochastic_depth=0.5",
        "shortcut='dropout'",
        "shortcut='exclusive_gate', order='norm_after_add'",
        "norm=None, zero_init_residual=True",
    ],
)
def test_a_variant_resumes_to_the_same_bits(tmp_path, options):
    """Under stochastic depth a block that was left out so far has no momentum yet, as the checkpoint must show."""
    whole = trained(tmp_path, "whole", model_options=options)
    run = Run.start(Config(**SMALL, model_options=options, out=str(tmp_path / "stopped")))
    run.fit(stop=lambda: run.step >= 1)
    run = Run.resume(tmp_path / "stopped")
    run.fit(stop=lambda: run.step >= 4)
    resumed = Run.resume(tmp_path / "stopped")
    resumed.fit()
    assert bits(resumed) == bits(whole)
    rows = ([{k: v for k, v in row.items() if "second" not in k} for row in r.history] for r in (resumed, whole))
    assert next(rows) == next(rows)


def test_stochastic_depth_leaves_out_other_blocks_in_each_step(tmp_path):
    """The optimizer counts the updates of each parameter, so it shows which blocks were left out."""
    run = trained(tmp_path, epochs=6, model_options="stochastic_depth=1.0", lr=0.01)
    steps = dict(zip((name for name, _ in run.model.named_parameters()), run.optimizer.steps))
    assert steps["layer3.0.conv1.weight"] == 0
    assert 0 < steps["layer2.0.conv1.weight"] < steps["linear.weight"] == run.step == 18


def test_float32_stays_float32_through_training(tmp_path):
    run = trained(tmp_path, epochs=1)
    arrays = {**run.model.state_dict(), **run.optimizer.state_dict()}
    assert {
        a.dtype for name, a in arrays.items() if np.asarray(a).dtype.kind == "f" and not name.startswith("group.")
    } == {np.dtype(np.float32)}  # an optimizer's settings are Python's floats


@pytest.mark.skipif(unsupported_reason(models.resnet8()) != "", reason="one process only")
@pytest.mark.parametrize("kind", ["gradients", "predict"])
def test_a_process_that_is_killed_is_told_and_costs_no_step(tmp_path, monkeypatch, kind):
    """What is left goes on alone, from the network of before the batch: the same numbers up to rounding."""
    alone = trained(tmp_path, "alone", processes=1)
    run = Run.start(Config(**SMALL, out=str(tmp_path / "run"), processes=2))
    notices = []
    send = Worker.send

    def and_kill(worker, task):
        send(worker, task)
        if task[0] == kind and run.step >= 3:
            os.kill(worker.process.pid, signal.SIGKILL)

    monkeypatch.setattr(Worker, "send", and_kill)
    assert run.fit(on_notice=notices.append)
    assert notices == [
        "minires replica 1 was ended by SIGKILL, as Linux does when memory runs out; this process goes on alone"
    ]
    assert run.replicas.n == 1
    for a, b in zip(run.history, alone.history, strict=True):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-3)
        assert a["step"] == b["step"]


def test_a_log_that_cannot_be_written_costs_no_checkpoint(tmp_path):
    run = Run.start(Config(**SMALL, out=str(tmp_path / "run"), processes=1))
    notices = []
    (run.folder / "log.csv").mkdir()
    assert run.fit(on_notice=notices.append)
    assert set(notices) == {f"the checkpoint is saved, its log is not: {run.folder / 'log.csv'}: Is a directory"}
    with pytest.warns(UserWarning, match="the log is not written: .*Is a directory"):
        assert Run.resume(run.folder).finished


# What a step is made with


def test_each_step_has_the_rate_of_its_number_and_a_row_that_of_its_last(tmp_path):
    run = Run.start(Config(**ALONE, out=str(tmp_path / "run"), schedule="cosine", lr=0.2))
    rates = []
    run.fit(on_step=lambda run, images: rates.append(run.optimizer.lr))
    expected = [0.2 * (1 + math.cos(math.pi * step / 6)) / 2 for step in range(6)]
    assert rates == pytest.approx(expected)
    assert [row["lr"] for row in run.history] == pytest.approx([expected[2], expected[5]])


def test_momentum_is_what_the_help_says(tmp_path):
    run = Run(Config(**ALONE))
    assert [group["momentum"] for group in run.optimizer.param_groups] == [0.9]
    assert "momentum 0.9" in Config.__dataclass_fields__["optimizer"].metadata["help"]


def test_a_network_in_evaluation_mode_is_trained_all_the_same(tmp_path):
    run = Run.start(Config(**{**ALONE, "epochs": 1}, out=str(tmp_path / "run")))
    run.model.eval()
    run.fit()
    assert bits(run) == bits(trained(tmp_path, "other", epochs=1, processes=1))


def test_each_epoch_has_all_images_in_an_order_of_its_own():
    loader = Run(Config(**ALONE, augment=False)).loader
    first, second = (np.concatenate([labels for _, labels in loader.epoch(i)]) for i in range(2))
    assert first.tolist() != second.tolist()
    assert sorted(first) == sorted(second) == sorted(loader.dataset.labels)


def test_a_setting_that_is_given_now_is_to_blame_and_not_the_checkpoint(tmp_path, monkeypatch):
    run = trained(tmp_path, epochs=1)

    def refuse(*arguments):
        raise OptionError("there is no such data set")

    monkeypatch.setattr(loop.data, "load", refuse)
    with pytest.raises(OptionError, match=r"^there is no such data set$"):
        Run.resume(run.folder, {"data": "elsewhere"})
    with pytest.raises(
        CheckpointError, match="no checkpoint that a run can resume from: there is no such data set"
    ) as kept:
        Run.resume(run.folder)
    FolderLock(run.folder).release()  # what was refused holds nothing, though its traceback is kept
    assert kept
