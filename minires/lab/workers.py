"""Trials in parallel: each worker is a process, which takes a trial, tells its progress, and gives its numbers.

A worker computes with one thread. If the first process ends, however it ends, the pipe between them breaks, and the
worker saves what it has and ends, too.
"""

import multiprocessing
import signal
from multiprocessing.connection import wait

from minires import kernels
from minires.errors import ProcessError
from minires.lab.place import Place, StoppedError

STOP_SECONDS = 60  # for the step that a training is in, and for saving it


def here(experiment, s, trials, folder_of, on_progress, on_numbers, stop):
    """The trials one after another in this process. -> whether all are done"""
    before = kernels.get_num_threads()
    kernels.set_num_threads(1)
    try:
        for trial in trials:
            place = Place(folder_of(trial), lambda fraction, trial=trial: on_progress(trial, fraction), stop)
            try:
                place.progress(0.0)
                on_numbers(trial, experiment.measure(trial, s, place))
            except StoppedError:
                return False
    finally:
        kernels.set_num_threads(before)
    return True


def side_by_side(experiment, s, trials, jobs, folder_of, on_progress, on_numbers, stop):
    """The trials in `jobs` processes. -> whether all are done. If a trial fails, the others are saved first."""
    context = multiprocessing.get_context("spawn")
    waiting = list(trials)
    workers = {}  # {connection: [process, its trial]}
    error = None
    try:
        for _ in range(min(jobs, len(waiting))):
            mine, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs, experiment, s), daemon=True)
            process.start()
            theirs.close()
            workers[mine] = [process, None]
            _next(mine, workers, waiting, folder_of)
        while any(trial for _, trial in workers.values()):
            for connection in wait(list(workers), timeout=0.1):
                process, trial = workers[connection]
                try:
                    kind, content = connection.recv()
                except (EOFError, OSError):
                    process.join(STOP_SECONDS)
                    status = process.exitcode
                    raise ProcessError(
                        f"the process of {trial.name if trial else 'no trial'} ended (exit status {status}), as when "
                        "memory runs out; --resume goes on, with fewer --jobs"
                    ) from None
                if kind == "progress":
                    on_progress(trial, content)
                    continue
                if kind == "numbers":
                    on_numbers(trial, content)
                elif kind == "error":
                    error = error or content
                workers[connection][1] = None
                if not (error or stop()):
                    _next(connection, workers, waiting, folder_of)
            if error or stop():
                _ask_to_stop(workers)
        if error:
            raise error
        return not waiting and not stop()
    finally:
        for connection in workers:
            connection.close()  # a worker that still works notices it, saves and ends
        for process, _ in workers.values():
            process.join(STOP_SECONDS)
            process.kill()


def _next(connection, workers, waiting, folder_of):
    """Give the worker the next trial, if there is one."""
    if waiting:
        trial = waiting.pop(0)
        workers[connection][1] = trial
        connection.send((trial, str(folder_of(trial))))


def _ask_to_stop(workers):
    for connection, (_, trial) in workers.items():
        if trial:
            try:
                connection.send(None)
            except OSError:  # it has ended
                workers[connection][1] = None


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
