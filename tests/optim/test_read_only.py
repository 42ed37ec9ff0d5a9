"""What cannot be written changes nothing, and says so."""

import numpy as np
import pytest

from minires import Tensor, nn, optim
from minires.errors import CheckpointError, GraphError


def test_a_read_only_parameter_is_named_before_anything_is_counted_or_moved():
    fixed, free = (Tensor(np.ones(2), requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([free, fixed], lr=0.1)
    fixed.grad = free.grad = np.ones(2)
    fixed.data.flags.writeable = False
    with pytest.raises(GraphError, match="read-only"):
        optimizer.step()
    assert (optimizer.steps, free.tolist()) == ([0, 0], [1, 1])


def test_a_state_is_loaded_whole_or_not_at_all():
    layer = nn.BatchNorm2d(2)
    state = {name: array + 1 for name, array in layer.state_dict().items()}
    layer.running_mean.flags.writeable = False
    with pytest.raises(CheckpointError, match="read-only in the model: running_mean"):
        layer.load_state_dict(state)
    assert layer.weight.tolist() == [1, 1]


def test_steps_beyond_counting_are_refused():
    optimizer = optim.SGD([Tensor(np.ones(2), requires_grad=True)], lr=0.1)
    for steps in (np.array([1 << 63], np.uint64), np.array([(1 << 63) - 1]), np.array([1 << 53])):
        with pytest.raises(CheckpointError, match="too many to count"):
            optimizer.load_state_dict({**optimizer.state_dict(), "steps": steps})
    optimizer.load_state_dict({**optimizer.state_dict(), "steps": np.array([(1 << 53) - 1])})
    assert optimizer.steps == [(1 << 53) - 1]
