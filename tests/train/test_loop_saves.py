"""When a run is saved, where it stops, and what it goes on with."""

import pytest

from minires.errors import OptionError, ProcessError
from minires.train import Config, Run, loop

SMALL = {"model": "resnet8", "epochs": 2, "limit": 96, "batch_size": 32}
ALONE = {**SMALL, "processes": 1}


# When it is saved, and how long it took


class Clock:
    """In place of the module time: a clock that a test moves."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    perf_counter = monotonic


@pytest.fixture
def clocked(tmp_path, monkeypatch):
    """(run, its clock, the steps at which it has been saved) of two epochs of three steps, each of which takes 7 s."""
    clock = Clock()
    saved = []
    save = loop.save_checkpoint
    step = loop.gradients
    run = Run.start(Config(**ALONE, out=str(tmp_path / "run")))

    def note(*arguments):
        save(*arguments)
        saved.append(run.step)
        clock.now += 1000

    def timed(*arguments):
        clock.now += 7
        return step(*arguments)

    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(loop, "save_checkpoint", note)
    monkeypatch.setattr(loop, "gradients", timed)
    return run, clock, saved


def test_only_the_steps_count_as_the_time_of_training(clocked):
    run, clock, _ = clocked

    def wait(run, _):
        clock.now += 50

    run.fit(on_step=wait, on_epoch=wait)
    assert [row["seconds"] for row in run.history] == [21, 21]
    assert [row["images_per_second"] for row in run.history] == [pytest.approx(96 / 21)] * 2


def test_a_clock_that_is_set_back_leaves_a_checkpoint_that_resumes(clocked):
    run, clock, _ = clocked
    before = loop.gradients

    def set_back(*arguments):
        clock.now -= 1000
        return before(*arguments)

    loop.gradients = set_back  # the fixture brings back the right one
    run.fit(stop=lambda: run.step == 4)
    assert [row["seconds"] for row in run.history] == [0]
    resumed = Run.resume(run.folder)
    resumed.close()
    assert resumed.step == 4


def test_a_long_epoch_is_saved_every_five_minutes(clocked):
    run, clock, saved = clocked

    def wait(run, images):
        clock.now += 160

    run.fit(on_step=wait)
    assert saved == [0, 2, 3, 5, 6]
    assert run.saved_step == 6


def test_a_disk_that_is_full_is_tried_again_after_five_minutes(clocked, monkeypatch):
    run, clock, saved = clocked
    tried = []

    def full(*arguments):
        tried.append(run.step)
        raise OSError("full")

    def wait(run, images):
        clock.now += 160
        if run.step == 1:
            monkeypatch.setattr(loop, "save_checkpoint", full)

    with pytest.raises(OSError, match="full"):
        run.fit(on_step=wait, on_notice=lambda text: None)
    assert saved == [0]
    assert tried[:4] == [2, 3, 5, 6]


def test_after_a_process_has_ended_the_run_is_saved_at_the_next_step(clocked, monkeypatch):
    run, _, saved = clocked
    step, notices = loop.gradients, []

    def fail_once(*arguments):
        if run.step == 1 and not notices:
            raise ProcessError("minires replica 1 was ended by SIGKILL; take fewer processes")
        return step(*arguments)

    monkeypatch.setattr(loop, "gradients", fail_once)
    run.fit(on_notice=notices.append)
    assert notices == ["minires replica 1 was ended by SIGKILL; this process goes on alone"]
    assert saved == [0, 2, 3, 6]


def test_a_save_that_is_interrupted_is_not_begun_again(clocked, monkeypatch):
    run, _, _ = clocked
    tried = []

    def interrupted(*arguments):
        tried.append(run.step)
        raise KeyboardInterrupt

    def then(run, images):
        monkeypatch.setattr(loop, "save_checkpoint", interrupted)

    with pytest.raises(KeyboardInterrupt):
        run.fit(on_step=then)
    assert tried == [3]


# Where it stops


def test_a_run_that_is_to_stop_at_its_end_has_come_to_its_end(tmp_path):
    run = Run.start(Config(**ALONE, out=str(tmp_path / "run")))
    assert run.fit(stop=lambda: run.finished)


def test_a_run_that_is_to_stop_between_two_epochs_begins_no_other(tmp_path):
    run = Run.start(Config(**ALONE, out=str(tmp_path / "run")))
    assert not run.fit(stop=lambda: run.epoch == 1)
    assert run.step == run.saved_step == 3


def test_a_run_that_is_to_stop_in_its_evaluation_is_saved_before_it(tmp_path):
    """Its last batch is smaller than the others, which the checkpoint's number of images shows."""
    run = Run.start(Config(**{**ALONE, "limit": 80}, out=str(tmp_path / "run")))
    asked = []
    assert not run.fit(stop=lambda: asked.append(run.step) or len(asked) > 3)
    resumed = Run.resume(run.folder)
    assert (resumed.epoch, resumed.batch, resumed.totals.seen) == (0, 3, 80)
    assert resumed.saved_step == 3
    assert resumed.fit()
    assert [row["images_per_second"] * row["seconds"] for row in resumed.history] == pytest.approx([80, 80])


def test_progress_is_that_of_the_epoch_so_far(tmp_path):
    run = Run.start(Config(**ALONE, out=str(tmp_path / "run")))
    run.fit(stop=lambda: run.step >= 5)
    totals = run.totals.read()
    assert totals["seen"] == 64
    assert run.progress() == (totals["loss"] / 64, totals["correct"] / 64)
    assert 0 <= run.progress()[1] <= 1


# What a run goes on with


def test_epochs_that_are_under_way_count_as_trained(tmp_path):
    run = Run.start(Config(**{**ALONE, "epochs": 3}, schedule="constant", out=str(tmp_path / "run")))
    run.fit(stop=lambda: run.step >= 4)
    with pytest.raises(OptionError, match="--epochs 1: 2 epochs are trained already"):
        Run.resume(run.folder, {"epochs": 1})
    resumed = Run.resume(run.folder, {"epochs": 2})
    assert resumed.fit()
    assert resumed.step == 6
