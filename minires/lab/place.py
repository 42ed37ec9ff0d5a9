"""Where a trial works: its folder, its progress, and whether it shall stop. train() trains a network there."""

from contextlib import closing
from pathlib import Path

import numpy as np

from minires import train as training
from minires.train.folder import checkpoints


class StoppedError(Exception):
    """The trial has been asked to stop. What it had done is saved."""


class Place:
    """What a trial gets beside its settings.

    folder: where it may keep files between two runs. progress(fraction) tells how much is done, from 0 to 1, and raises
    StoppedError when the experiment has been asked to stop; call it often.
    """

    def __init__(self, folder, on_progress=lambda fraction: None, stop=lambda: False):
        self.folder = Path(folder)
        self._on_progress = on_progress
        self.stop = stop

    def progress(self, fraction):
        self._on_progress(fraction)
        if self.stop():
            raise StoppedError

    def part(self, name, begin, end):
        """A Place within this one, with a folder of its own, whose progress goes from begin to end of this one's."""
        return Place(self.folder / name, lambda done: self._on_progress(begin + done * (end - begin)), self.stop)

    def train(self, *, until=1.0, **settings):
        """Train a network as `python -m minires.train` does -> the finished Run, with .model, .history and .test_set.

        settings: those of minires.train.Config. It computes with one thread in one process, so the bits do not depend
        on the number of jobs. A run that was begun in the folder is resumed. until: the fraction of the trial that is
        done afterwards. Raises GraphError if the loss becomes infinite or NaN.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if checkpoints(self.folder):
            run = training.Run.resume(self.folder)
        else:
            run = training.Run.start(training.Config(out=str(self.folder), threads=1, processes=1, **settings))
        total = max(run.config.epochs * len(run.loader), 1)
        with closing(run), np.errstate(over="ignore", invalid="ignore"):  # where it diverges, which is said below
            finished = run.fit(stop=self.stop, on_step=lambda run, images: self._on_progress(until * run.step / total))
        if not finished:
            raise StoppedError
        return run
