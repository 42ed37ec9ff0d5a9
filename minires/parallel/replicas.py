"""Data parallelism on one machine: processes that share a batch and batch norm's sums, and add up their gradients.

Threads of Python wait for one interpreter, processes do not. Every process holds the whole network, whose weights are
one piece of memory that all see, and carries its part of the pictures forward and back. They meet for

    the loss                    L = Σ_r w_r·L_r, with w_r the share of the pictures that process r has
    each batch norm, forward    Σ x and Σ x², so that μ and σ² are the whole batch's
    each batch norm, backward   Σ ∂L/∂y and Σ ∂L/∂y·x̂

and each sends w_r·L_r back, so that the gradients of all are the parts of a sum (gradients.py). What comes out is what
one process makes, up to rounding, and the same bits for the same number of processes; in PyTorch it is
DistributedDataParallel with SyncBatchNorm. The optimiser's step is left to the first process. In evaluation pictures do
not meet at all: each process answers for its part.
"""

import math
import multiprocessing
import os
import pickle
import signal
import sys
import traceback
import warnings
from contextlib import contextmanager, suppress
from itertools import pairwise
from multiprocessing.util import Finalize

import numpy as np

from minires import ops
from minires.arrays import channels_last
from minires.errors import GraphError, OptionError
from minires.graph import no_grad
from minires.kernels.batch import meeting
from minires.kernels.memory import join_pages
from minires.kernels.workers import alone, forked, get_num_threads
from minires.parallel.gradients import Exchange
from minires.parallel.memory import LeftError, Meeting, shared_copy
from minires.tensor import Tensor


def why_not(model):
    """Why several processes cannot train this network here; "" if they can."""
    if not sys.platform.startswith("linux"):
        return f"processes are forked, which is safe on Linux only, not on {sys.platform}"
    places = {p.device for p in model.parameters()} - {"cpu"}
    if places:
        return f"processes share the CPU's memory, and the network is on {min(places)}"
    for name, module in model.named_modules():
        if hasattr(module, "rng"):
            return f"{name} draws random numbers in training, and all processes would draw the same"
    return ""


