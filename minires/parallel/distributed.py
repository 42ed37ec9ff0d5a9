"""Data parallelism over ranks, as PyTorch's DistributedDataParallel.

Every rank has the whole network, and all images of a batch. It computes forward and backward for its part r of the
images. The loss is the mean over all of them, however many each rank has:

    L = Σ_r S_r/m,    ∂L/∂w = Σ_r ∂(S_r/m)/∂w      S_r: the sum over the labels of rank r, m: labels in all

The gradients are added up in buckets while backward goes on (buckets.py). Then each rank makes the same step of the
optimizer. Batch norm has two ways:

    sync_norm=True     over the whole batch: its sums are added up in the order of ranks, as Replicas do. The result
                       equals that of one process up to rounding.
    sync_norm=False    over this rank's part, which needs no exchange. Each batch then averages the running statistics
                       over ranks, weighted by their images. So they are the same in all ranks at any time.
"""

import zlib

import numpy as np

from minires.errors import GraphError, OptionError
from minires.nn import Module
from minires.parallel import parts
from minires.parallel.buckets import Buckets
from minires.parallel.memory import difference
from minires.parallel.replicas import unsupported_reason
from minires.tensor import Tensor


class Distributed:
    """A network of which each rank computes a part of each batch. It has the face of Replicas.

    ranks = parallel.connect()
    with ranks.together(), Distributed(model, ranks) as network:
        loss, correct = network.gradients(images, labels)   # the whole batch, which is the same in all ranks
        optimizer.step()

    Raises OptionError if several processes cannot train the network, and GraphError if the ranks' weights differ.
    """

    def __init__(self, model, ranks, sync_norm=False):
        if not isinstance(model, Module):
            raise OptionError(f"Distributed: needs a minires.nn.Module, got {type(model).__name__}")
        reason = unsupported_reason(model, forked=False)
        if reason:
            raise OptionError(f"{reason}; start one rank only (mpiexec -n 1)")
        self.model, self.ranks, self.sync_norm = model, ranks, sync_norm
        self.n = ranks.size
        self.parameters = list(model.parameters())
        self.buckets = Buckets(self.parameters, ranks)

    def __enter__(self):
        self.check_same()
        return self

    def __exit__(self, kind, error, trace):
        if error is None:
            self.check_same()
        self.close()

    def close(self):
        """Nothing is left behind, because the ranks belong to mpiexec."""

    def check_same(self):
        """Raise GraphError in all ranks if their weights or running statistics are not the same to the bit."""
        arrays = self.model.state_dict().values()
        digest = float(zlib.crc32(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)))
        digests = self.ranks.rows(digest)
        if (digests != digests[0]).any():
            rank = int((digests != digests[0]).argmax())
            raise GraphError(
                f"rank {rank} has other weights than rank 0; start all ranks with the same settings, the same version "
                "of minires and NumPy, and processors that compute the same bits"
            )

    def gradients(self, images, labels):
        """Images (N,C,H,W) and labels (N,) of the whole batch -> (mean loss, number of correct images) of it.

        The gradients in each p.grad are those of the whole batch. They are overwritten in the next one. A batch that is
        too small to be shared is computed by each rank. The rest is as in Replicas.gradients().
        """
        images, labels = parts.check_batch(images, labels)
        N = len(images)
        classes = parts.class_numbers(labels)
        part, copies = self._part(N)
        with self.buckets.filling():
            loss, correct = parts.forward_backward_part(
                self.model,
                self.parameters,
                parts.buffer_names(self.model),
                images[part],
                labels[part],
                (part.stop - part.start) / N,
                copies,
                int((classes != parts.IGNORED).sum()),
                self._all_reduce,
                sync_norm=self.sync_norm,
            )
        # with sync_norm those of the first rank, because the others differ in the last bits
        share = float(self.ranks.rank == 0) if self.sync_norm else (part.stop - part.start) / N / copies
        self._average_statistics(share)
        self.buckets.finish()
        return loss, round(correct * N / classes.size)

    def predict(self, images):
        """Images (N,C,H,W) -> the network's outputs in evaluation mode, an array. The network stays in its mode."""
        images = Tensor(images).data
        N = len(images)
        if self.n > N:
            return parts.predict(self.model, images)
        part = parts.split(N, self.n)[self.ranks.rank]
        return self.ranks.join(
            parts.predict_part(self.model, images[part], (part.stop - part.start) / N, self._all_reduce)
        )

    def _part(self, N):
        """(this rank's part of N images, how many ranks have that part).

        Batch norm over a part needs two images, because their feature maps may have shrunk to one pixel.
        """
        if self.n * (1 if self.sync_norm else 2) > N:
            return slice(0, N), self.n
        return parts.split(N, self.n)[self.ranks.rank], 1

    def _all_reduce(self, values, purpose, checksum=0):
        """The sums over ranks. Raises GraphError in all of them if they differ in purpose or checksum."""
        values = np.asarray(values)
        header = np.array([purpose, values.size, checksum], np.float64)
        rows = self.ranks.rows(np.concatenate([header, values.ravel()]))
        headers = rows[:, :3].astype(np.int64)
        if (headers != headers[0]).any():
            raise GraphError(difference(headers))
        return rows[:, 3:].sum(axis=0).reshape(values.shape)

    def _average_statistics(self, share):
        """Replace the running statistics by their mean over ranks, weighted by their shares of the images."""
        names = parts.buffer_names(self.model)
        arrays = [buffer for buffer in parts.buffers(names) if buffer.dtype.kind == "f"]
        if not arrays:
            return
        mean = self.ranks.sum(np.concatenate([array.ravel() for array in arrays]) * share)
        start = 0
        for array in arrays:
            array[...] = mean[start : start + array.size].reshape(array.shape)
            start += array.size
