"""What a user sees of a run, and which files train.run writes."""

from contextlib import closing
from types import SimpleNamespace

import pytest

from minires.train import Config, Run, run, show
from minires.train.folder import FolderLock

SMALL = {"model": "resnet8", "epochs": 2, "limit": 48, "batch_size": 16, "processes": 1}


@pytest.fixture
def bars(monkeypatch):
    """The bars that are made in place of tqdm's, each with its settings and its count of images."""
    made = []

    class Bar(SimpleNamespace):
        def __init__(self, **settings):
            super().__init__(settings=settings, images=0, lines=[], shown=[])
            made.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            return None

        def set_description_str(self, text, refresh):
            self.shown.append(text)

        def set_postfix_str(self, text, refresh):
            self.shown.append(text)

        def update(self, images):
            self.images += images
            return True

        def write(self, text):
            self.lines.append(text)

    monkeypatch.setattr(show.console, "progress_bar", lambda: Bar)
    return made


def test_the_heading_says_what_is_trained_on_what(tmp_path, bars, capsys):
    history = run(Config(**{**SMALL, "limit": 400}, out=str(tmp_path / "run")))
    out = capsys.readouterr().out
    assert out == (
        f"resnet8 on digits: 400 images of 1×8×8, 360 for the test\n2 epochs of 25 steps -> {tmp_path / 'run'}\n"
    )
    assert len(history) == 2
    (bar,) = bars
    assert (bar.settings["total"], bar.settings["initial"], bar.images) == (800, 0, 800)
    assert [line.split("loss")[0] for line in bar.lines] == ["epoch   1/2  ", "epoch   2/2  "]
    assert bar.shown[0] == "epoch 1/2"
    assert bar.shown[-2] == "epoch 2/2"


def test_a_resumed_run_goes_on_where_it_was(tmp_path, bars, capsys):
    first = Run.start(Config(**SMALL, out=str(tmp_path / "run")))
    assert show.fit(first, stop=lambda: first.step >= 4) is False
    resumed = Run.resume(first.folder)
    assert show.fit(resumed) is True
    assert capsys.readouterr().out.splitlines()[-1] == "resumed at epoch 2, step 4"
    assert (bars[1].settings["total"], bars[1].settings["initial"], bars[1].images) == (96, 64, 32)


def test_a_run_of_no_epochs_has_no_history_and_no_curves(tmp_path, bars):
    assert run(Config(**{**SMALL, "epochs": 0}, out=str(tmp_path / "run"))) == []
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.safetensors"]


def test_notices_go_where_the_caller_wants_them(tmp_path, bars, monkeypatch):
    started = Run.start(Config(**SMALL, out=str(tmp_path / "run")))
    told = []
    (started.folder / "log.csv").mkdir()
    show.fit(started, on_notice=told.append)
    assert all(text.startswith("the checkpoint is saved, its log is not") for text in told)
    assert told


@pytest.mark.parametrize(
    ("load", "processes", "said"), [(0.3, 2, False), (1.1, 2, True), (9, 1, False), (OSError, 2, False)]
)
def test_busy_cores_are_named_where_several_processes_are_used(
    tmp_path, bars, monkeypatch, capsys, load, processes, said
):
    def loads():
        if load is OSError:
            raise load
        return load, 0.0, 0.0

    monkeypatch.setattr(show.os, "getloadavg", loads, raising=False)
    monkeypatch.setattr(show.os, "cpu_count", lambda: 2)
    run(Config(**{**SMALL, "processes": processes, "epochs": 1}, out=str(tmp_path / "run")))
    line = f"the cores are busy (load {load}): beside other programs --processes 1 may be faster\n"
    assert (line in capsys.readouterr().out) == said


def test_a_learning_rate_of_0_is_named_before_the_training(tmp_path, bars):
    with closing(Run.start(Config(**{**SMALL, "epochs": 1}, lr=0, out=str(tmp_path / "run")))) as started:
        notices = []
        show.fit(started, on_notice=notices.append)
    assert notices == ["the learning rate is 0, so no weight changes; leave --lr out to have what is usual"]


def test_more_threads_than_cores_are_named(tmp_path, bars, monkeypatch):
    monkeypatch.setattr(show.os, "sched_getaffinity", lambda process: {0, 3}, raising=False)
    monkeypatch.setattr(show.kernels, "set_num_threads", lambda n: None)
    notices = []
    for threads in (2, 99):
        config = Config(**{**SMALL, "epochs": 1}, threads=threads, out=str(tmp_path / str(threads)))
        with closing(Run.start(config)) as started:
            show.fit(started, on_notice=notices.append)
    assert notices == ["99 threads on 2 cores: more than one a core makes nothing faster"]


def test_a_run_that_cannot_be_shown_leaves_no_folder_and_no_lock(tmp_path, monkeypatch):
    def fail():
        raise ImportError("no tqdm")

    monkeypatch.setattr(show.console, "progress_bar", fail)
    with pytest.raises(ImportError, match="no tqdm") as kept:  # whose traceback keeps the run alive
        run(Config(**SMALL, out=str(tmp_path / "run")))
    assert not (tmp_path / "run").exists()
    FolderLock(tmp_path / "run").release()
    assert kept
