"""A batch that several processes share: what one of them must know about the others.

Each has a part of the images and works on it alone. Only batch normalisation's sums are over all images; shared_batch()
is how a process adds up its own with those of the others. It holds for the thread that says so: what another thread
computes beside it is no part of that batch.
"""

import threading
from contextlib import contextmanager

from minires.arrays import array_module


class _Batch(threading.local):
    """What this thread's arrays are of a batch: all of it, unless shared_batch() says otherwise."""

    share = fraction = 1.0
    add_up = None


_batch = _Batch()


@contextmanager
def shared_batch(share, fraction, add_up):
    """In this block the arrays hold `fraction` of a batch's images and count for `share` of it.

    The two differ where several processes have the same images. add_up(sums) gives the sums of all processes.
    """
    before = _batch.share, _batch.fraction, _batch.add_up
    _batch.share, _batch.fraction, _batch.add_up = share, fraction, add_up
    try:
        yield
    finally:
        _batch.share, _batch.fraction, _batch.add_up = before


def is_shared():
    """Whether this thread's arrays are only a part of a batch."""
    return _batch.add_up is not None


def all_reduce(sums):
    """This part's share of the sums over the batch; the sums themselves where it is not shared.

    Divided by what this part counts it is the mean over the batch, and added up over the parts it is the sum.
    """
    return sums if _batch.add_up is None else _batch.add_up(sums) * _batch.share


def joint_mean_var(count, mean, var):
    """Mean and variance of the whole batch, where these are those of this part's `count` values."""
    if _batch.add_up is None:
        return mean, var
    first, second = all_reduce(array_module(mean).stack([mean, var + mean * mean]) * count) / count
    return first, second - first * first


def batch_count(count):
    """How many there are in the batch, where this part has `count`."""
    return round(count / _batch.fraction)
