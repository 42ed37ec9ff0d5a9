"""Listening to the engine from outside: what every op is given, makes, and takes in time, forward and backward."""

import time
from contextlib import contextmanager
from importlib import import_module
from unittest.mock import patch

from minires.graph import Node
from minires.optim import Optimizer

op_module = import_module("minires.op")  # `minires.op` itself is the decorator


def _nothing(*arguments):
    pass


@contextmanager
def listen(*, on_op=_nothing, on_time=_nothing):
    """Inside the block on_op(name, inputs, y, backward) is called for each op (inputs: Tensors, arrays or None),

    and on_time(name, direction, seconds) for each op's "forward", each node's "backward" and the "optimiser"'s step.
    An op checks its inputs right before it computes and records its output right after: the clock runs between.
    """
    check, record, gradients, update = op_module._check, op_module._record, Node.gradients, Optimizer.step
    began = None

    def checked(*arguments):
        nonlocal began
        first = check(*arguments)
        began = time.perf_counter()
        return first

    def recorded(name, inputs, y, backward):
        on_time(name, "forward", time.perf_counter() - began)
        on_op(name, inputs, y, backward)
        return record(name, inputs, y, backward)

    def timed(function, name_of, direction):
        def call(self, *arguments):
            start = time.perf_counter()
            result = function(self, *arguments)
            on_time(name_of(self), direction, time.perf_counter() - start)
            return result
        return call
    with (patch.object(op_module, "_check", checked), patch.object(op_module, "_record", recorded),
          patch.object(Node, "gradients", timed(gradients, lambda node: node.name, "backward")),
          patch.object(Optimizer, "step", timed(update, lambda _: "optimiser", "update"))):
        yield
