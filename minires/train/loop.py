"""The training loop: steps, evaluation, the log, and checkpoints from which a run goes on to the same bits.

All randomness is keyed: weights by the seed, the order of epoch e by (seed, e), the augmentation of its batch b by
(seed, e, b). So what a checkpoint has to hold is weights, optimiser, place and the log so far; a resumed run makes the
very batches that the uninterrupted one would have made.
"""

import csv
import io
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from minires import cuda, data, models, ops, optim
from minires.arrays import to_device
from minires.errors import CheckpointError, GraphError, OptionError
from minires.parallel import Replicas
from minires.plots import plot_curves
from minires.storage import atomic_write, load_checkpoint, save_checkpoint
from minires.tensor import Tensor
from minires.train.config import Config

MOMENTUM = 0.9
EVALUATION_BATCH = 256
SAVE_EVERY = 300  # seconds: at most this much is lost when the machine dies in a long epoch


def train_step(model, optimizer, images, labels, replicas=None):
    """One step of the optimiser on arrays: images (N,C,H,W), labels (N,) -> (loss, number of correct pictures).

    replicas: processes of the model that share the batch. Raises GraphError, before anything is changed, when the loss
    is not finite. On a GPU, which computes while the host goes on, nobody waits for either: they come as arrays of one
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
        _check_finite(loss.item())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return (loss.item(), int(correct)) if loss.device == "cpu" else (loss.data, correct)


def _check_finite(loss):
    if not math.isfinite(loss):
        raise GraphError(f"the loss is {loss}")


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
        loss, correct = float(self._loss), int(self._correct)
        _check_finite(loss)
        return {"loss": loss, "correct": correct, "seen": self.seen, "seconds": self.seconds}


def evaluate(model, loader, device="cpu", replicas=None):
    """(mean loss, accuracy) of a model in evaluation mode over a loader; the mode stays as it is.

    replicas: processes of the model that share each batch.
    """
    replicas = replicas or Replicas(model, 1)
    seen, loss, correct = 0, 0.0, 0
    for images, labels in loader.epoch(0):
        images, labels = to_device(images, device), to_device(labels, device)
        logits = replicas.predict(images)
        loss += ops.cross_entropy(Tensor(logits), labels, reduction="sum").item()
        correct += int((logits.argmax(axis=1) == labels).sum())
        seen += len(labels)
    return loss / seen, correct / seen


def make_schedule(config, steps):
    """lr(step) for a run of so many steps. Multistep divides by 10 at 1/2 and 3/4, as He et al. 2015, §4.2."""
    steps = max(steps, 1)
    if config.schedule == "one_cycle":
        return optim.one_cycle(config.lr, total_steps=steps)
    if config.schedule == "multistep":
        return optim.multistep(config.lr, milestones=(steps // 2, steps * 3 // 4))
    if config.schedule == "cosine":
        return optim.cosine(config.lr, T_max=steps)
    return optim.constant(config.lr)


class Run:
    """A training run in a folder: checkpoint.safetensors, log.csv and curves.png.

    Run(config) starts one, Run.resume(folder) goes on with one; go() works until the end, or until stop() says so.
    """

    def __init__(self, config):
        self.config = config
        if config.device.startswith("cuda"):
            to_device(np.zeros(1), config.device).device.use()  # here it is said if there is no such GPU
            cuda.allow_tf32(config.tf32)
        elif config.tf32:
            raise OptionError("tf32 is for a GPU: add --device cuda")
        self.train_set, self.test_set = data.load(config.dataset, config.data or None)
        if config.limit:
            self.train_set = self.train_set.limit(min(config.limit, len(self.train_set)))
            self.test_set = self.test_set.limit(min(config.limit, len(self.test_set)))
        self.folder = Path(config.out or _new_folder(config))
        self.model = models.create(config.model, num_classes=len(self.train_set.classes),
                                   in_channels=self.train_set.shape[0], rng=config.seed).to(config.device)
        self.optimizer = optim.SGD(self.model.parameters(), config.lr, momentum=MOMENTUM,
                                   weight_decay=config.weight_decay)
        self.loader = data.Loader(self.train_set, config.batch_size, seed=config.seed, shuffle=True,
                                  transform=_transform(self.train_set, config.augment))
        self.test_loader = data.Loader(self.test_set, min(EVALUATION_BATCH, len(self.test_set)))
        self.schedule = make_schedule(config, config.epochs * len(self.loader))
        self.epoch = self.batch = 0
        self.totals = Totals()  # of the epoch under way
        self.history = []
        self.replicas = Replicas(self.model, config.processes_for(self.model))
        self.saved_at = time.monotonic()

    @classmethod
    def start(cls, config):
        """A new run; refuses a folder that holds one."""
        run = cls(config)
        if run.checkpoint_path.exists():
            raise OptionError(f"{run.folder} holds a run already; go on with it by --resume, or choose another --out")
        return run

    @classmethod
    def resume(cls, folder, given=None):
        """The run whose checkpoint lies in folder, as it was; `given` are settings that may differ (Config.FREE)."""
        path = Path(folder) / "checkpoint.safetensors"
        if not path.exists():
            raise CheckpointError(f"there is no run to resume in {folder} (no {path.name})")
        sections, state = load_checkpoint(path)
        try:
            config = Config(**state["config"]).resumed({**(given or {}), "out": str(folder)})
            run = cls(config)
            run.epoch, run.batch, run.totals = state["epoch"], state["batch"], Totals(**state["totals"])
            run.history = state["history"]
            run.model.load_state_dict(sections["model"])
            run.optimizer.load_state_dict(sections["optimizer"])
            for name, module in run.model.named_modules():
                if name in state["rng"]:
                    module.rng.bit_generator.state = state["rng"][name]
        except (KeyError, TypeError) as error:
            raise CheckpointError(f"{path} is no checkpoint of a training run: {error!r}") from error
        return run

    @property
    def checkpoint_path(self):
        return self.folder / "checkpoint.safetensors"

    @property
    def log_path(self):
        return self.folder / "log.csv"

    @property
    def curves_path(self):
        return self.folder / "curves.png"

    @property
    def step(self):
        """Optimiser steps done so far."""
        return self.epoch * len(self.loader) + self.batch

    def save(self):
        """Write the checkpoint, beside the old one and renamed. Raises GraphError when the loss is not finite."""
        totals = self._named(self.totals.read)
        arrays = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        rng = {name: module.rng.bit_generator.state for name, module in self.model.named_modules()
               if hasattr(module, "rng")}
        save_checkpoint(self.checkpoint_path, arrays, {
            "config": asdict(self.config), "epoch": self.epoch, "batch": self.batch, "totals": totals,
            "history": self.history, "rng": rng})
        self.saved_at = time.monotonic()

    def go(self, *, stop=lambda: False, on_step=None, on_epoch=None):
        """Train to the end -> True; or save and leave after the step during which stop() became true -> False.

        on_step(run, pictures) and on_epoch(run, row) are told of progress. Raises GraphError naming the step when
        the loss is not finite; the last checkpoint is left as it is.
        """
        self.model.train()
        with self.replicas:
            return self._go(stop, on_step, on_epoch)

    def _go(self, stop, on_step, on_epoch):
        while self.epoch < self.config.epochs:
            began = time.perf_counter()
            for images, labels in self.loader.epoch(self.epoch, start=self.batch):
                self._step(images, labels)
                now = time.perf_counter()
                self.totals.seconds += now - began
                if on_step:
                    on_step(self, len(labels))
                if stop():
                    self.save()
                    return False
                if time.monotonic() - self.saved_at > SAVE_EVERY:
                    self.save()
                began = time.perf_counter()
            row = self._finish_epoch()
            if on_epoch:
                on_epoch(self, row)
            if stop():  # during the evaluation
                return False
        return True

    def _step(self, images, labels):
        device = self.config.device
        self.optimizer.lr = self.schedule(self.step)
        loss, correct = self._named(lambda: train_step(
            self.model, self.optimizer, to_device(images, device), to_device(labels, device),
            self.replicas if self.replicas.n > 1 else None))
        self.batch += 1
        self.totals.add(loss, correct, len(labels))

    def progress(self):
        """(mean loss, accuracy) of the epoch so far. Raises GraphError when the loss is not finite."""
        totals = self._named(self.totals.read)
        return totals["loss"] / totals["seen"], totals["correct"] / totals["seen"]

    def _named(self, do):
        """do(), where an error says at which step it came."""
        try:
            return do()
        except GraphError as error:
            raise GraphError(f"{error} at step {self.step} (epoch {self.epoch + 1}, batch {self.batch + 1}, learning "
                             f"rate {self.optimizer.lr:.3g}); try a smaller --lr") from error

    def _finish_epoch(self):
        """Evaluate, add a row to the log, and save."""
        loss, accuracy = self.progress()
        seen, seconds = self.totals.seen, self.totals.seconds
        test_loss, test_accuracy = evaluate(self.model, self.test_loader, self.config.device, self.replicas)
        row = {"epoch": self.epoch + 1, "step": self.step, "lr": self.schedule(self.step - 1),
               "train_loss": loss, "train_accuracy": accuracy,
               "test_loss": test_loss, "test_accuracy": test_accuracy,
               "images_per_second": seen / seconds, "seconds": seconds}
        self.history.append(row)
        self.epoch, self.batch = self.epoch + 1, 0
        self.totals = Totals()
        self.save()
        self.write_log()
        return row

    def write_log(self):
        """log.csv, one line an epoch, made anew from the history so that it always agrees with the checkpoint."""
        text = io.StringIO()
        writer = csv.DictWriter(text, self.history[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        atomic_write(self.log_path, text.getvalue().encode())

    def draw(self):
        """curves.png"""
        plot_curves(self.history, self.curves_path, title=f"{self.config.model} on {self.train_set.name}")


def _transform(dataset, augment):
    normalise = data.normalise(dataset.mean, dataset.std)
    if not augment:
        return normalise
    # digits are small, and a mirrored 2 is no 2
    changes = (data.pad_and_crop(1),) if dataset.name == "digits" else (data.pad_and_crop(4), data.flip())
    return data.compose(*changes, normalise)


def _new_folder(config):
    name = Path("runs") / f"{Path(config.dataset).name}-{config.model}"
    number = 1
    folder = name
    while folder.exists():
        number += 1
        folder = name.with_name(f"{name.name}-{number}")
    return folder
