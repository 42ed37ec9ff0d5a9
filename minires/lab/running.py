"""Running an experiment: its trials, one by one or in parallel, their files, and how it goes on after an interruption.

    DIR/NAME/settings.json    the size and settings with which it was begun
    DIR/NAME/ARM-seedN.json   the numbers of a trial that is done
    DIR/NAME/ARM-seedN/       what a trial keeps while it works: the checkpoint of its training
    DIR/NAME.json .md .png .svg   the report, written last

A trial depends on nothing but its settings and its seed. So an experiment that was stopped, or killed, ends with the
same bits as one that was not. More seeds can be added later.
"""

import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

from minires import data
from minires.errors import CheckpointError, OptionError
from minires.lab.experiment import SIZES, Results
from minires.lab.place import StoppedError
from minires.lab.report import Report
from minires.lab.workers import run_trials
from minires.storage import atomic_write
from minires.storage.json_text import parse
from minires.storage.schema import Anything, DictOf, Fields, Number, OneOf
from minires.train.folder import FolderLock

SETTINGS = "settings.json"
MAY_CHANGE = ("seeds", "data")  # because a trial's numbers do not depend on them
REMEDY = "leave it out to resume, or choose another --out"


class Watch:
    """Who is told how an experiment goes on. This one is silent; minires.lab.__main__ shows a bar."""

    def start(self, name, total, done):
        """total: the costs of all trials; done: of those that were finished in an earlier run."""

    def progress(self, done):
        """done: the cost of what is done so far."""

    def finished(self, trial, numbers, seconds):
        """A trial is done."""

    def stop(self):
        """Whether to save and stop."""
        return False

    def end(self):
        """All is done, or stopped."""


def run(experiment, *, size=None, jobs=1, out=None, resume=False, watch=None, **given):
    """Run the experiment -> Report. With out, a folder, its files are written there.

    resume: go on with what is in the folder, with the size and the settings that it was begun with; only `seeds` and
    `data` may change. Raises StoppedError when watch.stop() was true, and OptionError when the folder holds this
    experiment already, or other settings.
    """
    watch = watch or Watch()
    if out is None:
        size = size or SIZES[0]
        s = experiment.settings(size, **given)
        with tempfile.TemporaryDirectory() as folder:
            return _run(experiment, size, s, jobs, folder, watch)
    folder = Path(out, experiment.name)
    if resume:
        size, s = _read_settings(folder, experiment, size, given)
    else:
        size = size or SIZES[0]
        s = experiment.settings(size, **given)
    experiment.trials(s)  # raises an error now, before a folder is made, if the settings do not fit together
    if not resume and (folder.exists() or folder.with_suffix(".json").exists()):
        raise OptionError(f"{folder} holds this experiment already; go on with --resume, or choose another --out")
    if experiment.needs_data:  # as this does; and it downloads once, not once in each process
        data.load(s.dataset, s.data or None)
    lock = FolderLock(folder)
    try:
        atomic_write(folder / SETTINGS, json.dumps({"size": size, "settings": asdict(s)}, indent=1).encode())
        report = _run(experiment, size, s, jobs, folder, watch)
    finally:
        lock.release()
    report.save(out)
    return report


def _run(experiment, size, s, jobs, folder, watch):
    journal = Journal(experiment.trials(s), folder, watch)
    watch.start(experiment.name, journal.total, journal.done)
    try:
        run_trials(experiment, s, journal, jobs)
    finally:
        watch.end()
    if journal.left():
        raise StoppedError
    return Report(experiment, size, s, journal.results(), sum(journal.seconds.values()))


class Journal:
    """What is known of each trial: how far it is, its numbers when it is done, and where they are kept."""

    def __init__(self, trials, folder, watch):
        self.trials = list(trials)
        self.folder = Path(folder)
        self.watch = watch
        self.numbers, self.seconds = {}, {}  # by the trial's name
        self.started, self.costs = {}, {}  # when it was begun, and the cost of what is done of it
        for trial in self.trials:
            self._read(trial)

    def _read(self, trial):
        path = self.folder / f"{trial.name}.json"
        if path.exists():
            stored = read_json(path, numbers=DictOf(Anything()), seconds=Number(0))
            self.numbers[trial.name] = stored["numbers"]
            self.seconds[trial.name] = stored["seconds"]
            self.costs[trial.name] = trial.cost

    @property
    def total(self):
        return sum(trial.cost for trial in self.trials)

    @property
    def done(self):
        return sum(self.costs.values())

    def left(self):
        """The trials that are not done."""
        return [trial for trial in self.trials if trial.name not in self.numbers]

    def folder_of(self, trial):
        return self.folder / trial.name

    def progress(self, trial, fraction):
        self.started.setdefault(trial.name, time.monotonic())
        self.costs[trial.name] = fraction * trial.cost
        self.watch.progress(self.done)

    def finish(self, trial, numbers):
        """Keep the numbers of a trial."""
        seconds = time.monotonic() - self.started[trial.name]
        content = json.dumps({"numbers": numbers, "seconds": seconds}, indent=1)
        atomic_write(self.folder / f"{trial.name}.json", content.encode())
        self._read(trial)  # from the file, so that a resumed experiment has the very same values
        self.watch.progress(self.done)
        self.watch.finished(trial, numbers, seconds)

    def stop(self):
        return self.watch.stop()

    def results(self):
        return Results({(trial.arm, trial.seed): self.numbers[trial.name] for trial in self.trials})


def _read_settings(folder, experiment, size, given):
    """(size, settings) with which the experiment in the folder was begun, and what is given now."""
    path = folder / SETTINGS
    if not path.exists():
        raise CheckpointError(f"there is no experiment to resume in {folder} (no {path.name}); leave --resume out")
    stored = read_json(path, size=OneOf(*SIZES), settings=DictOf(Anything()))
    settings = {name: tuple(value) if isinstance(value, list) else value for name, value in stored["settings"].items()}
    then = experiment.settings(stored["size"], **settings)
    now = experiment.settings(stored["size"], **{**settings, **given})
    changed = [name for name in given if getattr(now, name) != getattr(then, name) and name not in MAY_CHANGE]
    if size not in (None, stored["size"]):
        raise OptionError(f"{folder} was begun with --size {stored['size']}, not {size}; {REMEDY}")
    if changed:
        name = changed[0]
        raise OptionError(
            f"{folder} was begun with {name} {getattr(then, name)!r}, not {getattr(now, name)!r}; {REMEDY}"
        )
    return stored["size"], now


def read_json(path, **fields):
    """The dictionary in a JSON file. Raises CheckpointError if it is damaged."""
    try:
        content = parse(path.read_text(encoding="utf-8"))
        fault = Fields(**fields).fault("", content)
    except (ValueError, RecursionError) as error:
        fault = str(error)
    if fault:
        raise CheckpointError(f"{path} is damaged ({fault.strip()}); remove it, and --resume measures it again")
    return content
