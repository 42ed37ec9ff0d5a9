"""The training loop: steps, evaluation, the log, and checkpoints from which a run resumes with the same bits.

Every random number depends on the seed and its place: the weights on the seed, the order of epoch e on (seed, e), the
augmentation of its batch b on (seed, e, b), and how it is mixed on (seed, e, b, 1). So a checkpoint needs no more than
weights, optimizer, place and log. A resumed run gets the same batches as a run without interruption.
"""

import contextlib
import math
import time
import warnings

import numpy as np

from minires import console, data
from minires.arrays import to_device
from minires.data.dataset import check_all
from minires.errors import CheckpointError, DataError, GraphError, OptionError, ProcessError
from minires.optim import clip_grad_norm_
from minires.parallel import Alone, Distributed, Replicas
from minires.parallel.parts import NotFiniteError
from minires.plots import plot_curves
from minires.storage import save_checkpoint
from minires.train import kept, pretrained
from minires.train.accumulation import accumulated
from minires.train.average import Average
from minires.train.folder import CHECKPOINT, FolderLock, checkpoints, locked_by_first, new_folder
from minires.train.freezing import train_mode
from minires.train.log import bring_up_to_date, write_log
from minires.train.setup import (
    complete,
    load_data,
    make_loader,
    make_mix,
    make_model,
    make_optimizer,
    make_schedule,
    use_device,
)
from minires.train.state import check_data, check_state, checkpoint_error, contents, restore, state_of
from minires.train.step import EpochTotals, check_arrays_finite, evaluate, gradients

EVALUATION_BATCH = 256
SAVE_EVERY = 300  # seconds: no more is lost if the machine fails in a long epoch


