"""What a process does with its part of a batch: forward and back, or answers in evaluation mode."""

import math
import zlib
from functools import partial
from itertools import pairwise

import numpy as np

from minires import ops
from minires.arrays import is_array
from minires.errors import DTypeError, GraphError, ShapeError
from minires.kernels.sync import shared_batch
from minires.mode import mode, no_grad
from minires.parallel.gradients import check_listeners
from minires.parallel.memory import ANSWERED, LOSS, NORM
from minires.tensor import Tensor, unwrap

IGNORED = -100  # a label that counts for nothing, as in PyTorch


class NotFiniteError(GraphError):
    """The loss is no number, which all processes have seen; they wait for the next batch."""


def checked(images, labels):
    """Images and labels of a batch as arrays, if one process could learn from them."""
    images = Tensor(images).data
    labels = unwrap(labels)
    if not is_array(labels) or labels.dtype.kind not in "iu":
        kind = labels.dtype if is_array(labels) else type(labels).__name__
        raise DTypeError(f"Replicas: labels must be an array of class numbers as integers, got {kind}")
    if images.ndim < 2 or not images.size or labels.shape[:1] != images.shape[:1]:
        raise ShapeError(
            f"Replicas: images (N,C,H,W) are {images.shape}, labels (N,) are {labels.shape}; "
            "each image, and there must be one, needs its label"
        )
    if not mode.recording:
        raise GraphError("Replicas: no gradients are recorded inside no_grad(); call gradients() outside of it")
    return images, labels


def cut(N, n):
    """The images of each of n processes as slices; all of them for each where there are fewer images than processes."""
    if n > N:
        return [slice(0, N)] * n
    return [slice(a, b) for a, b in pairwise(N * r // n for r in range(n + 1))]


def forward_and_back(model, images, labels):
    """(mean loss, number of correct labels) of a batch in one process; the gradients in each p.grad."""
    model.zero_grad()  # now, so that they need no room beside the maps
    logits = model(Tensor(images))
    loss = ops.cross_entropy(logits, labels, ignore_index=IGNORED)
    value = loss.item()
    correct = _correct(logits, labels)
    _check_finite(value)
    loss.backward()
    return value, correct


def part_forward_and_back(model, parameters, places, images, labels, fraction, copies, counted, meet):
    """(mean loss, number of correct labels) of the whole batch; its gradients in the p.grad of all processes together.

    parameters and places: of the model, its buffers' places; fraction: the share of the images that this part has;
    copies: how many processes have the same part; counted: the labels of the whole batch that are not IGNORED.
    """
    for p in parameters:
        p.grad = None
    with shared_batch(fraction / copies, fraction, partial(meet, occasion=NORM)):
        logits = model(Tensor(images))
        scale = 1 / (copies * counted) if counted else math.nan  # a mean over nothing
        loss = ops.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum") * scale
        brought = np.array([loss.item(), _correct(logits, labels) / copies])
        value, correct = map(float, meet(brought, LOSS, _counts(places)))
        _check_finite(value)
        check_listeners(loss, parameters)
        loss.backward()
    return value, correct


def answers(model, images):
    """What the model says of the images in evaluation mode."""
    modes = [module.training for module in model.modules()]
    model.eval()
    try:
        with no_grad():
            return model(Tensor(images)).data
    finally:
        for module, training in zip(model.modules(), modes):
            module.training = training


def part_answers(model, images, fraction, meet):
    """What the model says of this part of the images in evaluation mode.

    A batch norm without running statistics uses those of the whole batch, as it does in one process.
    """
    with shared_batch(fraction, fraction, partial(meet, occasion=NORM)):
        said = answers(model, images)
    meet(np.zeros(1), ANSWERED)  # where one process has come to more norms than another, both learn of it
    return said


def buffer_places(model):
    """Where the arrays are that modules hold as buffers: (module, name)."""
    places = ((module, name) for module in model.modules() for name in module._buffers)
    return [(module, name) for module, name in places if isinstance(unwrap(getattr(module, name)), np.ndarray)]


def buffers(places):
    """What lies there now: forward() may have put other arrays in place of those of before."""
    return [unwrap(getattr(module, name, None)) for module, name in places]


def channels_last(images):
    """(N,C,H,W) -> (N,H,W,C), as a convolution wants them in memory; other arrays as they are."""
    return images.transpose(0, 2, 3, 1) if images.ndim == 4 else images


def channels_first(images):
    """The inverse of channels_last()."""
    return images.transpose(0, 3, 1, 2) if images.ndim == 4 else images


def _correct(logits, labels):
    return int((logits.data.argmax(axis=1) == labels).sum())


def _counts(places):
    """One number for all integers in buffers: batches that batch norms have counted are as many in each process."""
    return zlib.crc32(b"".join(buffer.tobytes() for buffer in buffers(places) if buffer.dtype.kind in "biu"))


def _check_finite(loss):
    if not math.isfinite(loss):
        raise NotFiniteError(f"the loss is {loss}")
