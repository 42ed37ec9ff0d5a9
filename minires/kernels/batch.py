"""A batch that several processes share: what one of them must know about the others.

Each has a part of the pictures and works on it alone. Only batch normalisation's sums are over all pictures; meeting()
is how a process adds up its own with those of the others.
"""

from contextlib import contextmanager

from minires.arrays import array_module

_share, _fraction, _add_up = 1.0, 1.0, None


@contextmanager
def meeting(share, fraction, add_up):
    """In this block the arrays hold `fraction` of a batch's pictures and count for `share` of it.

    The two differ where several processes have the same pictures. add_up(sums) gives the sums of all processes.
    """
    global _share, _fraction, _add_up
    before, _share, _fraction, _add_up = (_share, _fraction, _add_up), share, fraction, add_up
    try:
        yield
    finally:
        _share, _fraction, _add_up = before


def fair_share(sums):
    """This part's share of the sums over the batch; the sums themselves where nobody shares it.

    Divided by what this part counts it is the mean over the batch, and added up over the parts it is the sum.
    """
    return sums if _add_up is None else _add_up(sums) * _share


def joint_moments(count, mean, var):
    """Mean and variance of the whole batch, where these are those of this part's `count` values."""
    if _add_up is None:
        return mean, var
    first, second = fair_share(array_module(mean).stack([mean, var + mean * mean]) * count) / count
    return first, second - first * first


def batch_count(count):
    """How many there are in the batch, where this part has `count`."""
    return round(count / _fraction)
