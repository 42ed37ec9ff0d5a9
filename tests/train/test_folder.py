"""A run has a folder of its own from the start, and loses nothing on a disk that is full."""

import errno
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from minires import storage
from minires.errors import CheckpointError, OptionError
from minires.train import Config, Run, folder, kept, loop
from minires.train.folder import FolderLock, new_folder, unfinished_run

SMALL = {"model": "resnet8", "epochs": 2, "limit": 48, "batch_size": 16, "processes": 1}
posix = pytest.mark.skipif(os.name == "nt", reason="locks and signals are POSIX's")
LONG = [
    sys.executable,
    "-m",
    "minires.train",
    "--model",
    "resnet8",
    "--epochs",
    "500",
    "--limit",
    "128",
    "--threads",
    "2",
    "--processes",
    "2",
]


def start(tmp_path, name="run", **settings):
    return Run.start(Config(**{**SMALL, "out": str(tmp_path / name), **settings}))


def wait_for(path):
    deadline = time.monotonic() + 60
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert path.exists()


@posix
def test_a_second_process_is_refused_at_the_start_and_a_killed_one_leaves_nothing_locked(tmp_path):
    process = subprocess.Popen([*LONG, "--out", "run"], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for(tmp_path / "run" / "checkpoint.safetensors")
    for flags in (["--out", "run"], ["--resume", "--out", "run/../run"]):
        found = subprocess.run([*LONG[:3], *flags], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert found.returncode == 2
        assert (
            f"is being written by process {process.pid}; wait for it, stop it, or choose another --out\n"
            in found.stderr
        )
        assert found.stderr.count("\n") == 1
    wait_for(tmp_path / "run" / "log.csv")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    resumed = Run.resume(tmp_path / "run")  # at once, though the other processes may still be ending
    assert resumed.epoch >= 1
    resumed.close()
    assert not (tmp_path / "run" / ".lock").exists()


@posix
def test_two_runs_started_together_get_a_folder_each(tmp_path):
    command = [*LONG[:5], "--epochs", "1", "--limit", "64"]
    both = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [process.communicate(timeout=100)[1] for process in both] == ["", ""]
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.rglob("checkpoint.*")) == [
        "runs/digits-resnet8-2/checkpoint.safetensors",
        "runs/digits-resnet8/checkpoint.safetensors",
    ]


def test_a_run_holds_its_folder_until_it_has_gone(tmp_path):
    run = start(tmp_path)
    with pytest.raises(OptionError, match=f"run is being written by process {os.getpid()}"):
        start(tmp_path)
    run.fit(stop=lambda: True)
    resumed = Run.resume(run.folder)
    with pytest.raises(OptionError, match="is being written by"):
        run.fit()
    resumed.close()
    assert run.fit()


def test_a_folder_made_for_nothing_goes_and_one_that_was_there_stays(tmp_path):
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        start(tmp_path, name).close()
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_new_folder_takes_the_first_free_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    names = [
        new_folder(Config(dataset=dataset)).name for dataset in ("digits", "digits", "photos/", "./photos/../photos")
    ]
    assert names == ["digits-resnet20", "digits-resnet20-2", "photos-resnet20", "photos-resnet20-2"]


@posix
def test_a_forked_process_does_not_hold_the_folder_of_one_that_was_killed(tmp_path):
    code = """
import os, time
from minires.train.folder import FolderLock
lock = FolderLock("run")
if not os.fork():
    print(os.getpid(), flush=True)  # when it has let go of what it inherited
time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    try:
        with pytest.raises(OptionError, match=f"is being written by process {process.pid};"):
            FolderLock(tmp_path / "run")
        process.kill()
        process.wait()
        FolderLock(tmp_path / "run").release()
    finally:
        os.kill(child, signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    ("out", "message"),
    [("file", "file"), ("file/run", "file"), ("x" * 300, "File name too long"), ("/proc/nothing", "/proc/nothing")],
)
def test_a_folder_that_cannot_be_written_is_found_out_at_the_start(tmp_path, monkeypatch, out, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=message) as caught:
        Run.start(Config(**SMALL, out=out))
    assert caught.value.filename


def no_space(*args, **kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "the/checkpoint")


def test_a_disk_that_is_full_at_the_start_ends_the_run_there(tmp_path, monkeypatch):
    run = start(tmp_path)
    monkeypatch.setattr(loop, "save_checkpoint", no_space)
    with pytest.raises(OSError, match="No space left on device: 'the/checkpoint'"):
        run.fit(on_step=lambda run, images: pytest.fail("it trained"))
    assert list(tmp_path.iterdir()) == []


def test_a_disk_with_room_for_the_first_checkpoint_only_is_found_out_at_the_start(tmp_path, monkeypatch):
    """With momentum, and beside the two that are kept, later ones need six times as much."""
    run = start(tmp_path)
    size = sum(array.nbytes for array in run.model.state_dict().values())
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5 * size))
    with pytest.raises(OSError, match=r"\d\.\d MB are free, and checkpoints need \d\.\d MB: .*run'$"):
        run.fit()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_for_a_while_is_told_and_costs_nothing(tmp_path, monkeypatch):
    whole = start(tmp_path, "whole")
    assert whole.fit()
    run = start(tmp_path)
    notices = []
    right = loop.save_checkpoint

    def on_step(run, images):
        monkeypatch.setattr(loop, "save_checkpoint", no_space if run.epoch == 0 else right)

    assert run.fit(on_step=on_step, on_notice=notices.append)
    assert notices == [
        "not saved, to be tried again: the/checkpoint: No space left on device; the last checkpoint stays"
    ]
    sections, state = storage.load_checkpoint(run.checkpoint_path)
    assert state["epoch"] == 2
    assert all((sections["model"][name] == array).all() for name, array in whole.model.state_dict().items())


def test_a_last_checkpoint_that_cannot_be_written_is_an_error_and_the_numbers_are_told(tmp_path, monkeypatch):
    run = start(tmp_path, epochs=1)
    rows = []
    notices = []

    def on_step(run, images):
        monkeypatch.setattr(loop, "save_checkpoint", no_space)

    with pytest.raises(OSError, match="No space left"):
        run.fit(on_step=on_step, on_epoch=lambda run, row: rows.append(row), on_notice=notices.append)
    assert (len(rows), notices) == (1, [])
    monkeypatch.undo()
    resumed = Run.resume(run.folder)
    assert resumed.step == 0  # the checkpoint of the start stands


def test_the_curves_need_room_beside_the_checkpoints(tmp_path, monkeypatch):
    """Weights and momentum are two; two checkpoints are kept, and a third is written beside them."""
    settings = [
        ({}, 2 * 3),
        ({"keep": 1}, 2 * 2),
        ({"keep": 4}, 2 * 5),
        ({"keep": 100}, 2 * 8),  # the run has six steps, so there are seven at most
        ({"optimizer": "adamw", "ema": 0.9}, 4 * 3),
    ]
    for number, (changed, sizes) in enumerate(settings):
        run = start(tmp_path, str(number), **changed)
        size = sum(array.nbytes for array in run.model.state_dict().values())
        for free, enough in ((sizes * size + 100_000, False), (sizes * size + 500_000, True)):
            monkeypatch.setattr("shutil.disk_usage", lambda path, free=free: SimpleNamespace(free=free))
            if enough:
                kept.check_room(run)
            else:
                with pytest.raises(OSError, match="MB are free"):
                    kept.check_room(run)
        run.close()


@posix
def test_a_real_limit_on_files_leaves_no_part_behind(tmp_path):
    """The system refuses to write more than some bytes into a file, as a full disk does."""
    code = (
        "import resource, signal; resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000)); "
        "from minires.train.__main__ import main; import sys; sys.exit(main())"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, "--model", "resnet8", "--out", "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 2
    assert found.stderr == "minires.train: run/checkpoint.safetensors: File too large; stopped before the first step\n"
    assert list(tmp_path.iterdir()) == []


def test_an_error_between_steps_saves_first(tmp_path, monkeypatch):
    """A broken image in the second epoch, or a reader of the output that has gone, costs no step."""
    for error in (CheckpointError("a broken image"), OSError("no output"), KeyboardInterrupt()):
        run = start(tmp_path, type(error).__name__)

        def fail(run, images, error=error):
            if run.step == 4:
                raise error

        with pytest.raises(type(error)):
            run.fit(on_step=fail)
        resumed = Run.resume(run.folder)
        assert resumed.step == 4
        resumed.close()


def test_an_error_within_a_step_saves_nothing_that_is_half(tmp_path, monkeypatch):
    run = start(tmp_path)

    def fail(run, images):
        if run.step == 4:
            monkeypatch.setattr(run.optimizer, "step", lambda: (_ for _ in ()).throw(MemoryError("within")))

    with pytest.raises(MemoryError):
        run.fit(on_step=fail)
    resumed = Run.resume(run.folder)
    assert resumed.step == 3


def test_the_newest_run_that_is_not_finished_is_chosen(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="there is no run to resume in runs/"):
        unfinished_run()
    for number, (name, steps) in enumerate([("a", 1), ("b", 2), ("c", 99), ("d", 99)]):
        run = start(tmp_path / "runs", name)
        run.fit(stop=lambda run=run, steps=steps: run.step >= steps)
        os.utime(run.checkpoint_path, (number, number))
    assert unfinished_run().name == "b"
    assert unfinished_run(epochs=3).name == "d"
    (tmp_path / "runs" / "d" / "checkpoint.safetensors").write_bytes(b"damaged")
    assert unfinished_run().name == "d"  # and going on with it says so
    for name in "abd":
        for path in folder.checkpoints(tmp_path / "runs" / name):
            path.unlink()
    with pytest.raises(
        OptionError,
        match="all runs in runs/ are finished, runs/c as the last; only one with "
        "--schedule constant can be made longer",
    ):
        unfinished_run()


def test_without_locks_on_the_disk_runs_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("minires.train.folder.lock", lambda handle: None)
    assert start(tmp_path, epochs=1).fit()


def test_a_lock_that_is_a_link_or_a_users_text_is_left_alone(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")  # as short as a lock is
    for make in (lambda path: path.symlink_to(victim), lambda path: path.write_text("precious " * 50)):
        place = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        make(place / ".lock")
        with pytest.raises((OSError, OptionError)):
            FolderLock(place)
        assert victim.read_text() == "precious"
        assert (place / ".lock").read_text().startswith("precious")


@posix
def test_a_pipe_in_place_of_the_lock_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(OptionError, match="is no lock of a run; move it away, or choose another --out"):
        FolderLock(tmp_path)


@posix
def test_the_lock_names_its_holder_and_nothing_of_one_before(tmp_path):
    (tmp_path / ".lock").write_text("process 1234567890123\n")  # of one that was killed
    lock = FolderLock(tmp_path)
    assert (tmp_path / ".lock").read_text() == f"process {os.getpid()}\n"
    (tmp_path / ".lock").write_text("")
    with pytest.raises(OptionError, match="is being written by another process;"):
        FolderLock(tmp_path)
    lock.release()


@posix
def test_a_lock_whose_holder_lets_go_while_it_is_opened_is_made_anew(tmp_path, monkeypatch):
    right, asked = folder.lock, []

    def slow(handle):
        if not asked:
            (tmp_path / ".lock").unlink()
        asked.append(handle)
        return right(handle)

    monkeypatch.setattr(folder, "lock", slow)
    lock = FolderLock(tmp_path)
    assert len(asked) == 2
    with pytest.raises(OptionError, match="is being written by"):
        FolderLock(tmp_path)
    lock.release()


@posix
def test_no_file_stays_open_after_a_lock_is_let_go_or_refused(tmp_path):
    before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    lock = FolderLock(tmp_path)
    with pytest.raises(OptionError):
        FolderLock(tmp_path)
    lock.release()
    lock.release()
    assert (os.listdir("/proc/self/fd") if before else []) == before


@posix
def test_a_fork_lets_go_of_no_lock_and_closes_no_file_but_its_own(tmp_path):
    FolderLock(tmp_path / "past").release()
    reading, writing = os.pipe()  # in the numbers that the lock had
    lock = FolderLock(tmp_path / "run")
    child = os.fork()
    if child == 0:
        try:
            lock.release()
            os.write(writing, b"written")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    assert os.read(reading, 100) == b"written"
    os.close(reading)
    assert (tmp_path / "run" / ".lock").exists()
    lock.release()
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_checkpoint_that_says_nothing_of_epochs_counts_as_unfinished(tmp_path, monkeypatch):
    """Going on with it says what is wrong with it."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "runs" / "odd" / "checkpoint.safetensors"
    path.parent.mkdir(parents=True)
    for state in ({}, {"epoch": 1}, {"epoch": "1", "config": {"epochs": 2}}, {"epoch": 1, "config": None}):
        storage.save_checkpoint(path, {"model": {}}, state)
        assert unfinished_run().name == "odd"
