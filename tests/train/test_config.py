"""The settings of a run: their ranges, what follows from them, and which may differ when a run goes on."""

import json
import sys

import numpy as np
import pytest

from minires import kernels, models, nn
from minires.errors import OptionError
from minires.parallel import MAX_PROCESSES
from minires.train import Config

RANGES = {  # the least and the most, and what lies just beyond
    "epochs": ([0, 1_000_000], [-1, 1_000_001]),
    "batch_size": ([1, 1_000_000], [0, 1_000_001]),
    "lr": ([0, 1e30], [-1e-9, float("inf")]),
    "weight_decay": ([0, 1e30], [-1e-9, float("nan")]),
    "seed": ([0, 2**63 - 1], [-1, 2**63]),
    "threads": ([0, 1024], [-1, 1025]),
    "processes": ([0, MAX_PROCESSES], [-1, MAX_PROCESSES + 1]),
    "limit": ([0, 10**9], [-1, 10**9 + 1]),
    "device": (["cpu", "cuda", "cuda:0", "cuda:9999"], ["", "cuda:", "cuda:12345", "cuda:-1", "cpu:0", "cuda:0\n"]),
    "dataset": (["digits", "a\nb", "그림"], ["", "a\0b"]),
    "out": (["", "a\nb"], ["a\0b"]),
    "schedule": (["one_cycle", "constant"], ["", "step", None]),
    "augment": ([True, False], [0, 1, None, "yes"]),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_setting_may_lie_at_its_bounds_and_not_beyond(name):
    allowed, refused = RANGES[name]
    for value in allowed:
        assert getattr(Config(**{name: value}), name) == value
    for value in refused:
        with pytest.raises(OptionError, match=f"^{name} must be "):
            Config(**{name: value})


def test_numbers_of_numpy_are_pythons_in_a_configuration():
    config = Config(epochs=np.int64(3), lr=np.float32(0.5), seed=np.uint8(7))
    assert [type(value) for value in (config.epochs, config.lr, config.seed)] == [int, float, int]
    assert type(Config(lr=1).lr) is float
    assert json.loads(json.dumps(config.as_dict())) == config.as_dict()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")
def test_each_process_has_at_least_sixteen_images_and_there_are_no_more_than_threads():
    model = models.resnet8(rng=0)
    for batch_size, threads, expected in [(64, 8, 4), (63, 8, 3), (64, 2, 2), (16, 8, 1), (8, 8, 1), (1, 1, 1)]:
        assert Config(batch_size=batch_size, threads=threads).processes_for(model) == expected
    before = kernels.get_num_threads()
    try:
        kernels.set_num_threads(3)
        assert Config(batch_size=64).processes_for(model) == 3
    finally:
        kernels.set_num_threads(before)


def test_a_network_that_draws_has_one_process_unless_more_are_asked_for():
    """Those that are asked for are refused with the reason, by Replicas."""
    model = nn.Sequential(models.resnet8(rng=0), nn.Dropout(0.5, rng=0))
    assert Config(threads=4).processes_for(model) == 1
    assert Config(threads=4, processes=3).processes_for(model) == 3


def test_what_changes_no_result_may_differ_when_a_run_goes_on():
    given = {"out": "elsewhere", "device": "cuda", "data": "copy", "threads": 3, "processes": 2}
    resumed = Config().resumed(given)
    assert resumed == Config(**given)
    assert Config(lr=0.5).resumed({"lr": 0.5}) == Config(lr=0.5)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", "cifar10"),
        ("model", "resnet8"),
        ("batch_size", 32),
        ("lr", 0.2),
        ("schedule", "constant"),
        ("weight_decay", 0.0),
        ("augment", False),
        ("seed", 1),
        ("tf32", True),
        ("limit", 10),
    ],
)
def test_what_the_result_depends_on_may_not_differ_when_a_run_goes_on(name, value):
    flag = name.replace("_", "-")
    with pytest.raises(OptionError, match=f"the checkpoint was made with --{flag} .*, not {value}; leave --{flag} out"):
        Config().resumed({name: value})


def test_a_run_of_constant_rate_may_end_with_the_epochs_that_it_has():
    config = Config(schedule="constant", epochs=5)
    for epochs in (2, 3, 9):
        assert config.resumed({"epochs": epochs}, done=2).epochs == epochs
    with pytest.raises(OptionError, match="--epochs 1: 2 epochs are trained already"):
        config.resumed({"epochs": 1}, done=2)
