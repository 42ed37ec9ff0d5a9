"""What tests of processes that share a batch have in common."""

import multiprocessing
import os

import numpy as np

from minires import models

SOON = 10  # seconds, on a machine with other work


def network(dtype=np.float64):
    return models.create("resnet8", rng=0).to(dtype)


def batch(N, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((N, 3, 8, 8)).astype(dtype), rng.integers(0, 10, N)


def here(do):
    """A forward hook that calls do() in this process only."""
    first = os.getpid()

    def hook(*_):
        if os.getpid() == first:
            do()

    return hook


def there(do, rank=1):
    """A forward hook that calls do() in another process of Replicas only."""

    def hook(*_):
        if multiprocessing.current_process().name == f"minires replica {rank}":
            do()

    return hook


def state_of(model):
    """A copy of what the network holds."""
    return {name: array.copy() for name, array in model.state_dict().items()}


def check_whole(model, before):
    """The network is what it was, without gradients, and no process is left."""
    assert not multiprocessing.active_children()
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, before[name], err_msg=name)
    assert all(p.grad is None for p in model.parameters())
