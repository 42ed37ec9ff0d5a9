"""Data parallelism on one machine, as PyTorch's DistributedDataParallel with SyncBatchNorm.

Python's threads wait for one interpreter; processes do not. Every process has the whole network, with weights in shared
memory, and computes forward and backward for its part of the images. An all-reduce adds up, over all processes r,

    for the loss                    L = Σ_r S_r/m, with S_r the sum over the labels of process r, and m labels in all
    for each batch norm, forward    Σ x and Σ x², which give μ and σ² of the whole batch
    for each batch norm, backward   Σ ∂L/∂y and Σ ∂L/∂y·x̂

Process r runs backward from S_r/m, so the gradient of L is the sum of all processes' gradients (gradients.py). The
result equals that of one process up to rounding, and has the same bits for the same number of processes. The first
process makes the optimizer's step. In evaluation, only a batch norm without running statistics needs an all-reduce.
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
from minires.parallel.gradients import ReduceScatter
from minires.parallel.memory import ADDED, SENT, AllReduce, RefusedError, shared_copy
from minires.parallel.parts import NotFiniteError, channels_first, channels_last
from minires.parallel.process import check_workers, start_workers, stop_workers
from minires.parallel.snapshot import Opaque, Snapshot
from minires.system import why_no_processes
from minires.tensor import Tensor

MAX_PROCESSES = 256  # the same on all machines, so that each accepts the settings of a run from another
CHANGES_BEFORE_WARNING = 5  # how many batches in a row find the network changed


def unsupported_reason(model, *, forked=True):
    """Why several processes cannot train this network here; "" if they can. forked: started by this one.

    It does not notice a module that draws from a generator outside of itself, such as the one of minires.random.
    """
    if forked and why_no_processes():
        return why_no_processes()
    if forked and not sys.platform.startswith("linux"):
        return f"processes are forked, which is safe on Linux only, not on {sys.platform}"
    devices = {p.device for p in model.parameters()} - {"cpu"}
    if devices:
        return f"processes share the work of the CPU, and the network is on {min(devices)}"
    for name, module in model.named_modules():
        name = name or type(module).__name__
        if _draws(module):
            return f"{name} draws random numbers in training, and all processes would draw the same ones"
        if getattr(module._hooks, "backward", None):
            return f"a backward hook on {name} needs gradients, and each process has those of its part of a batch only"
    return ""


def _draws(module):
    """Whether a module may draw random numbers. One that says so itself has `draws`, and its generator is its _rng."""
    generators = (np.random.Generator, np.random.RandomState, random.Random)
    found = {name for name, value in vars(module).items() if isinstance(value, generators)}
    if hasattr(type(module), "draws"):
        return module.draws or bool(found - {"_rng"})
    return bool(found) or "rng" in vars(module) or hasattr(type(module), "rng")


class Replicas(Opaque):
    """n processes, with this one among them, that compute each batch together.

    with Replicas(model, 2) as replicas:
        loss, correct = replicas.gradients(images, labels)  # instead of model(images), the loss and loss.backward()
        optimizer.step()
        logits = replicas.predict(images)                   # instead of model.eval()(images) under no_grad()

    The parameters move into shared memory. The other processes get a copy of the network with the first batch. They get
    a new copy whenever the network has changed between two batches (snapshot.py says which changes are noticed).

    Each process has a part of the images. So forward() and forward hooks must compute each image by itself, except in
    batch norm. What they change in a module must not depend on the images. A hook on a parameter is called in this
    process, with the whole gradient. Other hooks on gradients are refused.

    Raises OptionError if several processes are impossible (unsupported_reason). If the system refuses memory or
    processes, there is a RuntimeWarning, and one process goes on: n is 1 then, and `reason` says why.
    A ProcessError says that another process has ended or does not move. Parameters and buffers are then those from
    before the batch. The next batch starts new processes, unless go_on_alone() was called.
    """

    def __init__(self, model, n):
        if not isinstance(model, Module):
            raise OptionError(f"Replicas: needs a minires.nn.Module, got {type(model).__name__}")
        self.model, self.reason = model, ""
        self.n = number_of("process", "Replicas", n, MAX_PROCESSES)
        self.workers = []
        self.images = None
        self.snapshot = None
        self.owner = os.getpid()
        self.changes = 0
        self.lock = threading.Lock()
        # called when the object is no longer used, or Python ends
        Finalize(self, stop_workers, (self.workers, self.owner), exitpriority=1)
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
        """Refuse copy and pickle. Raises DTypeError."""
        raise DTypeError(
            "Replicas: processes and the memory that they share cannot be copied or pickled; copy the "
            "network without what refers to its Replicas, and make Replicas of the copy"
        )

    def gradients(self, images, labels):
        """Images (N,C,H,W) and labels (N,) -> (mean loss, number of correct images), the gradients in each p.grad.

        The mean is over the labels that are not −100. They may be the probabilities of all classes, floats (N,K), as
        in cross_entropy; its most probable class is then the right one. Old gradients are overwritten. Raises
        GraphError if the loss is not finite, and leaves no gradients then. Raises what the model and cross_entropy
        raise; the next batch is computed as usual.
        """
        images, labels = parts.check_batch(images, labels)
        N = len(images)
        classes = parts.class_numbers(labels)
        with self._locked():
            if self._started(images):
                copies = self.n if self.n > N else 1
                counted = int((classes != parts.IGNORED).sum())
                tasks = [
                    (part, labels[part], (part.stop - part.start) / N, copies, counted)
                    for part in parts.split(N, self.n)
                ]
                with self._in_parallel(images, "gradients", tasks):
                    loss, correct = self._gradients_of_part(*self._first_part(images, *tasks[0]))
                    self.reduce_scatter.gather()
            else:
                loss, correct = parts.forward_backward(self.model, images, labels)
        return loss, round(correct * N / classes.size)

    def predict(self, images):
        """Images (N,C,H,W) -> the network's outputs in evaluation mode, an array. The network stays in its mode."""
        images = Tensor(images).data
        with self._locked():
            if images.ndim < 2 or len(images) < self.n or not self._started(images):
                return parts.predict(self.model, images)
            tasks = [(part, (part.stop - part.start) / len(images)) for part in parts.split(len(images), self.n)]
            with self._in_parallel(images, "predict", tasks):
                first = parts.predict_part(self.model, *self._first_part(images, *tasks[0]), self.all_reduce)
                return np.concatenate([first, *(worker.result() for worker in self.workers)])

    def close(self):
        """Stop the other processes, and move the parameters back. The next batch would start new processes."""
        stop_workers(self.workers, self.owner)
        own = {}
        for p, shared in zip(self.parameters, self.weights):
            if p.data is shared:
                if id(shared) not in own:
                    own[id(shared)] = shared.copy(order="K")
                p.data = own[id(shared)]
        self.weights, self.snapshot = [], None

    def go_on_alone(self):
        """Stop the other processes for good: this one computes all batches from now on."""
        self.close()
        self.n = 1

    # Starting the other processes

    def _check_possible(self):
        reason = unsupported_reason(self.model)
        if reason:
            raise OptionError(f"Replicas: {reason}; use one process")

    @contextmanager
    def _or_alone(self, calls):
        """If the system refuses memory or a process in this block, warn, and go on with one process.

        calls: the number of calls between the block and the user's line, where the warning shall point.
        """
        try:
            yield
        except RefusedError as error:
            self.go_on_alone()
            self.reason = str(error)
            warnings.warn(f"Replicas: one process computes, because {error}", RuntimeWarning, stacklevel=3 + calls)

    @contextmanager
    def _locked(self):
        """Hold a lock while a batch is computed. Raises ProcessError in a fork, GraphError if it is held already."""
        if self.n > 1 and os.getpid() != self.owner:
            raise ProcessError(
                f"Replicas: these belong to process {self.owner}, and this is a fork of it; make new Replicas here"
            )
        if not self.lock.acquire(blocking=False):
            raise GraphError(
                "Replicas: they compute another batch already, in another thread or around this call; "
                "give each thread its own network and Replicas"
            )
        try:
            yield
        finally:
            self.lock.release()

    def _started(self, images):
        """Make sure that other processes can compute this batch. -> False if this process is the only one"""
        if self.n > 1 and not self._fits(images):
            stop_workers(self.workers, self.owner)
            self._check_possible()
            with self._or_alone(2):
                self._start(images)
        return self.n > 1

    def _fits(self, images):
        """Whether the other processes can compute this batch: they live, it is not larger, the network is the same."""
        if (
            self.snapshot is None
            or not all(worker.process.is_alive() for worker in self.workers)
            or len(images) > len(self.images)
            or images.dtype != self.images.dtype
            or channels_last(images).shape[1:] != self.images.shape[1:]
            or [np.shape(b) for b in parts.buffers(self.buffer_names)] != [copy.shape for copy in self.buffer_copies]
        ):
            return False
        change = self.snapshot.difference(Snapshot(self.model, self.parameters))
        self.changes = self.changes + 1 if change else 0
        if self.changes == CHANGES_BEFORE_WARNING:
            warnings.warn(
                f"Replicas: {change} of the network changes between batches, so new processes are started "
                "for each batch, which takes time; keep it outside of the network, or in a buffer",
                RuntimeWarning,
                stacklevel=4,
            )
        return not change

    def _start(self, images):
        self._share_weights()
        self.images = shared_copy(channels_last(images))
        self.buffer_names = parts.buffer_names(self.model)
        self.buffer_copies = [shared_copy(buffer) for buffer in parts.buffers(self.buffer_names)]
        self.all_reduce = AllReduce(self.n)
        self.reduce_scatter = ReduceScatter(self.parameters, self.n)
        self.joined = set()
        self.all_reduce.check_others = partial(check_workers, self.workers)
        get_num_threads()  # limits the BLAS to one thread, here and in the forked processes
        start_workers(self._work, self.n, self.all_reduce, self.workers)

    def _share_weights(self):
        """Move the parameters into shared memory. Parameters that share one array still do."""
        self.parameters = list(self.model.parameters())
        arrays = [p.data for p in self.parameters]
        moved = {id(w): w for w in self.weights}
        for w in arrays:
            if id(w) not in moved:
                moved[id(w)] = shared_copy(w)
        self.weights = [moved[id(w)] for w in arrays]
        for p, w in zip(self.parameters, self.weights):
            p.data = w

    # A batch

    def _first_part(self, images, part, *arguments):
        """The first process's task, with its images instead of their slice."""
        return channels_first(np.ascontiguousarray(channels_last(images[part]))), *arguments

    @contextmanager
    def _in_parallel(self, images, kind, tasks):
        """The other processes do the tasks for their parts of the images, while this block does that of the first."""
        own = len(images) // self.n if len(images) >= self.n else 0  # images that only this process needs
        self.images[own : len(images)] = channels_last(images)[own:]
        for copy, buffer in zip(self.buffer_copies, parts.buffers(self.buffer_names)):
            copy[...] = buffer
        self.snapshot, done = None, False  # a snapshot would keep alive what is now replaced
        try:
            for worker, task in zip(self.workers, tasks[1:]):
                worker.send((kind, *task))
            with alone(0, self.n):
                yield
            self._join_pages_once(kind)
            done = True
        except NotFiniteError:
            done = True
            raise
        finally:
            if done:
                # each process has made the changes of forward() itself
                self.snapshot = Snapshot(self.model, self.parameters)
            else:
                self._undo(kind)

    def _undo(self, kind):
        """After a batch that failed: stop the other processes, and restore the network from before the batch."""
        stop_workers(self.workers, self.owner)
        for copy, buffer in zip(self.buffer_copies, parts.buffers(self.buffer_names)):
            if copy.shape == np.shape(buffer):
                buffer[...] = copy
        if kind == "gradients":
            self.model.zero_grad()

    def _gradients_of_part(self, images, *arguments):
        """(mean loss, number of correct labels) of the whole batch; the sum of all processes' gradients is ready."""
        rank = self.all_reduce.rank
        with self.reduce_scatter.sending(rank):
            result = parts.forward_backward_part(
                self.model, self.parameters, self.buffer_names, images, *arguments, self.all_reduce
            )
        self.all_reduce(np.zeros(1), SENT)
        self.reduce_scatter.reduce(rank)
        self.all_reduce(np.zeros(1), ADDED)
        return result

    def _join_pages_once(self, kind):
        """After the first task of a kind, because its memory is used again by all later ones."""
        if kind not in self.joined:
            self.joined.add(kind)
            join_pages()

    def _work(self, next_task, send):
        """The loop of another process: its part of each batch."""
        forked()
        mode.recording = True  # it may have been forked inside no_grad()
        with alone(self.all_reduce.rank, self.n):
            while True:
                kind, part, *arguments = next_task()
                images = channels_first(self.images[part])
                for copy, buffer in zip(self.buffer_copies, parts.buffers(self.buffer_names)):
                    if buffer.flags.writeable:
                        buffer[...] = copy
                if kind == "predict":
                    send(parts.predict_part(self.model, images, *arguments, self.all_reduce))
                else:
                    with suppress(NotFiniteError):
                        self._gradients_of_part(images, *arguments)
                self._join_pages_once(kind)
