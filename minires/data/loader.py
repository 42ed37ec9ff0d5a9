"""Batches for training. A thread makes them ahead, and each can be made again by its number alone."""

import contextlib
import inspect
import math
import os
import queue
import threading
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from minires.annotations import Array, Transform
from minires.data.checks import check_flags, check_whole
from minires.data.dataset import Indexed
from minires.data.in_memory import Items, TensorDataset
from minires.errors import OptionError
from minires.random import generator
from minires.settings import shortened
from minires.system import has_threads
from minires.tensor import Tensor

ONE_THREAD = "one thread makes `prefetch` batches ahead, prefetch=2 by default"
# Arguments of torch's DataLoader that are not here, and what to use instead. Torch's defaults (0, False, None) are
# accepted, because they ask for what is done here.
ONLY_IN_TORCH = {
    "num_workers": ONE_THREAD,
    "prefetch_factor": ONE_THREAD,
    "persistent_workers": ONE_THREAD,
    "timeout": ONE_THREAD,
    "multiprocessing_context": ONE_THREAD,
    "pin_memory": "leave it out",
    "pin_memory_device": "leave it out",
    "collate_fn": "use transform=, which takes (images, rng)",
    "generator": "use seed=",
    "worker_init_fn": "use seed=; a transform gets a generator of its own for each batch",
    "sampler": "use data.Subset(dataset, indices)",
    "batch_sampler": "use data.Subset(dataset, indices)",
}
JOIN_TIMEOUT = 1  # seconds that the end of an iteration waits for the thread


