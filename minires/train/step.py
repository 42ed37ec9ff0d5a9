"""One step of training, what an epoch adds up, and the evaluation."""

import math

from minires import ops
from minires.arrays import to_device
from minires.parallel import Replicas
from minires.parallel.parts import NotFiniteError
from minires.tensor import Tensor
from minires.train.state import not_finite


def train_step(model, optimizer, images, labels, replicas=None):
    """One step of the optimiser on arrays: images (N,C,H,W), labels (N,) -> (loss, number of correct pictures).

    replicas: processes of the model that share the batch. Raises GraphError, before anything is changed, when the loss
    is not finite. On a GPU, which computes while the host goes on, neither is waited for: they come as arrays of one
    number, and are to be looked at later (Totals).
    """
    if replicas is not None:
        found = replicas.gradients(images, labels)
        optimizer.step()
        return found
    logits = model(Tensor(images))
    loss = ops.cross_entropy(logits, labels)
    correct = (logits.data.argmax(axis=1) == labels).sum()
    if loss.device == "cpu":
        check_finite(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return (loss.item(), int(correct)) if loss.device == "cpu" else (loss.data, correct)


def check_finite(loss):
    if not math.isfinite(loss):
        raise NotFiniteError(f"the loss is {loss}")


class Totals:
    """What an epoch has added up so far: pictures `seen`, `seconds`, and loss and correct, which a device may hold."""

    def __init__(self, seen=0, seconds=0.0, loss=0.0, correct=0):
        self.seen, self.seconds, self._loss, self._correct = seen, seconds, loss, correct

    def add(self, loss, correct, pictures):
        """A step's mean loss and number of correct pictures: numbers, or arrays on a device."""
        self._loss = self._loss + loss * pictures
        self._correct = self._correct + correct
        self.seen += pictures

    def read(self):
        """{seen, seconds, loss, correct} as numbers. Raises GraphError when the loss is not finite."""
        loss = float(self._loss)
        correct = int(self._correct)
        check_finite(loss)
        return {"loss": loss, "correct": correct, "seen": self.seen, "seconds": self.seconds}


def evaluate(model, loader, device="cpu", replicas=None, stop=lambda: False):
    """(mean loss, accuracy) of a model in evaluation mode over a loader; the mode stays as it is.

    replicas: processes of the model that share each batch. None if stop() became true on the way.
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
    """Raise GraphError, naming the array, when one of these arrays holds NaN or infinity."""
    fault = not_finite(sections)
    if fault:
        raise NotFiniteError(fault)
