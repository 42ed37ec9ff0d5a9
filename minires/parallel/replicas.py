"""Data parallelism on one machine: processes that share a batch and batch norm's sums, and add up their gradients.

Threads of Python wait for one interpreter, processes do not. Every process holds the whole network, whose weights are
one piece of memory that all see, and carries its part of the images forward and back. They meet for

    the loss                    L = Σ_r S_r/m, with S_r the sum over the labels of process r and m their number in all
    each batch norm, forward    Σ x and Σ x², so that μ and σ² are the whole batch's
    each batch norm, backward   Σ ∂L/∂y and Σ ∂L/∂y·x̂

and each sends S_r/m back, so that the gradients of all are the parts of a sum (gradients.py). What comes out is what
one process makes, up to rounding, and the same bits for the same number of processes; in PyTorch it is
DistributedDataParallel with SyncBatchNorm. The optimiser's step is left to the first process. In evaluation each
process answers for its part; they meet for a batch norm only if it has no running statistics.
"""

import os
import random
import sys
import threading
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.util import Finalize

import numpy as np

from minires.errors import DTypeError, GraphError, OptionError, ProcessError
from minires.kernels.cpu.memory import join_pages
from minires.kernels.cpu.threads import alone, forked, get_num_threads, number_of
from minires.mode import mode
from minires.nn import Module
from minires.parallel import parts
from minires.parallel.gradients import Exchange
from minires.parallel.memory import ADDED, SENT, Meeting, RefusedError, shared_copy
from minires.parallel.parts import NotFiniteError, channels_first, channels_last
from minires.parallel.process import end, look_at, start
from minires.parallel.snapshot import Opaque, Snapshot
from minires.tensor import Tensor

MAX_PROCESSES = 256  # a plain number, so that what one machine accepts and writes down, another accepts too
IN_A_ROW = 5  # batches before each of which the network had changed, so that a warning says what it costs


def why_not(model):
    """Why several processes cannot train this network here; "" if they can.

    A module that draws from a generator which it does not hold, such as minires.random's, is not seen.
    """
    if not sys.platform.startswith("linux"):
        return f"processes are forked, which is safe on Linux only, not on {sys.platform}"
    places = {p.device for p in model.parameters()} - {"cpu"}
    if places:
        return f"processes share the CPU's memory, and the network is on {min(places)}"
    generators = (np.random.Generator, np.random.RandomState, random.Random)
    for name, module in model.named_modules():
        name = name or type(module).__name__
        if hasattr(module, "rng") or any(isinstance(value, generators) for value in vars(module).values()):
            return f"{name} draws random numbers in training, and all processes would draw the same"
        if getattr(module._hooks, "backward", None):
            return f"a backward hook on {name} asks for gradients, and each process has those of its part of a batch"
    return ""


