import sys

import numpy as np
import pytest

from minires import models, optim
from minires.train import train_step


@pytest.mark.parametrize(
    ("name", "options"),
    [("resnet8", {}), ("plain8", {}), ("preact_resnet20", {}), ("resnet8", {"shortcut": "exclusive_gate"})],
)
def test_no_training_step_asks_for_a_name_that_is_not_there(name, options, monkeypatch):
    """getattr(module, name, default) finds a hint for the name before it gives the default: about a millisecond."""

    def missing(where, name, *_, **__):
        raise AssertionError(f"{where} was asked for {name!r} in a training step")

    model = models.create(name, rng=0, **options)
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    for file in ("minires.nn.module", "minires.tensor"):
        monkeypatch.setattr(sys.modules[file], "missing", missing)
    train_step(model, optimizer, np.zeros((2, 3, 32, 32), np.float32), np.array([0, 1]))