class Elements(Protocol):
    """What a DataLoader takes: anything with a length and dataset[i]."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class ArrayLoader:
    """Batches of arrays: images float32 (N,C,H,W) and labels int64 (N,); for a tuple of arrays, their parts.

    The order of epoch e comes from the seed (seed, e), the randomness of its batch b from (seed, e, b). So any batch
    can be made without those before it. transform: (images, rng) -> images; by default normalize.
    prefetch: how many batches a thread makes ahead, 0 for none. The batches are the same to the bit.
    """

    allows_large_batch = False  # whether batch_size may be more than the length of the data set
    advice = "; DataLoader takes a list of elements, too"

    def __init__(
        self,
        dataset: Any,
        batch_size: int = 1,
        shuffle: bool | None = False,
        *,
        seed: int = 0,
        transform: Transform | None = None,
        drop_last: bool = False,
        prefetch: int = 2,
        **others: Any,
    ) -> None:
        kind = type(self).__name__
        for name, value in others.items():
            if name not in ONLY_IN_TORCH:
                raise TypeError(f"{kind} has no argument {name!r}")
            if not isinstance(value, (int, type(None))) or value:
                raise OptionError(f"{kind} has no {name}: {ONLY_IN_TORCH[name]}")
        dataset = TensorDataset(*dataset) if isinstance(dataset, tuple) else dataset
        if not isinstance(dataset, Indexed):
            raise OptionError(
                f"{kind} takes a data set, as one of data.load(…), or a tuple (images, labels), got "
                f"{shortened(dataset)}{self.advice}"
            )
        check_whole(batch_size=batch_size, seed=seed, prefetch=prefetch)
        shuffle = shuffle is not None and shuffle  # torch's default is None
        check_flags(shuffle=shuffle, drop_last=drop_last)
        length = len(dataset)
        if not 1 <= batch_size <= (math.inf if self.allows_large_batch else length):
            allowed = "at least 1" if self.allows_large_batch else f"from 1 to the {length} images of {dataset.name}"
            raise OptionError(f"batch_size must be {allowed}, got {batch_size}")
        if seed < 0 or prefetch < 0:
            raise OptionError(f"seed and prefetch must be 0 or more, got {seed} and {prefetch}")
        self.dataset = dataset
        self.batch_size = int(batch_size)
        self.seed = int(seed)
        self.shuffle = bool(shuffle)
        self.transform = dataset.default_transform() if transform is None else _checked_transform(transform)
        self.drop_last = bool(drop_last)
        self.prefetch = int(prefetch)
        self.next_epoch = 0

    def __len__(self) -> int:
        """Batches in an epoch."""
        size = len(self.dataset)
        return size // self.batch_size if self.drop_last else -(-size // self.batch_size)

    def __repr__(self) -> str:
        order = f"shuffled by seed {self.seed}" if self.shuffle else "in order"
        return f"<{type(self).__name__}: {len(self)} batches of {self.batch_size}, {order}, from {self.dataset!r}>"

    def __iter__(self) -> Generator[tuple[Array, ...], None, None]:
        """The next epoch."""
        self.next_epoch += 1
        return self.epoch(self.next_epoch - 1)

    def epoch(self, epoch: int, start: int = 0) -> Generator[tuple[Array, ...], None, None]:
        """The batches of one epoch, from number `start` on."""
        check_whole(epoch=epoch, start=start)
        if epoch < 0 or not 0 <= start <= len(self):
            raise OptionError(
                f"epoch must be 0 or more and start within 0 and the {len(self)} batches of an epoch, "
                f"got {epoch} and {start}"
            )
        size = len(self.dataset)
        order = self._rng(epoch).permutation(size) if self.shuffle else np.arange(size)

        def batch(number):
            indices = order[number * self.batch_size : (number + 1) * self.batch_size]
            try:
                rng = self._rng(epoch, number)
                taken = self.dataset.draw(indices, rng)
                if not isinstance(taken, tuple):
                    return self._as_given(self._transformed(taken, rng))
                return self._as_given((self._transformed(taken[0], rng), *taken[1:]))
            except StopIteration as error:  # it would silently end the loop over the batches
                raise OptionError(
                    f"batch {number} cannot be made, because the data set or the transform "
                    f"{_name_of(self.transform)} raised StopIteration: an iterator on which it calls next() "
                    "is exhausted"
                ) from error

        numbers = range(start, len(self))
        if self.prefetch and has_threads():
            return _ahead(batch, numbers, self.prefetch)
        return (batch(n) for n in numbers)

    def _as_given(self, arrays):
        """The batch as the loop over the loader receives it."""
        return arrays

    def _transformed(self, images, rng):
        made = self.transform(images, rng)
        if made is images:
            return made
        if isinstance(images, tuple):
            raise OptionError(
                f"the transform {_name_of(self.transform)} takes images, but the first part of an element "
                "is a tuple here; transform it in dataset[i]"
            )
        if getattr(made, "shape", ())[:1] != images.shape[:1]:
            what = f"an array {made.shape}" if hasattr(made, "shape") else repr(made)[:80]
            raise OptionError(
                f"the transform {_name_of(self.transform)} must return an array of {len(images)} images for "
                f"images {images.shape}, it returned {what}"
            )
        return made

    def _rng(self, *key):
        # Not default_rng([seed, *key]): NumPy pads that list with zeros, so [seed, epoch] and [seed, epoch, 0] are one.
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


class DataLoader(ArrayLoader):
    """torch's DataLoader: batches of Tensors without gradients, from anything with a length and dataset[i].

    An element is an array, a number or a tuple of these; elements (image, label) become batches (images, labels).
    A list holds elements. A tuple of arrays, (images, labels), holds the columns instead.
    A batch_size above the length gives one smaller batch.
    seed: None draws it from the default generator, so minires.manual_seed decides the order.
    """

    allows_large_batch = True
    advice = "; a data set of your own has __len__ and __getitem__"

    if TYPE_CHECKING:

        def __iter__(self) -> Generator[tuple[Tensor, ...], None, None]: ...

        def epoch(self, epoch: int, start: int = 0) -> Generator[tuple[Tensor, ...], None, None]: ...

    def __init__(
        self,
        dataset: Elements,
        batch_size: int = 1,
        shuffle: bool | None = False,
        *,
        seed: int | None = None,
        transform: Transform | None = None,
        **settings: Any,
    ) -> None:
        seed = int(generator().integers(2**63)) if seed is None else seed
        super().__init__(Items.of(dataset), batch_size, shuffle, seed=seed, transform=transform, **settings)

    def _as_given(self, arrays):
        return tuple(map(self._as_given, arrays)) if isinstance(arrays, tuple) else Tensor(arrays)


def _name_of(function):
    return getattr(function, "__qualname__", None) or repr(function)


def _checked_transform(transform):
    """transform, if it can be called as transform(images, rng). Raises OptionError."""
    if not callable(transform):
        raise OptionError(f"a transform is called as transform(images, rng), got {transform!r}")
    try:
        signature = inspect.signature(transform)
    except (TypeError, ValueError):  # some functions written in C have none
        return transform
    try:
        signature.bind(None, None)
    except TypeError as error:
        raise OptionError(
            f"a transform is called as transform(images, rng), {_name_of(transform)}{signature} cannot be: {error}"
        ) from error
    return transform


def _ahead(make, numbers, most):
    """make(n) for each number, in a thread that is at most `most` batches ahead and ends with the iteration.

    A process that is forked meanwhile has no such thread, so it makes the rest itself.
    """
    made = queue.Queue(most)
    stop = threading.Event()
    owner = os.getpid()

    def put(item):
        while not stop.is_set():
            try:
                return made.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work():
        try:
            for number in numbers:
                put((make(number), None))
                if stop.is_set():
                    return
            put((None, StopIteration))
        except BaseException as error:  # the loop over the batches raises it
            put((None, error))

    thread = threading.Thread(target=work, name="minires loader", daemon=True)
    try:
        if not _started(thread):
            yield from map(make, numbers)
            return
        for done in range(len(numbers) + 1):
            if os.getpid() != owner:
                yield from map(make, numbers[done:])
                return
            batch, error = made.get()
            if error is StopIteration:
                return
            if error is not None:
                raise error
            yield batch
    finally:
        stop.set()
        # Python comes here when it deletes the generator, and prints what is raised then. So a second Ctrl-C only ends
        # the wait; the thread ends by itself after its batch.
        with contextlib.suppress(KeyboardInterrupt, RuntimeError):  # RuntimeError: it was never started
            thread.join(JOIN_TIMEOUT)


def _started(thread):
    """Whether the thread could be started: a limit on a user's processes may refuse it."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True