class Replicas(Opaque):
    """n processes, this one among them, that carry a batch through a network together.

    with Replicas(model, 2) as replicas:
        loss, correct = replicas.gradients(images, labels)  # in place of the model, the loss and loss.backward()
        optimizer.step()
        logits = replicas.predict(images)                   # in place of model.eval() and the model, under no_grad()

    The parameters move into memory that all processes share. The others get their copy of the network with the first
    batch, and a new one whenever anything in it has changed between two batches (snapshot.py says what is seen).

    Each process sees a part of the images. So forward() and forward hooks must treat image by image, batch norm aside;
    what they change in a module must not depend on the images. A hook on a parameter is called in this process with
    the whole gradient; other hooks on gradients are refused.

    Raises OptionError where several processes are impossible (why_not). Where the system refuses memory or processes,
    one process does it all: n is 1 then, reason says why, and a RuntimeWarning comes. ProcessError says that another
    process has ended or stands still; parameters and buffers are then what they were before that batch. The next one
    would start new processes; after go_on_alone() it does not.
    """

    def __init__(self, model, n):
        if not isinstance(model, Module):
            raise OptionError(f"Replicas: needs a minires.nn.Module, got {type(model).__name__}")
        self.model, self.reason = model, ""
        self.n = number_of("process", "Replicas", n, MAX_PROCESSES)
        self.others = []
        self.images = None
        self.snapshot = None
        self.owner = os.getpid()
        self.changes = 0
        self.at_work = threading.Lock()
        Finalize(self, end, (self.others, self.owner), exitpriority=1)  # when it is out of use, or Python ends
        self.parameters = list(model.parameters())
        self.weights = []
        if self.n > 1:
            self._check_possible()
            with self._or_alone(1):
                self._share_weights()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def __reduce_ex__(self, protocol):
        """What copy and pickle ask for. Raises DTypeError."""
        raise DTypeError(
            "Replicas: processes and the memory that they share cannot be copied or pickled; copy the "
            "network without what refers to its Replicas, and make Replicas of the copy"
        )

    def gradients(self, images, labels):
        """Images (N,C,H,W) and labels (N,) -> (mean loss, number of correct images), the gradients in each p.grad.

        The mean is over the labels that are not −100. Gradients of before are forgotten, and their memory may be used
        again. Raises GraphError, and makes none, when the loss is not finite; and what the model and cross_entropy
        raise, after which the next batch may come.
        """
        images, labels = parts.checked(images, labels)
        N = len(images)
        with self._at_work():
            if self._started(images):
                copies = self.n if self.n > N else 1
                counted = int((labels != parts.IGNORED).sum())
                orders = [
                    (part, labels[part], (part.stop - part.start) / N, copies, counted) for part in parts.cut(N, self.n)
                ]
                with self._together(images, "gradients", orders):
                    loss, correct = self._part(*self._own(images, *orders[0]))
                    self.exchange.collect()
            else:
                loss, correct = parts.forward_and_back(self.model, images, labels)
        return loss, round(correct * N / labels.size)

    def predict(self, images):
        """Images (N,C,H,W) -> what the network says of them in evaluation mode, an array; its mode stays as it is."""
        images = Tensor(images).data
        with self._at_work():
            if images.ndim < 2 or len(images) < self.n or not self._started(images):
                return parts.answers(self.model, images)
            orders = [(part, (part.stop - part.start) / len(images)) for part in parts.cut(len(images), self.n)]
            with self._together(images, "answers", orders):
                mine = parts.part_answers(self.model, *self._own(images, *orders[0]), self.meeting)
                return np.concatenate([mine, *(other.answer() for other in self.others)])

    def close(self):
        """Let the other processes go, and the parameters move back. The next batch would start new ones."""
        end(self.others, self.owner)
        own = {}
        for p, shared in zip(self.parameters, self.weights):
            if p.data is shared:
                if id(shared) not in own:
                    own[id(shared)] = shared.copy(order="K")
                p.data = own[id(shared)]
        self.weights, self.snapshot = [], None

    def go_on_alone(self):
        """Let the other processes go for good: this one carries all batches from now on."""
        self.close()
        self.n = 1

    # Getting the others ready

    def _check_possible(self):
        reason = why_not(self.model)
        if reason:
            raise OptionError(f"Replicas: {reason}; use one process")

    @contextmanager
    def _or_alone(self, calls):
        """Where the system refuses what is asked for in this block, one process goes on, and says so.

        calls: how many lie between the block and the caller's line, at which the warning points.
        """
        try:
            yield
        except RefusedError as error:
            self.go_on_alone()
            self.reason = str(error)
            warnings.warn(f"Replicas: one process computes, because {error}", RuntimeWarning, stacklevel=3 + calls)

    @contextmanager
    def _at_work(self):
        """For one batch at a time, in the process that these replicas belong to."""
        if self.n > 1 and os.getpid() != self.owner:
            raise ProcessError(
                f"Replicas: these belong to process {self.owner}, of which this one is a fork; "
                "make Replicas of its own here"
            )
        if not self.at_work.acquire(blocking=False):
            raise GraphError(
                "Replicas: they are at work on a batch already, in another thread or around this call; "
                "give each thread a network and Replicas of its own"
            )
        try:
            yield
        finally:
            self.at_work.release()

    def _started(self, images):
        """Whether other processes are there for these images, started if need be; False where one does it all."""
        if self.n > 1 and not self._fits(images):
            end(self.others, self.owner)
            self._check_possible()
            with self._or_alone(2):
                self._start(images)
        return self.n > 1

    def _fits(self, images):
        """Whether the other processes can take this batch: they live, it is no larger, they have the same network."""
        if (
            self.snapshot is None
            or not all(other.process.is_alive() for other in self.others)
            or len(images) > len(self.images)
            or images.dtype != self.images.dtype
            or channels_last(images).shape[1:] != self.images.shape[1:]
            or [np.shape(b) for b in parts.buffers(self.places)] != [copy.shape for copy in self.buffers]
        ):
            return False
        change = self.snapshot.difference(Snapshot(self.model, self.parameters))
        self.changes = self.changes + 1 if change else 0
        if self.changes == IN_A_ROW:
            warnings.warn(
                f"Replicas: {change} of the network changes between batches, so the other processes are "
                "started anew for each, which takes time; keep it outside of the network, or in a buffer",
                RuntimeWarning,
                stacklevel=4,
            )
        return not change

    def _start(self, images):
        self._share_weights()
        self.images = shared_copy(channels_last(images))
        self.places = parts.buffer_places(self.model)
        self.buffers = [shared_copy(buffer) for buffer in parts.buffers(self.places)]
        self.meeting = Meeting(self.n)
        self.exchange = Exchange(self.parameters, self.n)
        self.settled = set()
        self.meeting.look = partial(look_at, self.others)
        get_num_threads()  # holds the BLAS to one thread, here and in those that are forked
        start(self._serve, self.n, self.meeting, self.others)

    def _share_weights(self):
        """Move the parameters into memory that all see; those that are one array stay one."""
        self.parameters = list(self.model.parameters())
        before = [p.data for p in self.parameters]
        there = {id(w): w for w in self.weights}
        for w in before:
            if id(w) not in there:
                there[id(w)] = shared_copy(w)
        self.weights = [there[id(w)] for w in before]
        for p, w in zip(self.parameters, self.weights):
            p.data = w

    # A batch

    def _own(self, images, part, *order):
        """The order with this process's part of the images in place of the slice."""
        return channels_first(np.ascontiguousarray(channels_last(images[part]))), *order

    @contextmanager
    def _together(self, images, work, orders):
        """The others do this work for parts of the images, as ordered, while this process is alone() with its own."""
        own = len(images) // self.n if len(images) >= self.n else 0  # images that this process alone looks at
        self.images[own : len(images)] = channels_last(images)[own:]
        for copy, buffer in zip(self.buffers, parts.buffers(self.places)):
            copy[...] = buffer
        self.snapshot, done = None, False  # which would keep alive what is now to be replaced
        try:
            for other, order in zip(self.others, orders[1:]):
                other.send((work, *order))
            with alone(0, self.n):
                yield
            self._settle(work)
            done = True
        except NotFiniteError:
            done = True
            raise
        finally:
            if done:
                # What forward() has changed, it has changed in each process.
                self.snapshot = Snapshot(self.model, self.parameters)
            else:
                self._undo(work)

    def _undo(self, work):
        """After a batch that failed: the other processes go, and the network is what it was before."""
        end(self.others, self.owner)
        for copy, buffer in zip(self.buffers, parts.buffers(self.places)):
            if copy.shape == np.shape(buffer):
                buffer[...] = copy
        if work == "gradients":
            self.model.zero_grad()

    def _part(self, images, *order):
        """(loss, number of correct labels) of the whole batch, and the gradients of all processes added up."""
        rank = self.meeting.rank
        with self.exchange.sending(rank):
            said = parts.part_forward_and_back(self.model, self.parameters, self.places, images, *order, self.meeting)
        self.meeting(np.zeros(1), SENT)
        self.exchange.add(rank)
        self.meeting(np.zeros(1), ADDED)
        return said

    def _settle(self, work):
        """After the first work of a kind, which has brought the memory that the next will use."""
        if work not in self.settled:
            self.settled.add(work)
            join_pages()

    def _serve(self, orders, send):
        """What another process does: its part of each batch that it is ordered."""
        forked()
        mode.recording = True  # though it may have been forked inside no_grad()
        with alone(self.meeting.rank, self.n):
            while True:
                work, part, *order = orders()
                images = channels_first(self.images[part])
                for copy, buffer in zip(self.buffers, parts.buffers(self.places)):
                    if buffer.flags.writeable:
                        buffer[...] = copy
                if work == "answers":
                    send(parts.part_answers(self.model, images, *order, self.meeting))
                else:
                    with suppress(NotFiniteError):
                        self._part(images, *order)
                self._settle(work)
