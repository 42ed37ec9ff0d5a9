"""Running an experiment: its trials, one by one or in parallel, their files, and how it goes on after an interruption.

    DIR/NAME/ARM-seedN.json   the numbers of a trial that is done
    DIR/NAME/ARM-seedN/       what a trial keeps while it works: the checkpoint of its training
    DIR/NAME.json .md .png .svg   the report, written last

A trial depends on nothing but its settings and its seed. So an experiment that was stopped, or killed, ends with the
same bits as one that was not. More seeds can be added later.
"""

import contextlib
import json
import tempfile
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from minires.errors import CheckpointError, OptionError
from minires.lab.experiment import Results
from minires.lab.place import StoppedError
from minires.lab.report import Report
from minires.lab.workers import here, side_by_side
from minires.storage import atomic_write
from minires.train.folder import FolderLock


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


def run(experiment, *, size="tiny", jobs=1, out=None, resume=False, watch=None, **given):
    """Run the experiment -> Report. With out, a folder, its files are written there.

    resume: go on with what is in the folder. Raises StoppedError when watch.stop() was true, and OptionError when the
    folder holds this experiment already, or one with other settings.
    """
    s = experiment.settings(size, **given)
    watch = watch or Watch()
    if out is None:
        with tempfile.TemporaryDirectory() as folder:
            return _run(experiment, s, size, jobs, Path(folder), watch)
    folder = Path(out) / experiment.name
    if not resume and (any(folder.glob("*")) or report_path(out, experiment).exists()):
        raise OptionError(f"{folder} holds this experiment already; go on with --resume, or choose another --out")
    with closing(_Lock(folder)):
        report = _run(experiment, s, size, jobs, folder, watch)
    report.save(out)
    return report


def report_path(out, experiment):
    return Path(out) / f"{experiment.name}.json"


class _Lock(FolderLock):
    def close(self):
        self.release()


def _run(experiment, s, size, jobs, folder, watch):
    began = time.monotonic()
    trials = list(experiment.trials(s))
    numbers, seconds = {}, {}
    for trial in trials:
        stored = _stored(folder, trial, s)
        if stored:
            numbers[trial.name], seconds[trial.name] = stored
    done_of = {trial.name: trial.cost for trial in trials if trial.name in numbers}  # the cost of what is done
    started = {}
    watch.start(experiment.name, sum(trial.cost for trial in trials), sum(done_of.values()))

    def on_progress(trial, fraction):
        started.setdefault(trial.name, time.monotonic())
        done_of[trial.name] = fraction * trial.cost
        watch.progress(sum(done_of.values()))

    def on_numbers(trial, measured):
        took = time.monotonic() - started.get(trial.name, began)
        measured = json.loads(json.dumps(measured))  # the same values, whether they were stored or not
        _store(folder, trial, s, measured, took)
        numbers[trial.name], seconds[trial.name] = measured, took
        on_progress(trial, 1.0)
        watch.finished(trial, measured, took)

    left = [trial for trial in trials if trial.name not in numbers]
    try:
        work = here if jobs == 1 else side_by_side
        many = () if jobs == 1 else (jobs,)
        done = work(experiment, s, left, *many, lambda t: folder / t.name, on_progress, on_numbers, watch.stop)
    finally:
        watch.end()
    if not done:
        raise StoppedError
    results = Results({(trial.arm, trial.seed): numbers[trial.name] for trial in trials})
    return Report(experiment, s, size, results, sum(seconds.values()))


def _identity(trial, s):
    """All that the numbers of a trial depend on."""
    settings = {name: value for name, value in asdict(s).items() if name not in ("seeds", "data")}
    return json.loads(json.dumps({"arm": trial.arm, "seed": trial.seed, "inputs": trial.inputs, "settings": settings}))


def _stored(folder, trial, s):
    """(numbers, seconds) of a trial that is done; None if it is not. Raises CheckpointError and OptionError."""
    path = folder / f"{trial.name}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        then = stored["trial"]
        numbers = stored["numbers"]
        seconds = float(stored["seconds"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CheckpointError(f"{path} is damaged ({error}); remove it, and --resume measures it again") from error
    now = _identity(trial, s)
    if then != now:
        then = then if isinstance(then, dict) else {}
        old, new = ({**part.get("settings", {}), **part.get("inputs", {})} for part in (then, now))
        name = next((name for name in new if old.get(name) != new[name]), "arm")
        raise OptionError(
            f"{path} was measured with {name} {old.get(name)!r}, not {new.get(name)!r}; resume with the same settings, "
            "or choose another --out"
        )
    return numbers, seconds


def _store(folder, trial, s, numbers, seconds):
    with contextlib.suppress(FileExistsError):
        folder.mkdir(parents=True)
    content = {"trial": _identity(trial, s), "numbers": numbers, "seconds": seconds}
    atomic_write(folder / f"{trial.name}.json", json.dumps(content, indent=1).encode())
