"""Two checkpoints are kept, and when the newest cannot be read, a run goes on from the one before, and says so."""

import os
import shutil

import pytest

from minires import storage
from minires.errors import CheckpointError, OptionError
from minires.storage import atomic
from minires.train import Config, Run, kept, loop
from minires.train.__main__ import main
from minires.train.folder import checkpoints, unfinished_run

SMALL = {"model": "resnet8", "epochs": 3, "limit": 32, "batch_size": 16, "processes": 1}  # two steps an epoch
TIMES = ("seconds", "images_per_second")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-100])


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-1000] ^= 1  # in an array
    path.write_bytes(content)


def emptied(path):
    path.write_bytes(b"")


def a_folder(path):
    path.unlink()
    path.mkdir()


def removed(path):
    path.unlink()


DAMAGES = {
    truncated: "its header says",
    flipped: "is damaged: its SHA-256 is not the one written inside",
    emptied: "is no sound safetensors file",
    a_folder: "cannot be read",
    removed: "is missing",
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A finished run without interruption."""
    run = Run.start(Config(**SMALL, out=str(tmp_path_factory.mktemp("kept") / "whole")))
    assert run.fit()
    return run


@pytest.fixture
def stopped(tmp_path):
    """The folder of a run that was stopped at step 4, and has kept the checkpoint of step 2."""
    run = Run.start(Config(**SMALL, out=str(tmp_path / "run")))
    assert not run.fit(stop=lambda: run.epoch == 2)
    assert names(run.folder) == ["checkpoint-2.safetensors", "checkpoint.safetensors", "log.csv"]
    return run.folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def check_same(folder, whole):
    sections, state = storage.load_checkpoint(folder / "checkpoint.safetensors")
    expected, expected_state = storage.load_checkpoint(whole.checkpoint_path)
    for section, arrays in expected.items():
        assert sections[section].keys() == arrays.keys()
        for name, array in arrays.items():
            assert sections[section][name].tobytes() == array.tobytes()
    rows = [[{k: v for k, v in row.items() if k not in TIMES} for row in s["history"]] for s in (state, expected_state)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("damage", DAMAGES)
def test_where_the_newest_cannot_be_read_the_one_before_is_used_and_said(stopped, whole, damage):
    newest = stopped / "checkpoint.safetensors"
    damage(newest)
    notices = []
    run = Run.resume(stopped, on_notice=notices.append)
    assert run.step == 2
    (notice,) = notices
    assert notice.startswith(str(newest))
    assert DAMAGES[damage] in notice
    assert notice.endswith(f"going on from step 2 with {stopped / 'checkpoint-2.safetensors'}")
    assert (stopped / "checkpoint.safetensors.unreadable").exists() == (damage is not removed)
    assert ("(it is checkpoint.safetensors.unreadable now)" in notice) == (damage is not removed)
    assert storage.load_state(newest)["epoch"] == 1  # other commands can read the run again
    assert run.fit()
    check_same(stopped, whole)


def test_a_run_that_is_killed_after_that_goes_on_as_usual(stopped, whole):
    flipped(stopped / "checkpoint.safetensors")
    Run.resume(stopped, on_notice=lambda text: None).close()
    notices = []
    run = Run.resume(stopped, on_notice=notices.append)
    assert (run.step, notices) == (2, [])
    assert run.fit()
    check_same(stopped, whole)


def test_of_three_the_oldest_is_used_if_both_newer_ones_are_damaged(tmp_path, whole):
    run = Run.start(Config(**SMALL, keep=3, out=str(tmp_path / "run")))
    run.fit(stop=lambda: run.epoch == 2)
    for name in ("checkpoint.safetensors", "checkpoint-2.safetensors"):
        truncated(run.folder / name)
    notices = []
    resumed = Run.resume(run.folder, on_notice=notices.append)
    assert len(notices) == 2
    assert all("going on from step 0 with" in notice for notice in notices)
    assert resumed.fit()
    check_same(run.folder, whole)
    assert {"checkpoint-2.safetensors", "checkpoint-4.safetensors"} < set(names(run.folder))


def test_if_no_checkpoint_can_be_read_the_fault_of_the_newest_is_said_and_nothing_is_changed(stopped):
    emptied(stopped / "checkpoint.safetensors")
    truncated(stopped / "checkpoint-2.safetensors")
    before = names(stopped)
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors is no sound safetensors file"):
        Run.resume(stopped)
    assert names(stopped) == before


def test_a_state_that_is_refused_is_no_damage_and_the_one_before_is_not_taken(stopped):
    """What was written that way, such as other images, is for the user to decide."""
    sections, state = storage.load_checkpoint(stopped / "checkpoint.safetensors")
    storage.save_checkpoint(stopped / "checkpoint.safetensors", sections, {**state, "epoch": 1})
    with pytest.raises(CheckpointError, match="history must have a row for each of the 1 epochs"):
        Run.resume(stopped)


@pytest.mark.parametrize(("keep", "steps"), [(1, []), (2, [4]), (3, [4, 2]), (9, [4, 2, 0])])
def test_so_many_are_kept_and_they_are_the_last(tmp_path, keep, steps):
    run = Run.start(Config(**SMALL, keep=keep, out=str(tmp_path / "run")))
    assert run.fit()
    expected = ["checkpoint.safetensors", *(f"checkpoint-{step}.safetensors" for step in steps)]
    assert [path.name for path in checkpoints(run.folder)] == expected
    for path, step in zip(checkpoints(run.folder), [6, *steps], strict=True):
        assert int(storage.load_checkpoint(path)[0]["optimizer"]["steps"].max()) == step


def test_how_many_are_kept_may_change_and_changes_no_bit(stopped, whole):
    run = Run.resume(stopped, {"keep": 1})
    assert run.fit()
    check_same(stopped, whole)
    assert [path.name for path in checkpoints(stopped)] == ["checkpoint.safetensors"]


def test_two_saves_of_one_step_do_not_push_out_the_one_before(stopped):
    run = Run.resume(stopped)
    run.save()
    run.save()
    run.close()
    assert [path.name for path in checkpoints(stopped)] == ["checkpoint.safetensors", "checkpoint-2.safetensors"]


def test_on_a_disk_without_hard_links_the_one_before_is_a_copy(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(os, "link", lambda *names: (_ for _ in ()).throw(PermissionError(1, "not permitted")))
    run = Run.start(Config(**SMALL, out=str(tmp_path / "run")))
    assert run.fit()
    check_same(run.folder, whole)
    assert int(storage.load_checkpoint(run.folder / "checkpoint-4.safetensors")[0]["optimizer"]["steps"].max()) == 4


def test_a_second_name_stays_as_it_is_when_the_first_is_written_anew(tmp_path):
    path, other = tmp_path / "a", tmp_path / "b"
    other.write_bytes(b"something else")
    path.write_bytes(b"old")
    atomic.keep_as(path, other)
    atomic.keep_as(path, other)
    assert path.samefile(other)
    atomic.atomic_write(path, b"new")
    assert (path.read_bytes(), other.read_bytes()) == (b"new", b"old")


def test_a_folder_with_kept_checkpoints_only_holds_a_run(stopped, monkeypatch):
    (stopped / "checkpoint.safetensors").unlink()
    with pytest.raises(OptionError, match="holds a run already"):
        Run.start(Config(**SMALL, out=str(stopped)))
    monkeypatch.chdir(stopped.parent)
    shutil.move(stopped, "runs/run")
    assert str(unfinished_run()) == os.path.join("runs", "run")


def test_other_files_in_the_folder_are_none_of_its_checkpoints(stopped):
    for name in ("checkpoint-2x.safetensors", "checkpoint-.safetensors", "checkpoint-best.safetensors"):
        (stopped / name).write_bytes(b"a user's")
    run = Run.resume(stopped, {"keep": 1})
    assert run.fit()
    assert {"checkpoint-2x.safetensors", "checkpoint-.safetensors", "checkpoint-best.safetensors"} < set(names(stopped))


def test_the_command_says_in_one_line_which_checkpoint_it_goes_on_from(stopped, monkeypatch, capsys):
    monkeypatch.chdir(stopped.parent)
    flipped(stopped / "checkpoint.safetensors")
    assert main(["--resume", "--out", "run"]) == 0
    out, err = capsys.readouterr()
    assert err == (
        "minires.train: run/checkpoint.safetensors is damaged: its SHA-256 is not the one written inside (it is "
        "checkpoint.safetensors.unreadable now); going on from step 2 with run/checkpoint-2.safetensors\n"
    )
    assert "resumed at epoch 2, step 2\n" in out


def test_what_cannot_be_read_does_not_take_the_place_of_another_such_file(stopped):
    for _ in range(2):
        emptied(stopped / "checkpoint.safetensors")
        Run.resume(stopped, on_notice=lambda text: None).close()
        assert kept.newest_sound(stopped).unread == []
    assert {"checkpoint.safetensors.unreadable", "checkpoint.safetensors.unreadable-2"} < set(names(stopped))


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_run_that_ended_between_its_last_checkpoint_and_the_log_has_its_log_after_resume(tmp_path, capsys, epochs):
    run = Run.start(Config(**{**SMALL, "epochs": epochs}, out=str(tmp_path / "run")))
    assert run.fit()
    log = run.log_path.read_bytes()
    for left in (None, b"epoch,step\n"):
        run.log_path.unlink() if left is None else run.log_path.write_bytes(left)
        assert main(["--resume", "--out", str(run.folder)]) == 0
        assert run.log_path.read_bytes() == log


def test_a_log_that_cannot_be_written_does_not_keep_a_run_from_going_on(stopped):
    (stopped / "log.csv").unlink()
    (stopped / "log.csv").mkdir()
    notices = []
    run = Run.resume(stopped, on_notice=notices.append)
    run.close()
    assert (run.step, len(notices)) == (4, 1)
    assert notices[0].startswith("the log is not written: ")


def test_the_new_checkpoint_is_written_though_the_one_before_cannot_be_kept(stopped, monkeypatch):
    (stopped / "checkpoint-4.safetensors").mkdir()
    notices = []
    run = Run.resume(stopped, on_notice=notices.append)
    assert run.fit(on_notice=notices.append)
    assert storage.load_state(run.checkpoint_path)["epoch"] == 3
    assert len(notices) == 1
    assert notices[0].startswith("the checkpoint before is not kept: ")
    assert loop.CHECKPOINT in names(stopped)
