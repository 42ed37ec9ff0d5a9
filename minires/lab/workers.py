"""Trials in parallel: each worker is a process, which takes a trial, tells its progress, and gives its numbers.

A worker computes with one thread. If the first process ends, however it ends, the pipe between them breaks, and the
worker saves what it has and ends, too.
"""

import multiprocessing
import signal
from contextlib import suppress
from functools import partial
from multiprocessing.connection import wait

from minires import kernels
from minires.errors import ProcessError
from minires.lab.place import Place, StoppedError
from minires.system import why_no_processes

STOP_SECONDS = 60  # for the step that a training is in, and for saving it


def run_trials(experiment, s, journal, jobs):
    """Run the trials that are left, `jobs` at once, until all are done or journal.stop() is true.

    Where no process can be started, they run one by one, with the same numbers. If one fails, the others are saved
    before its error is raised.
    """
    if jobs == 1 or why_no_processes():
        _one_by_one(experiment, s, journal)
    else:
        _in_parallel(experiment, s, journal, jobs)


def _one_by_one(experiment, s, journal):
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)
    try:
        for trial in journal.left():
            place = Place(journal.folder_of(trial), partial(journal.progress, trial), journal.stop)
            place.progress(0.0)
            journal.finish(trial, experiment.measure(trial, s, place))
    except StoppedError:
        pass
    finally:
        kernels.set_num_threads(before)


def _in_parallel(experiment, s, journal, jobs):
    waiting = journal.left()
    workers = [Worker(experiment, s) for _ in range(min(jobs, len(waiting)))]
    error = None
    stopping = False
    try:
        for worker in workers:
            worker.begin(waiting.pop(0), journal)
        while any(worker.trial for worker in workers):
            ready = wait([worker.connection for worker in workers if worker.trial], timeout=0.1)
            for worker in workers:
                if worker.connection in ready:
                    error = worker.listen(journal) or error
                if not worker.trial and waiting and not stopping and not error:
                    worker.begin(waiting.pop(0), journal)
            if not stopping and (error or journal.stop()):
                stopping = True
                for worker in workers:
                    worker.ask_to_stop()
        if error:
            raise error
    finally:
        for worker in workers:
            worker.connection.close()  # a worker that still works notices it, saves and ends
        for worker in workers:
            worker.process.join(STOP_SECONDS)
            worker.process.kill()


class Worker:
    """Another process, in the first one's eyes. trial: what it works on, None if nothing."""

    def __init__(self, experiment, s):
        context = multiprocessing.get_context("spawn")
        self.trial = None
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, experiment, s), daemon=True)
        self.process.start()
        theirs.close()

    def begin(self, trial, journal):
        self.trial = trial
        journal.progress(trial, 0.0)
        self.connection.send((trial, str(journal.folder_of(trial))))

    def ask_to_stop(self):
        if self.trial:
            with suppress(OSError):  # it has ended; listen() says so
                self.connection.send(None)

    def listen(self, journal):
        """Pass on what it sends. -> the error with which its trial has failed, or None"""
        trial = self.trial
        try:
            kind, content = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(STOP_SECONDS)
            self.trial = None
            return ProcessError(
                f"{trial.name}: its process ended (exit status {self.process.exitcode}), as when memory runs out; "
                "--resume goes on, with fewer --jobs"
            )
        if kind == "progress":
            journal.progress(trial, content)
            return None
        self.trial = None
        if kind == "numbers":
            journal.finish(trial, content)
        return content if kind == "error" else None


def _work(connection, experiment, s):
    """The life of a worker."""
    for number in ("SIGINT", "SIGHUP"):  # the first process decides when to stop
        if hasattr(signal, number):
            signal.signal(getattr(signal, number), signal.SIG_IGN)
    kernels.set_num_threads(1)
    while True:
        try:
            task = connection.recv()
        except (EOFError, OSError):
            return
        if task is None:  # asked to stop when its trial was done already
            continue
        trial, folder = task
        try:
            place = Place(folder, lambda fraction: connection.send(("progress", fraction)), connection.poll)
            message = ("numbers", experiment.measure(trial, s, place))
        except StoppedError:
            message = ("stopped", None)
        except OSError as error:
            message = ("error", error)
        except Exception as error:
            message = ("error", _portable(error, trial))
        try:
            connection.send(message)
        except OSError:  # the first process has ended
            return


def _portable(error, trial):
    """The error as another process can raise it, with the name of the trial."""
    text = f"{trial.name}: {error}"
    try:
        return type(error)(text)
    except Exception:
        return ProcessError(f"{trial.name}: {type(error).__name__}: {error}")
