"""Another process, as the first one sees it: started, heard, watched while it is waited for, and ended."""

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
from minires.parallel.channel import SECONDS, Channel
from minires.parallel.memory import LeftError, asking_for

REMEDY = (
    "parameters and running statistics are those from before this batch. Take fewer processes (--processes 1) or "
    "smaller batches (--batch-size), or call go_on_alone() and repeat the batch"
)
LEAVING = 2  # seconds that a process has for the end of its work before it is killed
STOPPED, STUCK = 5, 60  # seconds of waiting after which a process that has used no processor is given up
WATCH = 0.5  # seconds between two looks at that
PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class Other:
    """What the first process knows of another one."""

    def __init__(self, process, channel, meeting):
        self.process, self.channel, self.meeting = process, channel, meeting
        self.used = None  # its time on a processor at the last look
        self.heard = None  # an answer that came while another process was looked at
        self.began()

    def began(self):
        """It has been given work, and will be waited for."""
        self.waited = self.idle = 0.0
        self.looked = time.monotonic()

    def send(self, order):
        """Give it work. Raises ProcessError if it has ended."""
        self.began()
        try:
            self.channel.send(order, self._watch)
        except EOFError:
            self._raise_ended()

    def received(self, seconds=0):
        """What it has sent within so many seconds, None if nothing. Raises the error with which it has failed."""
        if (heard := self.heard) is not None:
            self.heard = None
            return heard
        try:
            sent = self.channel.receive(seconds)
        except EOFError:  # it ends
            return None
        if isinstance(sent, tuple):
            error, text = sent
            raise error from GraphError(f"{self.process.name} failed:\n{text}")
        return sent

    def answer(self):
        """The array that it was told to make."""
        while True:
            gone = not self.process.is_alive()  # asked first, because what it sent last is still to be read
            if (sent := self.received(SECONDS)) is not None:
                return sent
            if gone:
                self._raise_ended()
            self._watch()

    def _raise_ended(self):
        self.process.join(1)
        raise ProcessError(f"{self.process.name} {_way_it_ended(self.process.exitcode)}; {REMEDY}")

    def _watch(self):
        """Does it use a processor while it is waited for? Time for which this process was stopped does not count."""
        now = time.monotonic()
        self.waited += min(now - self.looked, 2 * SECONDS)
        self.looked = now
        if self.waited < WATCH:
            return
        state, used = _state(self.process.pid)
        self.idle = self.idle + self.waited if used == self.used else 0.0
        self.used, self.waited = used, 0.0
        stopped = state in ("T", "t")
        if self.idle >= (STOPPED if stopped else STUCK):
            how = "is stopped, by a signal or a debugger" if stopped else "waits for something that does not come"
            raise ProcessError(f"{self.process.name} {how}; {REMEDY}")


def look_at(others):
    """Raise what is wrong with them: the error of one before the end of another, which may have come of it."""
    gone = [other for other in others if not other.process.is_alive()]
    for other in others:
        other.heard = other.received()
    for other in gone:
        other._raise_ended()
    for other in others:
        other._watch()


def _way_it_ended(status):
    if status is None or status >= 0:
        return f"ended by itself (exit status {status})"
    names = {number.value: number.name for number in signal.Signals}  # not of all: real-time signals have none
    name = names.get(-status, f"signal {-status}")
    why = ", as Linux does where memory runs out" if name == "SIGKILL" else ""
    return f"was ended by {name}{why}"


def _state(pid):
    """(state, time on a processor) of a process, from /proc; a state of its own where it cannot be read."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", time.monotonic()
    return fields[0], (fields[11], fields[12])


def start(work, n, meeting, others):
    """Fork n − 1 processes that call work(orders, send), and add them to others, the list of those started.

    orders() waits for the next order, and send() takes an array; what ends the work is sent as well. meeting is where
    all meet. Raises RefusedError where the system refuses a process.
    """
    first = os.getpid()
    in_main_thread = threading.current_thread() is threading.main_thread()
    context = multiprocessing.get_context("fork")
    for rank in range(1, n):
        with asking_for("a pipe between processes"):
            ours, theirs = Channel.pair()
        ends = [ours, *(other.channel for other in others)]
        process = context.Process(
            target=_serve,
            name=f"minires replica {rank}",
            args=(work, rank, meeting, theirs, ends, first, in_main_thread),
        )
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _left_to_first())  # the other process never unblocks them
        try:
            with warnings.catch_warnings(), asking_for("another process"):
                # the workers' threads hold no lock while nothing is shared
                warnings.simplefilter("ignore", DeprecationWarning)
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            theirs.close()
        others.append(Other(process, ours, meeting))


def end(others, owner):
    """Let them go: those that do not at once are killed. A process that was forked only forgets them."""
    if os.getpid() != owner:
        others.clear()
        return
    try:
        for other in others:
            other.meeting.leave()
            other.channel.hang_up()
        last = time.monotonic() + LEAVING
        for other in others:
            other.process.join(max(0, last - time.monotonic()))
    finally:  # Ctrl-C, too, leaves none behind
        for other in others:
            other.process.kill()
            other.process.join()
        others.clear()


def _left_to_first():
    """Signals that a group of processes gets together: the first one finishes its step, and lets the others go."""
    noticed = {number for number in signal.valid_signals() if callable(signal.getsignal(number))}
    return noticed | {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def _serve(work, rank, meeting, channel, ends, first, in_main_thread):
    """What another process does, from its first moment to its last."""
    for other in ends:
        other.close()
    if in_main_thread:  # else it would end with that thread
        with suppress(AttributeError, OSError):  # another C library
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))

    def look():
        if os.getppid() != first:
            os._exit(1)

    def orders():
        with _until_it_ends():
            while (order := channel.receive(SECONDS)) is None:
                look()
            return order

    def send(message):
        with _until_it_ends():
            channel.send(message, look)

    meeting.rank, meeting.look = rank, look
    try:
        work(orders, send)
    except LeftError:
        pass
    except BaseException as error:
        with suppress(LeftError):
            send((_as_sent(error), traceback.format_exc()))
    finally:
        meeting.leave()


@contextmanager
def _until_it_ends():
    """LeftError where the channel ends, because the first process has let this one go."""
    try:
        yield
    except EOFError as error:
        raise LeftError from error


def _as_sent(error):
    """The error, or what stands for one that cannot go through a pipe."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return GraphError(f"{type(error).__name__}: {error}")
    return error
