"""One training step, the sums over an epoch, and the evaluation."""

import math

from minires import ops
from minires.arrays import to_device
from minires.parallel import Replicas
from minires.parallel.parts import NotFiniteError, class_numbers
from minires.tensor import Tensor
from minires.train.state import not_finite


def train_step(model, optimizer, images, labels, replicas=None):
    """One step of the optimizer on arrays: images (N,C,H,W), labels (N,) -> (loss, number of correct images).

    replicas: processes of the model that share the batch. Raises GraphError if the loss is not finite, before anything
    is changed. On a GPU the host does not wait: both results are arrays of one element, to be read later (EpochTotals).
    """
    result = gradients(model, images, labels, replicas)
    optimizer.step()
    return result


def gradients(model, images, targets, replicas=None):
    """∂L/∂w in each .grad, without a step -> (loss L, number of correct images); the rest as in train_step.

    targets: class numbers (N,), or probabilities of all classes (N,K). Of these the most probable class is correct.
    """
    if replicas is not None:
        return replicas.gradients(images, targets)
    logits = model(Tensor(images))
    loss = ops.cross_entropy(logits, targets)
    correct = (logits.data.argmax(axis=1) == class_numbers(targets)).sum()
    if loss.device == "cpu":
        check_finite(loss.item())
    model.zero_grad()
    loss.backward()
    return (loss.item(), int(correct)) if loss.device == "cpu" else (loss.data, correct)


def check_finite(loss):
    if not math.isfinite(loss):
        raise NotFiniteError(f"the loss is {loss}")


class EpochTotals:
    """Sums over the epoch so far: images `seen`, `seconds`, loss and correct; the last two may be on a GPU."""

    def __init__(self, seen=0, seconds=0.0, loss=0.0, correct=0):
        self.seen, self.seconds, self._loss, self._correct = seen, seconds, loss, correct

    def add(self, loss, correct, images):
        """Add a step's mean loss and number of correct images: numbers, or arrays on a GPU."""
        self._loss = self._loss + loss * images
        self._correct = self._correct + correct
        self.seen += images

    def read(self):
        """{seen, seconds, loss, correct} as numbers. Raises GraphError if the loss is not finite."""
        loss = float(self._loss)
        correct = int(self._correct)
        check_finite(loss)
        return {"loss": loss, "correct": correct, "seen": self.seen, "seconds": self.seconds}


def evaluate(model, loader, device="cpu", replicas=None, stop=lambda: False):
    """(mean loss, accuracy) of a model in evaluation mode over a loader; None if stop() is true before a batch.

    replicas: processes of the model that share each batch. The model stays in its mode.
    """
    replicas = replicas or Replicas(model, 1)
    seen, loss, correct = 0, 0.0, 0
    for images, labels in loader.epoch(0):
        if stop():
            return None
        images = to_device(images, device)
        labels = to_device(labels, device)
        logits = replicas.predict(images)
        loss += ops.cross_entropy(Tensor(logits), labels, reduction="sum").item()
        correct += int((logits.argmax(axis=1) == labels).sum())
        seen += len(labels)
    return loss / seen, correct / seen


def check_arrays_finite(sections):
    """Raise GraphError that names an array with NaN or infinity in it."""
    fault = not_finite(sections)
    if fault:
        raise NotFiniteError(fault)
