"""The parts of a run are made as its Config says."""

from contextlib import closing
from types import SimpleNamespace

import pytest

from minires.errors import OptionError
from minires.train import Config, Run, setup


def test_multistep_divides_by_ten_at_a_half_and_at_three_quarters():
    rate = setup.make_schedule(Config(schedule="multistep", lr=1.0), 100)
    for step, expected in [(0, 1), (49, 1), (50, 0.1), (74, 0.1), (75, 0.01), (99, 0.01)]:
        assert rate(step) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "expected"), [("digits", ["crop 8 1", "normalize"]), ("cifar10", ["crop 8 4", "flip", "normalize"])]
)
def test_digits_move_by_one_pixel_and_are_not_flipped(monkeypatch, name, expected):
    """A flipped 2 is no 2. The border is black, because what is cropped is normalized afterwards."""
    monkeypatch.setattr(setup.data, "random_crop", lambda size, padding: f"crop {size[1]} {padding}")
    monkeypatch.setattr(setup.data, "random_horizontal_flip", lambda: "flip")
    monkeypatch.setattr(setup.data, "normalize", lambda mean, std: "normalize")
    monkeypatch.setattr(setup.data, "compose", lambda *changes: list(changes))
    dataset = SimpleNamespace(name=name, shape=(3, 8, 8), mean=0, std=1)
    assert setup.make_transform(dataset, True) == expected
    assert setup.make_transform(dataset, False) == "normalize"


def test_a_limit_above_the_number_of_images_takes_all():
    run = Run(Config(model="resnet8", limit=400))
    whole = Run(Config(model="resnet8"))
    assert len(run.train_set) == 400
    assert len(run.test_set) == len(whole.test_set) < 400
    assert len(Run(Config(model="resnet8", limit=10**9)).train_set) == len(whole.train_set)
    run.close()  # it never had a folder


def test_tf32_is_refused_where_it_would_do_nothing():
    with pytest.raises(OptionError, match="tf32 is for a GPU: add --device cuda"):
        Run(Config(model="resnet8", tf32=True))


def test_every_batch_of_two_images_is_trained_on_where_the_last_is_whole():
    """Only a last batch of one image may be too small; with batches of one, all are."""
    assert not Run(Config(model="resnet18", limit=18, batch_size=2)).loader.drop_last
    assert Run(Config(model="resnet18", limit=19, batch_size=2)).loader.drop_last
    assert not Run(Config(model="resnet8", limit=2, batch_size=1)).loader.drop_last


def test_model_options_reach_the_network_and_its_checkpoint(tmp_path):
    config = Config(model="resnet8", model_options="shortcut='B'", epochs=0, out=str(tmp_path))
    with closing(Run.start(config)) as run:
        run.fit()
        assert run.model.get_submodule("layer2.0.downsample.0").weight.shape == (32, 16, 1, 1)
    with closing(Run.resume(tmp_path)) as resumed:
        assert resumed.config.model_options == "shortcut='B'"
        assert resumed.model.get_submodule("layer2.0.downsample.0").weight.shape == (32, 16, 1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("shortcut=open('x')", "are written as in"),
        ("'B'", "are written as in"),
        ("shortcut='B'); f(a=1", "are written as in"),
        ("shortcut='C'", "shortcut must be"),
        ("shorcut='B'", "there is no option 'shorcut'"),
        ("rng=1", "rng follows from the data and the seed"),
    ],
)
def test_model_options_that_do_not_fit_are_refused_before_a_folder_is_made(options, message, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(OptionError, match=message):
        Run.start(Config(model="resnet8", model_options=options, out=str(folder)))
    assert not folder.exists()
