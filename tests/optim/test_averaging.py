"""The moving average of weights, against torch's AveragedModel."""

import numpy as np
import pytest

from minires import nn, optim
from minires.errors import CheckpointError, OptionError


def test_an_average_is_that_of_torch_and_counters_are_copied():
    torch = pytest.importorskip("torch")
    from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

    rng = np.random.default_rng(0)
    ours = nn.Sequential(nn.Linear(3, 4, rng=0), nn.BatchNorm1d(4)).double()
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).double()
    average = optim.ExponentialMovingAverage(ours.state_dict(), 0.9)
    averaged = AveragedModel(theirs, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for step in range(5):
        for name, array in ours.state_dict().items():
            array[...] = step + 1 if name.endswith("tracked") else rng.random(array.shape)
        theirs.load_state_dict({name: torch.tensor(array) for name, array in ours.state_dict().items()})
        average.update(ours.state_dict())
        averaged.update_parameters(theirs)
    for name, expected in averaged.module.state_dict().items():
        if name.endswith("tracked"):
            assert average.arrays[name] == 5
        else:
            np.testing.assert_allclose(average.arrays[name], expected.numpy(), rtol=1e-13, err_msg=name)
    assert average.n_averaged == int(averaged.n_averaged)


def test_the_network_is_neither_changed_nor_kept():
    model = nn.Linear(2, 2, rng=0)
    before = model.weight.data.copy()
    average = optim.ExponentialMovingAverage(model.state_dict(), 0.5)
    average.update(model.state_dict())
    average.arrays["weight"] += 1
    np.testing.assert_array_equal(model.weight.data, before)


def test_a_decay_of_one_and_another_network_are_refused():
    state = nn.Linear(2, 2, rng=0).state_dict()
    for decay in (1, -0.1, "0.9"):
        with pytest.raises(OptionError, match="decay must be"):
            optim.ExponentialMovingAverage(state, decay)
    with pytest.raises(CheckpointError, match="'bias' is in one state and not in the other"):
        optim.ExponentialMovingAverage(state, 0.9).update({"weight": state["weight"]})
