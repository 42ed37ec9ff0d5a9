"""Frozen parts: neither weights nor statistics move, and backward does not go through them."""

import numpy as np
import pytest

from minires import Tensor, models, ops
from minires.errors import OptionError
from minires.train import Config, Run
from minires.train.freezing import freeze, train_mode

SETTINGS = {"model": "resnet8", "epochs": 1, "limit": 32, "batch_size": 16}


@pytest.mark.parametrize("processes", [1, 2])
def test_frozen_weights_and_statistics_stay_and_the_others_move(tmp_path, processes):
    run = Run.start(Config(**SETTINGS, freeze="conv1, bn1,layer1", processes=processes, out=str(tmp_path / "run")))
    before = {name: array.copy() for name, array in run.model.state_dict().items()}
    assert run.fit()
    for name, array in run.model.state_dict().items():
        is_frozen = name.startswith(("conv1.", "bn1.", "layer1."))
        assert np.array_equal(array, before[name]) == is_frozen, name


def test_a_run_with_frozen_parts_resumes_to_the_same_bits(tmp_path):
    settings = {**SETTINGS, "freeze": "conv1,bn1,layer1", "epochs": 2}
    whole = Run.start(Config(**settings, out=str(tmp_path / "whole")))
    whole.fit()
    stopped = Run.start(Config(**settings, out=str(tmp_path / "stopped")))
    stopped.fit(stop=lambda: stopped.step >= 1)
    resumed = Run.resume(tmp_path / "stopped")
    assert resumed.fit()
    for (name, a), b in zip(whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True):
        assert a.tobytes() == b.tobytes(), name


def test_the_graph_begins_behind_the_frozen_parts():
    model = models.resnet8(rng=0)
    freeze(model, "conv1,bn1,layer1,layer2")
    train_mode(model, "conv1,bn1,layer1,layer2")
    maps = models.features(model, ["layer2"])(Tensor(np.ones((2, 3, 8, 8), np.float32)))
    assert not maps["layer2"].requires_grad
    ops.sum(model(np.ones((2, 3, 8, 8), np.float32))).backward()
    assert {name.partition(".")[0] for name, p in model.named_parameters() if p.grad is not None} == {
        "layer3",
        "linear",
    }


def test_a_name_is_whole_between_its_dots():
    """conv1 is not conv10, and layer1 has bn1 but is not it."""
    model = models.resnet8(rng=0)
    freeze(model, "layer1.0.conv1")
    assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["layer1.0.conv1.weight"]
    train_mode(model, "layer1.0")
    assert not model.get_submodule("layer1.0.bn1").training
    assert model.get_submodule("bn1").training


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("layr1", r"the network has no part 'layr1' with parameters; did you mean .*layer1"),
        ("layer1,featuresxyz", "no part 'featuresxyz' with parameters; its parts are conv1, bn1, layer1, layer2"),
        ("layer1.0.con1", r"no part 'layer1\.0\.con1' .*did you mean layer1\.0\.conv1"),
        (" ,", "freeze must name parts of the network, such as features, got ' ,'"),
        ("conv1,bn1,layer1,layer2,layer3,linear", "is the whole network, so there is nothing to train"),
    ],
)
def test_a_name_that_fits_nothing_is_an_error_with_the_nearest(names, message):
    with pytest.raises(OptionError, match=message):
        Run(Config(**SETTINGS, freeze=names))
