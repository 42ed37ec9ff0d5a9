"""Observers of the engine: they are told the inputs, output and time of every op, forward and backward."""

import time
from contextlib import contextmanager

_observers = []


class _Observer:
    def __init__(self, on_op, on_call, on_time):
        self.on_op, self.on_call, self.on_time = on_op, on_call, on_time


def _nothing(*arguments):
    pass


@contextmanager
def listen(*, on_op=_nothing, on_call=_nothing, on_time=_nothing):
    """Inside the block, report each op, each node's backward and each optimizer step of all threads.

    on_op(name, inputs, y, backward) is called when an op has computed y from inputs: Tensors, arrays or None.
    on_call(name, inputs, settings, y) is called for the same op, with its settings by name.
    on_time(name, direction, seconds) is called with direction "forward", "backward" or "update".
    """
    observer = _Observer(on_op, on_call, on_time)
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


def timed(name, direction, function, *arguments, **settings):
    """function(*arguments, **settings), with its time reported to the observers."""
    if not _observers:
        return function(*arguments, **settings)
    start = time.perf_counter()
    result = function(*arguments, **settings)
    seconds = time.perf_counter() - start
    for observer in _observers:
        observer.on_time(name, direction, seconds)
    return result


def report(name, inputs, settings, y, backward):
    """Tell the observers about an op."""
    for observer in _observers:
        observer.on_op(name, inputs, y, backward)
        observer.on_call(name, inputs, settings, y)
