"""Gradients that are summed over ranks while backward still computes others  [Li et al. 2020, §3.2.3].

Backward computes the gradients of the last layers first. So the parameters are put into buckets from the last to the
first. When all gradients of a bucket are there, their sum over ranks begins, and backward goes on meanwhile. All ranks
begin the sums in the same order. A bucket is one array, because many small messages cost more than a large one.
"""

from contextlib import contextmanager

import numpy as np

from minires.parallel.gradients import call_hooks, only_own_hooks

BUCKET_BYTES = 1 << 20


class Buckets:
    """`with filling():` backward, then finish(): the sum over ranks is in each .grad, until the next batch."""

    def __init__(self, parameters, ranks):
        self.parameters = parameters
        self.ranks = ranks
        self.buckets = [Bucket(group) for group in _groups(parameters)]
        self.bucket_of = {id(p): bucket for bucket in self.buckets for p in bucket.parameters}
        self.started = []  # (bucket, exchange)

    @contextmanager
    def filling(self):
        """In this block a gradient that backward has computed goes into its bucket. Hooks on parameters wait."""
        self.started = []
        for bucket in self.buckets:
            bucket.empty()
        with only_own_hooks({p.node: self._take for p in self.parameters if p.requires_grad}):
            yield

    def finish(self):
        """Wait for all sums, put them into .grad, and call the hooks on parameters.

        A parameter that has no gradient in any rank gets none.
        """
        self._start(len(self.buckets))
        for bucket, exchange in self.started:
            self.ranks.wait(exchange)
            bucket.hand_out()
        self.started = []
        call_hooks(self.parameters)

    def _take(self, p):
        self.bucket_of[id(p)].put(p)
        full = len(self.started)
        while full < len(self.buckets) and self.buckets[full].is_full():
            full += 1
        for _, exchange in self.started[-1:]:
            self.ranks.progress(exchange)
        self._start(full)

    def _start(self, stop):
        for bucket in self.buckets[len(self.started) : stop]:
            self.started.append((bucket, self.ranks.start_sum(bucket.array)))


class Bucket:
    """The gradients of some parameters in one array. Behind them stands for each how many ranks have one."""

    def __init__(self, parameters):
        self.parameters = parameters
        ends = np.cumsum([p.data.size for p in parameters])
        self.array = np.zeros(ends[-1] + len(parameters), parameters[0].dtype)
        self.places = {id(p): self.array[end - p.data.size : end].reshape(p.shape) for p, end in zip(parameters, ends)}
        self.counts = self.array[ends[-1] :]
        self.numbers = {id(p): i for i, p in enumerate(parameters)}

    def empty(self):
        self.array[...] = 0

    def put(self, p):
        self.places[id(p)][...] = p.grad
        self.counts[self.numbers[id(p)]] = 1

    def is_full(self):
        return bool(self.counts.all())

    def hand_out(self):
        for p, count in zip(self.parameters, self.counts):
            p.grad = self.places[id(p)] if count else None


def _groups(parameters):
    """The parameters that are trained, from the last to the first, in groups of one dtype and BUCKET_BYTES or more."""
    groups, room = [], 0
    for p in reversed([p for p in parameters if p.requires_grad]):
        if room <= 0 or p.dtype != groups[-1][0].dtype:
            groups.append([])
            room = BUCKET_BYTES
        groups[-1].append(p)
        room -= p.data.nbytes
    return groups
