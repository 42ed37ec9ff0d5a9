"""Sums over a batch that several processes share.

Each process has a part of the images and works on it alone. Only the sums of batch normalization run over all images:
inside shared_batch() a process adds up its sums with those of the others. It holds for the calling thread only.
"""

import threading
from contextlib import contextmanager

from minires.arrays import array_module


class _Batch(threading.local):
    """Which part of a batch this thread's arrays are: all of it, unless shared_batch() says otherwise."""

    weight = fraction = 1.0
    add_up = None


_batch = _Batch()


@contextmanager
def shared_batch(weight, fraction, add_up):
    """In this block the arrays hold `fraction` of a batch's images, and a mean over the batch counts them by `weight`.

    The two differ if several processes have the same images. add_up(sums) gives the sums of all processes.
    """
    before = _batch.weight, _batch.fraction, _batch.add_up
    _batch.weight, _batch.fraction, _batch.add_up = weight, fraction, add_up
    try:
        yield
    finally:
        _batch.weight, _batch.fraction, _batch.add_up = before


def is_shared():
    """Whether this thread's arrays are only a part of a batch."""
    return _batch.add_up is not None


def all_reduce(sums):
    """The sums over the whole batch, times this part's weight; the sums themselves if the batch is not shared.

    Divided by the count of this part they are means over the batch. Added up over the parts they are the sums.
    """
    return sums if _batch.add_up is None else _batch.add_up(sums) * _batch.weight


def joint_mean_var(count, mean, var):
    """Mean and variance of the whole batch, from those of the `count` elements of this part."""
    if _batch.add_up is None:
        return mean, var
    first, second = all_reduce(array_module(mean).stack([mean, var + mean * mean]) * count) / count
    return first, second - first * first


def batch_count(count):
    """How many elements the batch has, if this part has `count`."""
    return round(count / _batch.fraction)
