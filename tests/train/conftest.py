"""A checkpoint of a run that was stopped, and what a run makes of it when its content is changed."""

import pytest

from minires import data, storage
from minires.train import Config, Run


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """(sections, state) of a run stopped in the middle of its second epoch, which draws random numbers too."""
    folder = tmp_path_factory.mktemp("run") / "run"
    run = Run.start(Config(model="resnet8", epochs=3, limit=32, batch_size=16, out=str(folder), processes=1))
    assert not run.fit(stop=lambda: run.step >= 3)
    return storage.load_checkpoint(run.checkpoint_path)


@pytest.fixture
def resumed(tmp_path, monkeypatch):
    """resumed(sections, state): what Run.resume makes of a checkpoint with this content."""
    digits = data.load("digits")
    load = data.load
    monkeypatch.setattr(data, "load", lambda *args: digits if args[:2] == ("digits", None) else load(*args))
    monkeypatch.setattr("os.fsync", lambda handle: None)

    def resume(sections, state):
        storage.save_checkpoint(tmp_path / "checkpoint.safetensors", sections, state)
        run = Run.resume(tmp_path)
        run.close()
        return run

    return resume
