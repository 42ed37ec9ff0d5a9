"""The parts of a run are made as its Config says."""

from contextlib import closing
from types import SimpleNamespace

import numpy as np
import pytest

from minires.errors import OptionError
from minires.train import Config, Run, setup


def test_multistep_divides_by_ten_at_a_half_and_at_three_quarters():
    rate = setup.make_schedule(Config(schedule="multistep", lr=1.0), 100)
    for step, expected in [(0, 1), (49, 1), (50, 0.1), (74, 0.1), (75, 0.01), (99, 0.01)]:
        assert rate(step) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("digits", 8, ["crop 8 1", "normalize"]),
        ("cifar10", 32, ["crop 32 4", "flip", "normalize"]),
        ("photos", 224, ["crop 224 4", "flip", "normalize"]),
        ("photos", 16, ["crop 16 2", "flip", "normalize"]),
        ("photos", 3, ["crop 3 0", "flip", "normalize"]),
    ],
)
def test_images_move_by_an_eighth_up_to_four_pixels_and_digits_are_not_flipped(monkeypatch, name, size, expected):
    """A flipped 2 is no 2. The border is black, because what is cropped is normalized afterwards."""
    monkeypatch.setattr(setup.data, "random_crop", lambda size, padding: f"crop {size[1]} {padding}")
    monkeypatch.setattr(setup.data, "random_horizontal_flip", lambda: "flip")
    monkeypatch.setattr(setup.data, "normalize", lambda mean, std: "normalize")
    monkeypatch.setattr(setup.data, "compose", lambda *changes: list(changes))
    dataset = SimpleNamespace(name=name, shape=(3, size, size), mean=0, std=1)
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
        ("shortcut='D'", "shortcut must be"),
        ("shorcut='B'", "there is no option 'shorcut'"),
        ("rng=1", "rng follows from the data and the seed"),
    ],
)
def test_model_options_that_do_not_fit_are_refused_before_a_folder_is_made(options, message, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(OptionError, match=message):
        Run.start(Config(model="resnet8", model_options=options, out=str(folder)))
    assert not folder.exists()


@pytest.mark.parametrize(("images", "drops"), [(18, False), (17, True), (21, False)])
def test_only_a_last_batch_of_one_image_is_left_out(images, drops):
    """Five images of sixteen are still a batch."""
    config = Config(model="resnet18", batch_size=16)

    class Images(list):
        shape = (1, 8, 8)
        classes = range(10)

    train_set = Images(range(images))
    model = setup.make_model(config, train_set)
    before = {name: np.array(value) for name, value in model.eval().state_dict().items()}
    assert setup.must_drop_last(config, model, train_set) is drops
    assert not model.training  # it was tried on a copy
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])


def test_more_processes_than_images_of_a_batch_are_refused_with_the_batch_that_counts():
    """The default batch shrinks to the data set, and that is the number in the message."""

    class Images(list):
        shape = (1, 8, 8)

    with pytest.raises(OptionError, match=r"at most the batch_size, 3, .* got 4"):
        setup.complete(Config(processes=4), Images(range(3)))
    assert setup.complete(Config(batch_size=7), Images(range(3))).batch_size == 7
    assert setup.complete(Config(), Images(range(3))).batch_size == 3
    assert setup.complete(Config(), Images(range(3))).size == 8


def test_a_models_weights_are_those_of_the_seed():
    class Images(list):
        shape = (1, 8, 8)
        classes = range(10)

    def weights(seed):
        model = setup.make_model(Config(model="resnet8", seed=seed), Images(range(3)))
        return next(iter(model.parameters())).data

    np.testing.assert_array_equal(weights(1), weights(1))
    assert not np.array_equal(weights(1), weights(2))


def test_schedules_end_with_the_run():
    assert setup.make_schedule(Config(schedule="cosine", lr=1.0), 100)(50) == pytest.approx(0.5)
    rate = setup.make_schedule(Config(schedule="multistep", lr=1.0), 7)
    assert [rate(step) for step in (2, 3, 4, 5)] == pytest.approx([1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("schedule", ["one_cycle", "multistep", "cosine", "constant"])
def test_a_run_without_a_step_has_a_schedule_too(schedule):
    assert setup.make_schedule(Config(schedule=schedule, lr=1.0), 0)(0) >= 0


@pytest.mark.parametrize(("images", "remedy"), [(1, "train on more than one"), (2, "use a --batch-size of at least 2")])
def test_a_network_that_cannot_train_on_one_image_says_what_would_help(images, remedy):
    class Images(list):
        shape = (1, 8, 8)
        classes = range(10)

    config = Config(model="resnet18", batch_size=1)
    model = setup.make_model(config, Images(range(images)))
    with pytest.raises(OptionError, match=f"resnet18 cannot train on one image of .*; {remedy}$"):
        setup.must_drop_last(config, model, Images(range(images)))
