"""The work of a process on its part of a batch: forward and backward, or a prediction in evaluation mode."""

import math
import zlib
from contextlib import nullcontext
from functools import partial
from itertools import pairwise

import numpy as np

from minires import ops
from minires.arrays import is_array
from minires.errors import DTypeError, GraphError, ShapeError
from minires.kernels.sync import shared_batch
from minires.mode import mode, no_grad
from minires.parallel.gradients import check_hooks
from minires.parallel.memory import LOSS, NORM, PREDICTED
from minires.tensor import Tensor, unwrap

IGNORED = -100  # the label that cross_entropy leaves out, as in PyTorch


class NotFiniteError(GraphError):
    """The loss is NaN or infinite. All processes know it, and wait for the next batch."""


def check_batch(images, labels):
    """(images, labels) as arrays. Raises DTypeError, ShapeError or GraphError for what one process would refuse."""
    images = Tensor(images).data
    labels = unwrap(labels)
    is_soft = is_array(labels) and labels.dtype.kind == "f" and labels.ndim > 1
    if not is_soft and (not is_array(labels) or labels.dtype.kind not in "iu"):
        kind = labels.dtype if is_array(labels) else type(labels).__name__
        raise DTypeError(
            "Replicas: labels must be an array of class numbers as integers, or of the probabilities of all classes "
            f"as floats, got {kind}"
        )
    if images.ndim < 2 or not images.size or labels.shape[:1] != images.shape[:1]:
        raise ShapeError(
            f"Replicas: images (N,C,H,W) are {images.shape}, labels (N,) are {labels.shape}; "
            "give at least one image, and a label for each"
        )
    if not mode.recording:
        raise GraphError("Replicas: no gradients are recorded inside no_grad(); call gradients() outside of it")
    return images, labels


def class_numbers(labels):
    """Class numbers: the labels themselves, or the most probable classes where labels are probabilities (N,K,…)."""
    return labels.argmax(axis=1) if labels.dtype.kind == "f" else labels


def split(N, n):
    """N images in n slices, one for each process. With fewer images than processes, each slice holds all images."""
    if n > N:
        return [slice(0, N)] * n
    return [slice(a, b) for a, b in pairwise(N * r // n for r in range(n + 1))]


def forward_backward(model, images, labels):
    """(mean loss, number of correct labels) of a batch in one process; the gradients in each p.grad."""
    model.zero_grad()  # before forward, so that old gradients need no memory beside the activations
    logits = model(Tensor(images))
    loss = ops.cross_entropy(logits, labels, ignore_index=IGNORED)
    value = loss.item()
    correct = _correct(logits, labels)
    _check_finite(value)
    loss.backward()
    return value, correct


def forward_backward_part(
    model, parameters, buffer_names, images, labels, fraction, copies, counted, all_reduce, sync_norm=True
):
    """(mean loss, number of correct labels) of the whole batch. The sum of all processes' p.grad is its gradient.

    fraction: of the batch's images, those in this part; copies: how many processes have this part;
    counted: the number of labels of the whole batch that are not IGNORED;
    sync_norm: whether batch norm uses the statistics of the whole batch, and not of this part.
    """
    for p in parameters:
        p.grad = None
    whole_batch = shared_batch(fraction / copies, fraction, partial(all_reduce, purpose=NORM))
    with whole_batch if sync_norm else nullcontext():
        logits = model(Tensor(images))
        scale = 1 / (copies * counted) if counted else math.nan  # the mean of no labels
        loss = ops.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum") * scale
        local = np.array([loss.item(), _correct(logits, labels) / copies])
        value, correct = map(float, all_reduce(local, LOSS, _checksum(buffer_names)))
        _check_finite(value)
        check_hooks(loss, parameters)
        loss.backward()
    return value, correct


def predict(model, images):
    """The network's outputs for the images in evaluation mode, an array."""
    modes = [module.training for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            return model(Tensor(images)).data
    finally:
        for module, training in zip(model.modules(), modes):
            module.training = training


def predict_part(model, images, fraction, all_reduce):
    """The network's outputs for this part of the images in evaluation mode.

    A batch norm without running statistics uses those of the whole batch, as in one process.
    """
    with shared_batch(fraction, fraction, partial(all_reduce, purpose=NORM)):
        outputs = predict(model, images)
    all_reduce(np.zeros(1), PREDICTED)  # raises in all processes if they have passed different numbers of norms
    return outputs


def buffer_names(model):
    """(module, name) of each buffer that is an array."""
    names = ((module, name) for module in model.modules() for name in module._buffers)
    return [(module, name) for module, name in names if isinstance(unwrap(getattr(module, name)), np.ndarray)]


def buffers(names):
    """The buffers of these names as they are now: forward() may have replaced them."""
    return [unwrap(getattr(module, name, None)) for module, name in names]


def channels_last(images):
    """(N,C,H,W) -> (N,H,W,C), the memory order of convolutions; other arrays unchanged."""
    return images.transpose(0, 2, 3, 1) if images.ndim == 4 else images


def channels_first(images):
    """The inverse of channels_last()."""
    return images.transpose(0, 3, 1, 2) if images.ndim == 4 else images


def _correct(logits, labels):
    return int((logits.data.argmax(axis=1) == class_numbers(labels)).sum())


def _checksum(names):
    """A checksum of all integers in buffers, such as num_batches_tracked: it must be the same in each process."""
    return zlib.crc32(b"".join(buffer.tobytes() for buffer in buffers(names) if buffer.dtype.kind in "biu"))


def _check_finite(loss):
    if not math.isfinite(loss):
        raise NotFiniteError(f"the loss is {loss}")