class Replicas:
    """n processes, this one among them, that carry a batch through a network together.

    with Replicas(model, 2) as replicas:
        loss, correct = replicas.gradients(images, labels)  # in place of the model, the loss and loss.backward()
        optimizer.step()
        logits = replicas.predict(images)                   # in place of model.eval() and the model, under no_grad()

    The parameters move into memory that all processes share; the others get their copy of the network with the first
    batch, and a new one when a parameter or a module's mode is replaced. Raises OptionError where that is impossible
    (why_not).
    """

    def __init__(self, model, n):
        if n < 1:
            raise OptionError(f"Replicas: needs at least 1 process, got {n}")
        reason = why_not(model) if n > 1 else ""
        if reason:
            raise OptionError(f"Replicas: {reason}; use one process")
        self.model, self.n, self.others, self.images = model, n, [], None
        Finalize(self, _end, (self.others,), exitpriority=1)  # when nobody has it any more, or Python ends
        self.parameters = list(model.parameters())
        if n > 1:
            for p in self.parameters:
                p.data = shared_copy(p.data)
        self.weights, self.modes = [p.data for p in self.parameters], []

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def gradients(self, images, labels):
        """Images (N,C,H,W) and labels (N,) -> (mean loss, number of correct pictures), the gradients in each p.grad.

        Gradients of before are forgotten, and their memory may be used again. Raises GraphError, and makes none, when
        the loss is not finite.
        """
        N = len(images)
        if self.n == 1:
            loss, accuracy = _forward_and_back(self.model, images, labels)
            return loss, round(accuracy * N)
        orders = [(part, labels[part], own, (part.stop - part.start) / N) for part, own in _cut(N, self.n)]
        with self._together(images, "gradients", orders[1:]):
            part, *order = orders[0]
            loss, accuracy = self._part(channels_last(images[part]), *order)
            self.exchange.collect()
        return loss, round(accuracy * N)

    def _part(self, images, *order):
        """(loss, accuracy) of the whole batch, and the gradients of all processes added up."""
        rank = self.meeting.rank
        with self.exchange.sending(rank):
            said = _forward_and_back(self.model, images, *order, self.meeting)
        self.meeting(np.zeros(1))  # all have sent
        self.exchange.add(rank)
        self.meeting(np.zeros(1))  # all have added
        return said

    def predict(self, images):
        """Images (N,C,H,W) -> what the network says of them in evaluation mode, an array; its mode stays as it is."""
        if self.n == 1 or len(images) < self.n:
            return _answers(self.model, images)
        parts = [part for part, _ in _cut(len(images), self.n)]
        with self._together(images, "answers", [(part,) for part in parts[1:]]):
            mine = _answers(self.model, channels_last(images[parts[0]]))
            return np.concatenate([mine, *(other.answer() for other in self.others)])

    @contextmanager
    def _together(self, images, work, orders):
        """The others do this work for parts of the images, as ordered, while this process is alone() with its own."""
        if not self._fits(images):
            self.close()
            self._start(images)
        own = len(images) // self.n if len(images) >= self.n else 0  # pictures that this process alone looks at
        self.images[own:len(images)] = images[own:].transpose(0, 2, 3, 1)
        for copy, (_, buffer) in zip(self.buffers, self.model.named_buffers()):
            copy[...] = buffer
        try:
            for other, order in zip(self.others, orders):
                other.pipe.send((work, *order))
            with alone(0, self.n):
                yield
            self._settle(work)
        except _NotFiniteError:  # which all processes have seen; they wait for the next batch
            raise
        except BaseException:
            self.close()
            raise

    def _settle(self, work):
        """After the first work of a kind, which has brought the memory that the next will use."""
        if work not in self.settled:
            self.settled.add(work)
            join_pages()

    def close(self):
        """Let the other processes go. The next batch would start new ones."""
        _end(self.others)

    def _fits(self, images):
        """Whether the other processes can take this batch: they live, it is no larger, they have the same network."""
        return (bool(self.others) and all(other.process.is_alive() for other in self.others)
                and len(images) <= len(self.images) and images.dtype == self.images.dtype
                and images.transpose(0, 2, 3, 1).shape[1:] == self.images.shape[1:]
                and all(p.data is w for p, w in zip(self.parameters, self.weights))
                and self.modes == _modes(self.model))

    def _start(self, images):
        for i, p in enumerate(self.parameters):
            if p.data is not self.weights[i]:
                self.weights[i] = p.data = shared_copy(p.data)
        self.modes, self.images = _modes(self.model), shared_copy(images.transpose(0, 2, 3, 1))
        self.buffers = [shared_copy(buffer) for _, buffer in self.model.named_buffers()]
        self.meeting, self.exchange, self.settled = Meeting(self.n), Exchange(self.parameters, self.n), set()
        get_num_threads()  # holds the BLAS to one thread, here and in those that are forked
        context = multiprocessing.get_context("fork")
        ends = [context.Pipe() for _ in range(1, self.n)]
        for rank, (ours, theirs) in enumerate(ends, 1):
            process = context.Process(target=self._serve, args=(rank, theirs, [e for e, _ in ends]),
                                      name=f"minires replica {rank}")
            with warnings.catch_warnings():  # the workers' threads hold no lock while nothing is shared
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
            theirs.close()
            self.others.append(_Other(process, ours, self.meeting))
        self.meeting.look = lambda others=self.others: [other.receive(0) for other in others]

    def _serve(self, rank, pipe, ends):
        """What another process does: its part of each batch that comes through the pipe."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # they are for the first process, which lets the others go
        for end in ends:
            end.close()  # so that the pipe ends with the first process
        first = os.getppid()
        forked()
        self.meeting.rank, self.meeting.look = rank, lambda: os.getppid() == first or os._exit(1)
        try:
            with alone(rank, self.n):
                while True:
                    work, part, *order = pipe.recv()
                    images = self.images[part].transpose(0, 3, 1, 2)  # (n,H,W,C) -> (n,C,H,W)
                    for copy, (_, buffer) in zip(self.buffers, self.model.named_buffers()):
                        buffer[...] = copy
                    if work == "answers":
                        pipe.send(_answers(self.model, images))
                    else:
                        with suppress(_NotFiniteError):
                            self._part(images, *order)
                    self._settle(work)
        except (EOFError, LeftError):
            pass
        except Exception as error:
            with suppress(OSError):  # the first process has failed, too, and has gone
                pipe.send((_as_sent(error), traceback.format_exc()))
            self.meeting.leave()


def _modes(model):
    return [module.training for module in model.modules()]


def _cut(N, n):
    """(pictures, share of the batch) of each of n processes."""
    if n > N:  # each takes them all, and an equal share of what comes out
        return [(slice(0, N), 1 / n)] * n
    return [(slice(a, b), (b - a) / N) for a, b in pairwise(N * r // n for r in range(n + 1))]


def _end(others):
    while others:
        others.pop().end()


def _as_sent(error):
    """The error, or what stands for one that cannot go through a pipe."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return GraphError(f"{type(error).__name__}: {error}")
    return error


class _NotFiniteError(GraphError):
    pass


def _forward_and_back(model, images, labels, own=1.0, fraction=1.0, add_up=lambda numbers: numbers):
    """(L, accuracy) of the whole batch; the gradients of own·L_r in each p.grad."""
    for p in model.parameters():
        p.grad = None  # now, so that they need no room beside the maps
    with meeting(own, fraction, add_up):
        logits = model(Tensor(images))
        loss = ops.cross_entropy(logits, labels)
        right = (logits.data.argmax(axis=1) == labels).mean()
        value, accuracy = map(float, add_up(np.array([own * loss.item(), own * right])))
        if not math.isfinite(value):
            raise _NotFiniteError(f"the loss is {value}")
        (loss * own if own != 1 else loss).backward()
    return value, accuracy


def _answers(model, images):
    """What the model says of the images in evaluation mode."""
    modes = _modes(model)
    model.eval()
    try:
        with no_grad():
            return model(Tensor(images)).data
    finally:
        for module, mode in zip(model.modules(), modes):
            module.training = mode


class _Other:
    """What the first process knows of another one."""

    def __init__(self, process, pipe, meeting):
        self.process, self.pipe, self.meeting = process, pipe, meeting

    def receive(self, wait):
        """What it sends within so many seconds, or None. Raises its error if it has failed or ended."""
        alive = self.process.is_alive()  # asked first, for what it sends last is still to be read
        try:
            sent = self.pipe.recv() if self.pipe.poll(wait) else None
        except (EOFError, OSError):  # killed, it could not say anything
            self.process.join(1)
            sent, alive = None, False
        if isinstance(sent, tuple):
            error, text = sent
            raise error from GraphError(f"{self.process.name} failed:\n{text}")
        if sent is None and not alive:
            raise GraphError(f"{self.process.name} ended with exit status {self.process.exitcode}")
        return sent

    def answer(self):
        """The array that it was told to make."""
        while (sent := self.receive(0.1)) is None:
            pass
        return sent

    def end(self):
        self.meeting.leave()
        self.pipe.close()
        self.process.join(2)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
