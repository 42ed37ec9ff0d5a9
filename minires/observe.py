"""Watching the engine work: what every op is given, makes, and takes in time, forward and backward."""

import time
from contextlib import contextmanager

_observers = []


class _Observer:
    def __init__(self, on_op, on_time):
        self.on_op, self.on_time = on_op, on_time


def _nothing(*arguments):
    pass


@contextmanager
def listen(*, on_op=_nothing, on_time=_nothing):
    """Inside the block each op, each node's backward and each optimiser's step is reported, of every thread.

    on_op(name, inputs, y, backward): an op has computed y from inputs, which are Tensors, arrays or None;
    on_time(name, direction, seconds): direction is "forward", "backward" or "update".
    """
    observer = _Observer(on_op, on_time)
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


def timed(name, direction, function, *arguments, **settings):
    """function(*arguments, **settings), whose time is reported."""
    if not _observers:
        return function(*arguments, **settings)
    start = time.perf_counter()
    result = function(*arguments, **settings)
    seconds = time.perf_counter() - start
    for observer in _observers:
        observer.on_time(name, direction, seconds)
    return result


def report(name, inputs, y, backward):
    """Report an op."""
    for observer in _observers:
        observer.on_op(name, inputs, y, backward)
