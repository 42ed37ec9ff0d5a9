"""One training in a process of its own, to which harm is done. The library has no switch for this.

The process is a fork of the harness, which has imported minires already, so that a run of some steps takes a second.
Harm at a file call is done by what stands in for the module os in minires.storage.atomic, in the fork only.
"""

import errno
import os
import random
import shutil
import signal
import sys
import time
import warnings
from types import SimpleNamespace

from minires import data
from minires.parallel import memory
from minires.storage import atomic, reading
from minires.train import loop
from minires.train.__main__ import main


def start(argv, harm, errors, saved):
    """Fork a process that trains with these arguments -> its number. errors, saved: files for what it says and saves."""
    number = os.fork()
    if number == 0:
        status = 70
        try:
            handle = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            os.dup2(handle, 2)
            sys.stdout = os.fdopen(1, "w", closefd=False)
            sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)
            warnings.simplefilter("default")  # said, as the command does
            note_saves(saved)
            harm.install()
            loop.Run.draw = lambda run: None  # curves are drawn when all is saved, and take longer than the run
            status = main(argv)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    return number


def note_saves(path):
    """Write the step of each checkpoint into a file, once the library says that it is saved."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    save = loop.Run.save

    def noted(run, **together):
        save(run, **together)
        os.write(handle, f"{run.step}\n".encode())

    loop.Run.save = noted


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def pause():
    os.kill(os.getpid(), signal.SIGSTOP)


class Nothing:
    """No harm."""

    def install(self):
        pass


class AtStep(Nothing):
    """do() before a step of the run, or after it (half a number)."""

    def __init__(self, step, do=kill):
        self.step, self.do = step, do

    def install(self):
        step = loop.Run._step

        def harmed(run, images, labels):
            if self.step == run.step:
                self.do()
            step(run, images, labels)
            if self.step == run.step - 0.5:
                self.do()

        loop.Run._step = harmed


class AtCall(Nothing):
    """do(name) at one of the moments of a file call: before it, after it, and in the middle of a write.

    names: a list that takes the name of each moment; lasting: at all moments from this one on.
    """

    def __init__(self, at, do, *, lasting=False, every_step=False, seen=None):
        self.at, self.do, self.lasting, self.every_step = at, do, lasting, every_step
        self.seen = seen  # a file for the names of the moments
        self.moment = -1

    def install(self):
        atomic.os = Calls(self.now)
        if self.every_step:
            loop.SAVE_EVERY = -1

    def now(self, name):
        self.moment += 1
        if self.seen:
            with open(self.seen, "a") as file:
                file.write(name + "\n")
        if self.moment == self.at or (self.lasting and self.moment > self.at):
            self.do(name)


class Calls:
    """In place of the module os: now(name) is called around each call that changes or flushes a file."""

    WATCHED = ("open", "fsync", "link", "replace")

    def __init__(self, now):
        self.now = now

    def __getattr__(self, name):
        call = getattr(os, name)
        if name not in self.WATCHED:
            return call

        def watched(*args, **kwargs):
            self.now(f"before {name}")
            result = call(*args, **kwargs)
            self.now(f"after {name}")
            return result

        return watched

    def fdopen(self, *args):
        return File(os.fdopen(*args), self.now)


class File:
    """An open file whose write() has a middle."""

    def __init__(self, file, now):
        self.file, self.now = file, now

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.file.close()

    def write(self, content):
        half = len(content) // 2
        self.now("before write")
        self.file.write(content[:half])
        self.file.flush()
        self.now("middle of write")
        self.file.write(content[half:])
        self.file.flush()
        self.now("after write")

    def __getattr__(self, name):
        return getattr(self.file, name)


def fail_with(number):
    """do(name) that raises this error of the system, as the call would; what is done already cannot fail any more."""

    def do(name):
        if not name.startswith("after"):
            raise OSError(number, os.strerror(number))

    return do


class Unreadable(Nothing):
    """EIO when the newest checkpoint is opened to be read, as from a disk that fails."""

    def install(self):
        def failing(path, flags):
            if os.path.basename(path) == "checkpoint.safetensors":
                raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
            return os.open(path, flags | os.O_NONBLOCK)

        reading._open = failing


class Clock(Nothing):
    """The clocks jump forward and back, by a second or by years."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.ahead = 0.0

    def install(self):
        for name in ("time", "monotonic", "perf_counter"):
            setattr(time, name, self.jumping(getattr(time, name)))

    def jumping(self, clock):
        def jumping():
            if self.random.random() < 0.3:
                self.ahead += self.random.choice([-1, 1]) * self.random.choice([1, 400, 1e5, 1e9])
            return clock() + self.ahead

        return jumping


class NoSharedMemory(Nothing):
    """The system has no more memory that processes share."""

    def install(self):
        def refused(*args, **kwargs):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        memory.mmap = SimpleNamespace(mmap=refused)


class RoomIsPromised(Nothing):
    """The question how much room the disk has is answered wrongly, so that it is full in the middle of a run."""

    def install(self):
        shutil.disk_usage = lambda path: SimpleNamespace(free=10**12)


class AnotherUser(Nothing):
    """The process has no right to write what belongs to others, even if the harness has."""

    def install(self):
        data.load("digits")  # what this imports, the other user may have no right to read
        if os.geteuid() == 0:
            os.seteuid(65534)
