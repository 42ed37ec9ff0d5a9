"""Batches, made ahead by a thread, each of which can be made again by its number alone."""

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
from minires.tensor import Tensor

ONE_THREAD = "one thread makes `prefetch` batches ahead, prefetch=2 by default"
# Arguments of torch's DataLoader that are not here, and what to use instead. Their defaults there (0, False, None) are
# accepted, because they ask for what is done here.
OF_TORCH = {
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
LEAVE = 1  # seconds at most that the end of an iteration waits for the thread


class Elements(Protocol):
    """What a DataLoader takes: anything with a length and dataset[i]."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Loader:
    """Batches of arrays: images float32 (N,C,H,W), labels int64 (N,); of a tuple of arrays, tuples of their parts.

    The order of epoch e comes from the seed (seed, e), the randomness of its batch b from (seed, e, b), so any batch
    of any epoch can be made without the ones before it. transform: (images, rng) -> images; by default normalise.
    prefetch: how many batches a thread makes ahead (0, or where there are no threads: none); the bits are the same.
    """

    batch_may_exceed = False  # whether batch_size may be more than the length of the data set
    if_not_indexed = "; a DataLoader takes a list of elements, too"

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
            if name not in OF_TORCH:
                raise TypeError(f"a {kind} has no argument {name!r}")
            if not isinstance(value, (int, type(None))) or value:
                raise OptionError(f"a {kind} has no {name}: {OF_TORCH[name]}")
        dataset = TensorDataset(*dataset) if isinstance(dataset, tuple) else dataset
        if not isinstance(dataset, Indexed):
            raise OptionError(
                f"a {kind} takes a data set, as one of data.load(…), or a tuple (images, labels), got "
                f"{shortened(dataset)}" + self.if_not_indexed
            )
        check_whole(batch_size=batch_size, seed=seed, prefetch=prefetch)
        shuffle = shuffle is not None and shuffle  # torch's default is None
        check_flags(shuffle=shuffle, drop_last=drop_last)
        length = len(dataset)
        if not 1 <= batch_size <= (math.inf if self.batch_may_exceed else length):
            raise OptionError(
                f"batch_size must lie within 1 and the {length} pictures of {dataset.name}, got {batch_size}"
            )
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
                taken = self.dataset.take(indices)
                rng = self._rng(epoch, number)
                if not isinstance(taken, tuple):
                    return self._handed_out(self._transformed(taken, rng))
                return self._handed_out((self._transformed(taken[0], rng), *taken[1:]))
            except StopIteration as error:  # it would end the loop over the batches, or say nothing of its place
                raise OptionError(
                    f"batch {number} cannot be made, because the data set or the transform "
                    f"{_name(self.transform)} raised StopIteration: an iterator that it asks with next() "
                    "has come to its end"
                ) from error

        numbers = range(start, len(self))
        return _ahead(batch, numbers, self.prefetch) if self.prefetch else (batch(n) for n in numbers)

    def _handed_out(self, arrays):
        """A batch as the loop over it gets it."""
        return arrays

    def _transformed(self, images, rng):
        made = self.transform(images, rng)
        if made is images:
            return made
        if isinstance(images, tuple):
            raise OptionError(
                f"the transform {_name(self.transform)} takes images, and the first part of an element "
                "is a tuple here; transform it in dataset[i]"
            )
        if getattr(made, "shape", ())[:1] != images.shape[:1]:
            what = f"an array {made.shape}" if hasattr(made, "shape") else repr(made)[:80]
            raise OptionError(
                f"the transform {_name(self.transform)} must return an array of {len(images)} images for "
                f"images {images.shape}, it returned {what}"
            )
        return made

    def _rng(self, *key):
        # Not default_rng([seed, *key]): NumPy pads that list with zeros, so [seed, epoch] and [seed, epoch, 0] are one.
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))


class DataLoader(Loader):
    """A Loader as torch's: batches of Tensors outside any graph, from any data set with a length and dataset[i].

    Such is a list of elements, and an array. An element is an array, a number or a tuple of these, and so is the batch:
    of elements (image, label) it is (images, labels). A tuple of arrays is no list of elements, but their columns.
    A batch_size above the length gives one smaller batch.
    seed: None draws it from the default generator, so that minires.manual_seed decides the order.
    """

    batch_may_exceed = True
    if_not_indexed = "; a data set of your own has __len__ and __getitem__"

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

    def _handed_out(self, arrays):
        return tuple(map(self._handed_out, arrays)) if isinstance(arrays, tuple) else Tensor(arrays)


def _name(function):
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
            f"a transform is called as transform(images, rng), {_name(transform)}{signature} cannot be: {error}"
        ) from error
    return transform


def _ahead(make, numbers, most):
    """make(n) for each number, made by a thread that stays up to `most` ahead and ends with the iteration.

    In a process that is forked meanwhile there is no such thread: it makes the rest itself.
    """
    made = queue.Queue(most)
    leave = threading.Event()
    owner = os.getpid()

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
    try:
        if not _started(thread):
            yield from map(make, numbers)
            return
        for taken in range(len(numbers) + 1):
            if os.getpid() != owner:
                yield from map(make, numbers[taken:])
                return
            batch, error = made.get()
            if error is StopIteration:
                return
            if error is not None:
                raise error
            yield batch
    finally:
        leave.set()
        # Python calls this when it throws the generator away, and prints what is raised then. So an impatient Ctrl-C
        # ends the wait and no more; the thread ends by itself after its batch.
        with contextlib.suppress(KeyboardInterrupt, RuntimeError):  # RuntimeError: it was never started
            thread.join(LEAVE)


def _started(thread):
    """Whether the thread could be started: in a browser there are none."""
    try:
        thread.start()
    except RuntimeError:
        return False
    return True
