"""The other processes, as the first one sees them: it starts them, waits for them, watches them and stops them."""

import ctypes
import multiprocessing
import os
import pickle
import signal
import threading
import time
import traceback
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

from minires.errors import GraphError, ProcessError
from minires.parallel.channel import POLL_SECONDS, Channel
from minires.parallel.memory import LeftError, asking_for

REMEDY = (
    "parameters and running statistics are those from before this batch. Take fewer processes (--processes 1) or "
    "smaller batches (--batch-size), or call go_on_alone() and repeat the batch"
)
STOP_SECONDS = 2  # a process that needs longer to end its work is killed
SUSPENDED, STUCK = 5, 60  # seconds without processor time after which a process is given up
CHECK_SECONDS = 0.5  # between two checks of that
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class Worker:
    """Another process, in the first one's eyes."""

    def __init__(self, process, channel, all_reduce):
        self.process, self.channel, self.all_reduce = process, channel, all_reduce
        self.cpu_time = None  # at the last check
        self.unread = None  # a result that arrived while another process was checked
        self.restart_clock()

    def restart_clock(self):
        """Waiting for it begins now, because it has been given a task."""
        self.waited = self.idle = 0.0
        self.checked_at = time.monotonic()

    def send(self, task):
        """Give it a task. Raises ProcessError if it has ended."""
        self.restart_clock()
        try:
            self.channel.send(task, self.check_alive)
        except EOFError:
            self._raise_ended()

    def receive(self, seconds=0):
        """What it has sent within so many seconds, None if nothing. Raises the error with which it has failed."""
        if (result := self.unread) is not None:
            self.unread = None
            return result
        try:
            sent = self.channel.receive(seconds)
        except EOFError:  # it is ending
            return None
        if isinstance(sent, tuple):
            error, text = sent
            raise error from GraphError(f"{self.process.name} failed:\n{text}")
        return sent

    def result(self):
        """Wait for the array that its task makes."""
        while True:
            ended = not self.process.is_alive()  # before receive(), because its last message may still be unread
            if (sent := self.receive(POLL_SECONDS)) is not None:
                return sent
            if ended:
                self._raise_ended()
            self.check_alive()

    def _raise_ended(self):
        self.process.join(1)
        raise ProcessError(f"{self.process.name} {_describe_end(self.process.exitcode)}; {REMEDY}")

    def check_alive(self):
        """Raise ProcessError if it gets no processor time while the first process waits for it.

        Time in which the first process itself was suspended does not count.
        """
        now = time.monotonic()
        self.waited += min(now - self.checked_at, 2 * POLL_SECONDS)
        self.checked_at = now
        if self.waited < CHECK_SECONDS:
            return
        state, cpu_time = _state(self.process.pid)
        self.idle = self.idle + self.waited if cpu_time == self.cpu_time else 0.0
        self.cpu_time, self.waited = cpu_time, 0.0
        suspended = state in ("T", "t")
        if self.idle >= (SUSPENDED if suspended else STUCK):
            how = "is stopped, by a signal or a debugger" if suspended else "waits for something that does not come"
            raise ProcessError(f"{self.process.name} {how}; {REMEDY}")


def check_workers(workers):
    """Raise what is wrong with them. An error comes before the end of a process, which it may have caused."""
    ended = [worker for worker in workers if not worker.process.is_alive()]
    for worker in workers:
        worker.unread = worker.receive()
    for worker in ended:
        worker._raise_ended()
    for worker in workers:
        worker.check_alive()


def _describe_end(status):
    if status is None or status >= 0:
        return f"ended by itself (exit status {status})"
    names = {number.value: number.name for number in signal.Signals}  # real-time signals have no name
    name = names.get(-status, f"signal {-status}")
    why = ", as Linux does when memory runs out" if name == "SIGKILL" else ""
    return f"was ended by {name}{why}"


def _state(pid):
    """(state, processor time) of a process, from /proc. If it cannot be read, each call gives another time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", time.monotonic()
    return fields[0], (fields[11], fields[12])


def start_workers(work, n, all_reduce, workers):
    """Fork n − 1 processes that call work(next_task, send), and append them to `workers`.

    next_task() waits for the next task; send() sends an array. An error that ends the work is sent, too.
    Raises RefusedError if the system refuses a process.
    """
    first = os.getpid()
    in_main_thread = threading.current_thread() is threading.main_thread()
    context = multiprocessing.get_context("fork")
    for rank in range(1, n):
        with asking_for("a pipe between processes"):
            ours, theirs = Channel.pair()
        ends = [ours, *(worker.channel for worker in workers)]
        process = context.Process(
            target=_run,
            name=f"minires replica {rank}",
            args=(work, rank, all_reduce, theirs, ends, first, in_main_thread),
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _blocked_signals())  # the new process never unblocks them
        try:
            with warnings.catch_warnings(), asking_for("another process"):
                # Python warns of a fork with threads; the thread pool holds no lock at this moment
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        workers.append(Worker(process, ours, all_reduce))


def stop_workers(workers, owner):
    """End these processes, and kill those that do not end soon. A fork of the owner only forgets them."""
    if os.getpid() != owner:
        workers.clear()
        return
    try:
        for worker in workers:
            worker.all_reduce.leave()
            worker.channel.shut_down()
        deadline = time.monotonic() + STOP_SECONDS
        for worker in workers:
            worker.process.join(max(0, deadline - time.monotonic()))
    finally:  # Ctrl-C must leave no process either
        for worker in workers:
            worker.process.kill()
            worker.process.join()
        workers.clear()


def _blocked_signals():
    """Signals that a terminal sends to a whole group of processes: the first one handles them for all."""
    handled = {number for number in signal.valid_signals() if callable(signal.getsignal(number))}
    return handled | {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def _run(work, rank, all_reduce, channel, ends, first, in_main_thread):
    """The whole life of another process."""
    for end in ends:
        end.close()
    if in_main_thread:  # the signal would come when the thread ends that has forked
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))

    def check_first():
        if os.getppid() != first:
            os._exit(1)

    def next_task():
        with _leaving_at_eof():
            while (task := channel.receive(POLL_SECONDS)) is None:
                check_first()
            return task

    def send(message):
        with _leaving_at_eof():
            channel.send(message, check_first)

    all_reduce.rank, all_reduce.check_others = rank, check_first
    try:
        work(next_task, send)
    except LeftError:
        pass
    except BaseException as error:
        with suppress(LeftError):
            send((picklable(error), traceback.format_exc()))
    finally:
        all_reduce.leave()


@contextmanager
def _leaving_at_eof():
    """Raise LeftError if the first process has closed the channel."""
    try:
        yield
    except EOFError as error:
        raise LeftError from error


def picklable(error):
    """The error, or a GraphError with its text if it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return GraphError(f"{type(error).__name__}: {error}")
    return error
