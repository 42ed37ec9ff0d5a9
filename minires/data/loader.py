"""Batches, made ahead by a thread, each of which can be made again by its number alone."""

import queue
import threading

import numpy as np

from minires.data.transforms import normalise
from minires.errors import OptionError


class Loader:
    """Batches (images float32 (N,C,H,W), labels int64 (N,)) of a data set.

    The order of epoch e comes from the seed (seed, e), the randomness of its batch b from (seed, e, b), so any batch
    of any epoch can be made without the ones before it. transform: (images, rng) -> images; by default normalise.
    prefetch: how many batches a thread makes ahead (0: no thread); the bits are the same.
    """

    def __init__(self, dataset, batch_size, *, seed=0, shuffle=False, transform=None, drop_last=False, prefetch=2):
        if not 1 <= batch_size <= len(dataset):
            raise OptionError(f"batch_size must lie within 1 and the {len(dataset)} pictures of {dataset.name}, "
                              f"got {batch_size}")
        if seed < 0 or prefetch < 0:
            raise OptionError(f"seed and prefetch must be 0 or more, got {seed} and {prefetch}")
        self.dataset, self.batch_size, self.seed, self.shuffle = dataset, batch_size, seed, shuffle
        self.transform = transform or normalise(dataset.mean, dataset.std)
        self.drop_last, self.prefetch, self.next_epoch = drop_last, prefetch, 0

    def __len__(self):
        """Batches in an epoch."""
        size = len(self.dataset)
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def __iter__(self):
        """The next epoch."""
        self.next_epoch += 1
        return self.epoch(self.next_epoch - 1)

    def epoch(self, epoch, start=0):
        """The batches of one epoch, from number `start` on."""
        if epoch < 0 or not 0 <= start <= len(self):
            raise OptionError(f"epoch must be 0 or more and start within 0 and the {len(self)} batches of an epoch, "
                              f"got {epoch} and {start}")
        size = len(self.dataset)
        order = self._rng(epoch).permutation(size) if self.shuffle else np.arange(size)

        def batch(number):
            indices = order[number * self.batch_size:(number + 1) * self.batch_size]
            return self.transform(self.dataset.pixels(indices), self._rng(epoch, number)), self.dataset.labels[indices]
        numbers = range(start, len(self))
        return _ahead(batch, numbers, self.prefetch) if self.prefetch else map(batch, numbers)

    def _rng(self, *key):
        # Not default_rng([seed, *key]): NumPy pads that list with zeros, so [seed, epoch] and [seed, epoch, 0] are one.
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


def _ahead(make, numbers, most):
    """make(n) for each number, made by a thread that stays up to `most` ahead and ends with the iteration."""
    made, leave = queue.Queue(most), threading.Event()

    def put(item):
        while not leave.is_set():
            try:
                return made.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work():
        try:
            for number in numbers:
                put((make(number), None))
                if leave.is_set():
                    return
            put((None, StopIteration))
        except BaseException as error:  # whatever happens here is the consumer's to know
            put((None, error))
    thread = threading.Thread(target=work, name="minires loader", daemon=True)
    thread.start()
    try:
        while True:
            batch, error = made.get()
            if error is StopIteration:
                return
            if error is not None:
                raise error
            yield batch
    finally:
        leave.set()
        thread.join()
