"""The training loop: steps, evaluation, the log, and checkpoints from which a run goes on to the same bits.

All randomness is keyed: weights by the seed, the order of epoch e by (seed, e), the augmentation of its batch b by
(seed, e, b). So what a checkpoint has to hold is weights, optimiser, place and the log so far; a resumed run makes the
very batches that the uninterrupted one would have made.
"""

import contextlib
import copy
import csv
import errno
import io
import math
import shutil
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from minires import console, cuda, data, models, optim
from minires.arrays import to_device
from minires.errors import CheckpointError, GraphError, OptionError, ProcessError, ShapeError
from minires.mode import no_grad
from minires.parallel import Replicas
from minires.parallel.parts import NotFiniteError
from minires.plots import plot_curves
from minires.storage import atomic_write, load_checkpoint, save_checkpoint
from minires.tensor import Tensor
from minires.train.config import Config
from minires.train.folder import CHECKPOINT, Hold, new_folder
from minires.train.state import check_arrays, check_place, check_state, check_steps, describe, refused
from minires.train.step import Totals, check_arrays_finite, evaluate, train_step

MOMENTUM = 0.9
EVALUATION_BATCH = 256
SAVE_EVERY = 300  # seconds: at most this much is lost when the machine dies in a long epoch


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

    Run.start(config) starts one, Run.resume(folder) goes on with one; go() works until the end, or until stop() says
    so. From its making to the end of go() no other process may write the folder; `close` lets go of it before.
    """

    def __init__(self, config):
        if config.device.startswith("cuda"):
            to_device(np.zeros(1), config.device).device.use()  # here it is said if there is no such GPU
            cuda.allow_tf32(config.tf32)
        elif config.tf32:
            raise OptionError("tf32 is for a GPU: add --device cuda")
        self.train_set, self.test_set = data.load(config.dataset, config.data or None, config.size or None)
        if config.limit:
            self.train_set = self.train_set.limit(min(config.limit, len(self.train_set)))
            self.test_set = self.test_set.limit(min(config.limit, len(self.test_set)))
        self.config = config = _chosen(config, self.train_set)
        if config.processes > config.batch_size:
            raise OptionError(
                f"processes must be at most the batch_size, {config.batch_size}, because each takes an "
                f"image or more, got {config.processes}"
            )
        self.model = models.create(
            config.model, num_classes=len(self.train_set.classes), in_channels=self.train_set.shape[0], rng=config.seed
        ).to(config.device)
        self.optimizer = optim.SGD(
            self.model.parameters(), config.lr, momentum=MOMENTUM, weight_decay=config.weight_decay
        )
        self.loader = data.ArrayLoader(
            self.train_set,
            config.batch_size,
            seed=config.seed,
            shuffle=True,
            transform=_transform(self.train_set, config.augment),
            drop_last=self._last_is_too_small(),
        )
        self.test_loader = data.ArrayLoader(self.test_set, min(EVALUATION_BATCH, len(self.test_set)))
        self.schedule = make_schedule(config, config.epochs * len(self.loader))
        self.epoch = self.batch = 0
        self.totals = Totals()  # of the epoch under way
        self.history = []
        self.replicas = Replicas(self.model, config.processes_for(self.model))
        self.can_save = True  # no step is under way, so that all that a checkpoint holds belongs together
        self.hold = self.saved_at = self.saved_step = None
        self.notice = warnings.warn

    def _last_is_too_small(self):
        """Whether an epoch's last batch is one image that the network cannot train on, and is left out therefore.

        Batch norm needs two values a channel, which one image lacks when its maps have shrunk to 1×1. The images are
        shuffled, so that it is another one in each epoch. Raises OptionError if every batch would be such.
        """
        size = self.config.batch_size
        if size > 1 and len(self.train_set) % size != 1:
            return False
        trial = copy.deepcopy(self.model).train()  # it draws numbers and counts batches
        try:
            with no_grad():
                trial(Tensor(to_device(np.zeros((1, *self.train_set.shape), np.float32), self.config.device)))
        except ShapeError as error:
            if size == 1:
                remedy = "use a --batch-size of at least 2" if len(self.train_set) > 1 else "train on more than one"
                raise OptionError(
                    f"{self.config.model} cannot train on one image of {self.train_set.shape} at a time "
                    f"({error}); {remedy}"
                ) from error
            return True
        return False

    @classmethod
    def start(cls, config):
        """A new run. Refuses a folder that holds one, that another process writes, or that cannot be written.

        Before a folder is made, all images are looked at. Raises DataError for one that is broken.
        """
        run = cls(config)
        for part in (run.train_set, run.test_set):
            part.check()
        run.hold = Hold(config.out) if config.out else Hold(new_folder(config), made=True)
        if run.checkpoint_path.exists():
            run.close()
            raise OptionError(f"{run.folder} holds a run already; go on with it by --resume, or choose another --out")
        return run

    @classmethod
    def resume(cls, folder, given=None):
        """The run whose checkpoint lies in folder, as it was; `given` are settings that may differ (Config.FREE).

        Raises CheckpointError for whatever is wrong with the checkpoint, naming what and how.
        """
        path = Path(folder) / CHECKPOINT
        if not path.exists():
            raise CheckpointError(f"there is no run to resume in {folder} (no {path.name})")
        hold = Hold(folder)
        given = given or {}
        try:
            sections, state = load_checkpoint(path)
            stored = check_state(path, sections, state)
            config = stored.resumed({**given, "out": str(folder)}, done=state["epoch"] + (state["batch"] > 0))
            try:
                run = cls(config)
            except OptionError as error:
                if given:  # the flags may be to blame
                    raise
                raise refused(path, error) from error
            run._restore(path, sections, state)
        except BaseException:
            hold.release()
            raise
        run.hold = hold
        return run

    def _restore(self, path, sections, state):
        check_place(path, state, self)
        check_arrays(path, sections, self)
        self.epoch = state["epoch"]
        self.batch = state["batch"]
        self.totals = Totals(**state["totals"])
        self.history = state["history"]
        try:
            self.model.load_state_dict(sections["model"])
            self.optimizer.load_state_dict(sections["optimizer"])
        except CheckpointError as error:
            raise refused(path, error) from error
        check_steps(path, self)
        self.saved_step = self.step
        for name, module in self.model.named_modules():
            if name in state["rng"]:
                module.rng.bit_generator.state = state["rng"][name]

    def close(self):
        """Let other processes write the folder; an empty one that was made for this run goes."""
        if self.hold:
            self.hold.release()

    @property
    def folder(self):
        return self.hold.folder

    @property
    def checkpoint_path(self):
        return self.folder / CHECKPOINT

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

    @property
    def finished(self):
        """Whether all epochs are trained."""
        return self.epoch >= self.config.epochs

    def save(self):
        """Write the checkpoint, beside the old one and renamed.

        Raises GraphError when the loss or a weight is not finite, and OSError, naming the file, when it cannot be
        written; the old checkpoint stays.
        """
        self.can_save = False
        totals = self._named(self.totals.read)
        arrays = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        self._named(lambda: check_arrays_finite(arrays))
        rng = {
            name: module.rng.bit_generator.state
            for name, module in self.model.named_modules()
            if hasattr(module, "rng")
        }
        save_checkpoint(
            self.checkpoint_path,
            arrays,
            {
                "config": self.config.as_dict(),
                "epoch": self.epoch,
                "batch": self.batch,
                "totals": totals,
                "history": self.history,
                "rng": rng,
                "dataset": describe(self.train_set),
            },
        )
        self.can_save = True
        self.saved_at = time.monotonic()
        self.saved_step = self.step

    def go(self, *, stop=lambda: False, on_step=None, on_epoch=None, on_notice=warnings.warn):
        """Train to the end -> True; or save and leave after the step during which stop() became true -> False.

        on_step(run, images) and on_epoch(run, row) are told of progress, on_notice(text) of what went wrong and was
        got over: a checkpoint that could not be written is tried again later. Whatever else ends the training is
        raised, after a save wherever that is possible; an error before the first step leaves no checkpoint.
        GraphError, for a loss that is not finite, names the step.
        """
        self.hold.acquire()
        self.notice = on_notice
        self.model.train()
        new = not self.checkpoint_path.exists()
        try:
            if new:  # now, and not after an epoch, it is found out whether that works
                self._check_room()
                self.save()
            self.saved_at = time.monotonic()
            with self.replicas:
                return self._go(stop, on_step, on_epoch)
        except (Exception, KeyboardInterrupt) as error:
            if new and self.step == 0 and isinstance(error, Exception):
                self._leave_nothing()
            elif self.can_save:
                self._try_to_save()
            raise
        finally:
            self.close()

    def _go(self, stop, on_step, on_epoch):
        while not self.finished:
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
                    self._try_to_save()
                began = time.perf_counter()
            row = self._finish_epoch(stop)
            if row is None:
                self.save()
                return False
            failure = self._try_to_save()
            if on_epoch:
                on_epoch(self, row)
            if self.finished and failure:
                raise failure
            if stop() and not self.finished:
                return False
        return True

    def _check_room(self):
        """Raise OSError if the disk cannot take a checkpoint beside the old one, momentum among it."""
        size = sum(array.nbytes for array in self.model.state_dict().values())
        needed = 4 * size + 500_000  # the curves among it
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            self.can_save = False
            raise OSError(
                errno.ENOSPC,
                f"{free / 1e6:.1f} MB are free, and checkpoints need {needed / 1e6:.1f} MB",
                str(self.folder),
            )

    def _leave_nothing(self):
        """Take back the checkpoint of a run that has not done a step: it holds nothing that a new one would not."""
        with contextlib.suppress(OSError):
            self.checkpoint_path.unlink()
            self.saved_step = None

    def _try_to_save(self):
        """Save; if the disk does not let it, say so, and go on until the next time. -> the error, or None"""
        try:
            self.save()
        except OSError as error:
            if not self.finished:
                self.notice(f"not saved, to be tried again: {console.reason(error)}; the last checkpoint stays")
            self.saved_at = time.monotonic()
            return error
        try:
            if self.history:
                self.write_log()
        except OSError as error:  # the checkpoint holds all that the log says
            self.notice(f"the checkpoint is saved, its log is not: {console.reason(error)}")
        return None

    def _step(self, images, labels):
        device = self.config.device
        self.optimizer.lr = self.schedule(self.step)
        self.can_save = False
        loss, correct = self._alone_if_need_be(
            lambda: self._named(
                lambda: train_step(
                    self.model,
                    self.optimizer,
                    to_device(images, device),
                    to_device(labels, device),
                    self.replicas if self.replicas.n > 1 else None,
                )
            )
        )
        self.batch += 1
        self.totals.add(loss, correct, len(labels))
        self.can_save = True

    def _alone_if_need_be(self, work):
        """work(); and if another process that shared it has ended, once more in this one, which goes on alone.

        Replicas see to it that the network is then what it was before.
        """
        try:
            return work()
        except ProcessError as error:
            self.replicas.go_on_alone()
            self.notice(f"{str(error).partition(';')[0]}; this process goes on alone")
            self.saved_at = -math.inf  # the next may be this one
            return work()

    def progress(self):
        """(mean loss, accuracy) of the epoch so far. Raises GraphError when the loss is not finite."""
        totals = self._named(self.totals.read)
        return totals["loss"] / totals["seen"], totals["correct"] / totals["seen"]

    def _named(self, do):
        """do(), where an error about the loss says at which step it came."""
        try:
            return do()
        except NotFiniteError as error:
            raise GraphError(
                f"{error} at step {self.step} (epoch {self.epoch + 1}, batch {self.batch + 1}, learning "
                f"rate {self.optimizer.lr:.3g}); try a smaller --lr, with another --out"
            ) from error

    def _finish_epoch(self, stop):
        """Evaluate, and add a row to the log. -> the row, or None if stop() became true on the way"""
        loss, accuracy = self.progress()
        seen, seconds = self.totals.seen, self.totals.seconds
        tested = self._alone_if_need_be(
            lambda: evaluate(self.model, self.test_loader, self.config.device, self.replicas, stop)
        )
        if tested is None:
            return None
        row = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "lr": self.schedule(self.step - 1),
            "train_loss": loss,
            "train_accuracy": accuracy,
            "test_loss": tested[0],
            "test_accuracy": tested[1],
            "images_per_second": seen / max(seconds, 1e-9),
            "seconds": seconds,
        }
        self.history.append(row)
        self.epoch, self.batch = self.epoch + 1, 0
        self.totals = Totals()
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


def _chosen(config, train_set):
    """The configuration, with what it leaves to the data set."""
    size = len(train_set)
    few = config.batch_size == Config.batch_size > size  # nobody has asked for more images than there are
    return replace(config, size=train_set.shape[-1], batch_size=size if few else config.batch_size)


def _transform(dataset, augment):
    normalize = data.normalize(dataset.mean, dataset.std)
    if not augment:
        return normalize
    size = dataset.shape[1:]
    if dataset.name == "digits":  # they are small, and a flipped 2 is no 2
        return data.compose(data.random_crop(size, padding=1), normalize)
    return data.compose(data.random_crop(size, padding=4), data.random_horizontal_flip(), normalize)