class Run:
    """A training run in a folder: checkpoint.safetensors and those kept from before it, log.csv and curves.png.

    Run.start(config) starts one, and Run.resume(folder) resumes one. fit() trains until the end, or until stop() is
    true. No other process can write the folder until fit() has ended or close() is called.
    ranks: processes that do all this together (minires.parallel.connect). Only the first one writes files.
    """

    def __init__(self, config, check_data=None, ranks=None):
        """check_data(run): raises unless the run's train_set, test_set and contents are what they must be."""
        self.ranks = ranks or Alone()
        use_device(config)
        self.train_set, self.test_set = load_data(config)
        self.contents = {"train": contents(self.train_set), "test": contents(self.test_set)}
        if check_data:
            check_data(self)
        self.config = config = complete(config, self.train_set, self.ranks.size)
        self.ranks.patience = config.patience
        self.model = make_model(config, self.train_set)
        self.optimizer = make_optimizer(config, self.model)
        self.average = Average(self.model, config.ema)
        self.loader = make_loader(config, self.model, self.train_set)
        self.mix = make_mix(config, len(self.train_set.classes))
        self.test_loader = data.ArrayLoader(self.test_set, min(EVALUATION_BATCH, len(self.test_set)))
        self.schedule = make_schedule(config, config.epochs * len(self.loader))
        self.epoch = self.batch = 0
        self.totals = EpochTotals()  # of the current epoch
        self.history = []
        self.replicas = self._shared(self.model)
        self.can_save = True  # False within a step, when weights and optimizer do not belong together
        self.lock = self.saved_at = self.saved_step = None
        self.notice = warnings.warn
        self.origin = ""  # a line about the weights that a new run goes on from

    def _shared(self, model):
        """The processes that share each batch of a network: the ranks, or else forked ones."""
        if self.ranks.size > 1:
            return Distributed(model, self.ranks, self.config.sync_norm)
        return Replicas(model, self.config.processes_for(model))

    @classmethod
    def start(cls, config, ranks=None):
        """A new run, with the weights that its Config names. All images are checked before its folder is made.

        Raises DataError for broken images, CheckpointError for weights that do not fit, and OptionError for a folder
        with another run in it or that another process writes.
        """
        config, weights = pretrained.read(config)
        run = cls(config, ranks=ranks)
        if weights:
            run.origin = weights.fill(run.model, config.model, len(run.train_set.classes))
            run.average = Average(run.model, config.ema)
        check_all(run.train_set, run.test_set)
        run.lock = locked_by_first(run.ranks, lambda: _lock_of_new_run(config))
        return run

    @classmethod
    def resume(cls, folder, given=None, ranks=None, on_notice=warnings.warn):
        """The run of the checkpoint in this folder. given: settings that may differ now (Config.MAY_DIFFER).

        If the newest checkpoint cannot be read, the one before is taken, and on_notice(text) is called. Raises
        CheckpointError that says what is wrong with the checkpoint.
        """
        if not checkpoints(folder):
            raise CheckpointError(f"there is no run to resume in {folder} (no {CHECKPOINT})")
        lock = locked_by_first(ranks or Alone(), lambda: FolderLock(folder))
        given = given or {}
        try:
            found = kept.newest_sound(folder)
            path, sections, state = found.path, found.sections, found.state
            stored = check_state(path, sections, state)
            config = stored.resumed({**given, "out": str(folder)}, done=state["epoch"] + (state["batch"] > 0))
            try:
                run = cls(config, lambda run: check_data(path, state, run, config.dataset), ranks)
            except OptionError as error:
                if given:  # the flags may be wrong, not the checkpoint
                    raise
                raise checkpoint_error(path, error) from error
            restore(run, path, sections, state)
            run.lock = lock
            run.ranks.from_first(lambda: found.settle(run.step, on_notice))
            run.ranks.from_first(lambda: bring_up_to_date(run.log_path, run.history, on_notice))
        except BaseException:
            lock.release()
            raise
        return run

    def close(self):
        """Let other processes write the folder. If it is empty and was made for this run, it is removed."""
        if self.lock:
            self.lock.release()

    @property
    def folder(self):
        return self.lock.folder

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
        """Optimizer steps done so far."""
        return self.epoch * len(self.loader) + self.batch

    @property
    def finished(self):
        """Whether all epochs are trained."""
        return self.epoch >= self.config.epochs

    def save(self, *, together=True):
        """Replace the checkpoint by a new one, and keep as many from before as the config says.

        together: all ranks are here, so that an error is raised in all.

        Raises GraphError if the loss or a weight is not finite, and OSError if the file cannot be written. The old
        checkpoint stays then.
        """
        self.can_save = False
        totals = self._naming_step(self.totals.read)
        arrays = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()} | self.average.sections()
        self._naming_step(lambda: check_arrays_finite(arrays))
        ranks = self.ranks if together else Alone()
        ranks.from_first(lambda: kept.save(self, arrays, state_of(self, totals), save_checkpoint))
        self.can_save = True
        self.saved_at = time.monotonic()
        self.saved_step = self.step

    def fit(self, *, stop=lambda: False, on_step=None, on_epoch=None, on_notice=warnings.warn):
        """Train to the end -> True. If stop() is true after a step, save and return -> False.

        on_step(run, images) and on_epoch(run, row) are called with the progress. on_notice(text) is called after a
        failure that does not end the run: a checkpoint that could not be written is tried again later. Any other error
        is raised, after a save if that is possible; an error before the first step leaves no checkpoint. GraphError,
        for a loss that is not finite, names the step.
        """
        self.lock.acquire()
        self.notice = on_notice
        train_mode(self.model, self.config.freeze)
        new = self.ranks.from_first(lambda: not self.checkpoint_path.exists())
        try:
            if new:  # to find out now, and not after an epoch, whether saving works
                self.ranks.from_first(lambda: kept.check_room(self))
                self.save()
            self.saved_at = time.monotonic()
            with self.replicas:
                return self._fit(stop, on_step, on_epoch)
        except (Exception, KeyboardInterrupt) as error:
            if isinstance(error, DataError):  # a broken image is to be replaced, and then the run resumed
                self.contents = {part: {**images, "digest": ""} for part, images in self.contents.items()}
            if self.ranks.rank == 0 and new and self.step == 0 and isinstance(error, Exception):
                self._remove_checkpoint()
            elif self.ranks.rank == 0 and self.can_save:
                self._try_to_save(together=False)
            raise
        finally:
            self.close()

    def _fit(self, stop, on_step, on_epoch):
        while not self.finished:
            began = time.perf_counter()
            for images, labels in self.loader.epoch(self.epoch, start=self.batch):
                self._step(images, labels)
                now = time.perf_counter()
                self.totals.seconds += max(0.0, now - began)  # a clock may be set back
                if on_step:
                    on_step(self, len(labels))
                stopped, is_late = self.ranks.any(stop(), time.monotonic() - self.saved_at > SAVE_EVERY)
                if stopped:
                    self.save()
                    return False
                if is_late:
                    self._try_to_save()
                began = time.perf_counter()
            row = self._finish_epoch(lambda: self.ranks.any(stop())[0])
            if row is None:
                self.save()
                return False
            failure = self._try_to_save()
            if on_epoch:
                on_epoch(self, row)
            if self.finished and failure:
                raise failure
            if self.ranks.any(stop())[0] and not self.finished:
                return False
        return True

    def _remove_checkpoint(self):
        """Remove the checkpoint of a run that has not done a step, because it is of no use."""
        with contextlib.suppress(OSError):
            self.checkpoint_path.unlink()
            self.saved_step = None

    def _try_to_save(self, *, together=True):
        """Save checkpoint and log; if that fails, give notice and try again later. -> the error, or None"""
        try:
            self.save(together=together)
        except OSError as error:
            if not self.finished:
                self.notice(f"not saved, to be tried again: {console.reason(error)}; the last checkpoint stays")
            self.saved_at = time.monotonic()
            return error
        try:
            if self.history and self.ranks.rank == 0:
                write_log(self.log_path, self.history)
        except OSError as error:  # nothing is lost: the checkpoint has the whole log
            self.notice(f"the checkpoint is saved, its log is not: {console.reason(error)}")
        return None

    def _step(self, images, labels):
        """Mix, compute the gradient, clip it, move the weights, and average them; most runs do not ask for all."""
        rng = np.random.default_rng(np.random.SeedSequence(self.config.seed, spawn_key=(self.epoch, self.batch, 1)))
        images, targets = self.mix(images, labels, rng)
        images = to_device(images, self.config.device)
        targets = to_device(targets, self.config.device)
        parameters = list(self.model.parameters())
        self.optimizer.lr = self.schedule(self.step)
        self.can_save = False
        loss, correct = accumulated(self._gradients, parameters, images, targets, self.config.accumulate)
        if self.config.clip_grad_norm:
            clip_grad_norm_(parameters, self.config.clip_grad_norm)
        self.optimizer.step()
        self.average.update()
        self.batch += 1
        self.totals.add(loss, correct, len(labels))
        self.can_save = True

    def _gradients(self, images, targets):
        def work():
            return gradients(self.model, images, targets, self.replicas if self.replicas.n > 1 else None)

        return self._surviving_processes(lambda: self._naming_step(work))

    def _surviving_processes(self, work):
        """work(). If another process ends in it, repeat it with this process only, and go on so.

        Replicas have restored the network from before the batch.
        """
        try:
            return work()
        except ProcessError as error:
            self.replicas.go_on_alone()
            self.notice(f"{str(error).partition(';')[0]}; this process goes on alone")
            self.saved_at = -math.inf  # save soon, because this process may be the next to end
            return work()

    def _testing(self, network):
        """The ranks that share the test of another network than the run's own; None for one process."""
        return Distributed(network, self.ranks) if self.ranks.size > 1 else None

    def progress(self):
        """(mean loss, accuracy) of the epoch so far. Raises GraphError when the loss is not finite."""
        totals = self._naming_step(self.totals.read)
        return totals["loss"] / totals["seen"], totals["correct"] / totals["seen"]

    def _naming_step(self, work):
        """work(); an error about the loss names the step."""
        try:
            return work()
        except NotFiniteError as error:
            raise GraphError(
                f"{error} at step {self.step} (epoch {self.epoch + 1}, batch {self.batch + 1}, learning "
                f"rate {self.optimizer.lr:.3g}); try a smaller --lr, with another --out"
            ) from error

    def _finish_epoch(self, stop):
        """Evaluate, and add a row to the history. -> the row; None if stop() became true before the end"""
        loss, accuracy = self.progress()
        seen, seconds = self.totals.seen, self.totals.seconds
        tested = self._surviving_processes(
            lambda: evaluate(self.model, self.test_loader, self.config.device, self.replicas, stop)
        )
        averaged = tested and self.average.tested(
            lambda network: evaluate(network, self.test_loader, self.config.device, self._testing(network), stop)
        )
        if averaged is None:
            return None
        test_loss, test_accuracy = tested
        row = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "lr": self.schedule(self.step - 1),
            "train_loss": loss,
            "train_accuracy": accuracy,
            "test_loss": test_loss,
            "test_accuracy": test_accuracy,
            **averaged,
            "images_per_second": seen / max(seconds, 1e-9),
            "seconds": seconds,
        }
        self.history.append(row)
        self.epoch, self.batch = self.epoch + 1, 0
        self.totals = EpochTotals()
        return row

    def draw(self):
        """Write curves.png."""
        plot_curves(self.history, self.curves_path, title=f"{self.config.model} on {self.train_set.name}")


def _lock_of_new_run(config):
    """The lock on the folder of a new run. Raises OptionError if a run is there."""
    lock = FolderLock(config.out) if config.out else FolderLock(new_folder(config), made=True)
    if checkpoints(lock.folder):
        lock.release()
        raise OptionError(f"{lock.folder} holds a run already; go on with it by --resume, or choose another --out")
    return lock
