"""How a command runs in its process, and how it ends: with one line and an exit status."""

import contextlib
import functools
import os
import sys
import time
import warnings

from minires.console import signals, streams
from minires.console.letters import visible
from minires.errors import MiniresError


def say(name, message, *, apart=False):
    """Print one line on standard error. apart: begin a new line first, because another may not be at its end."""
    start = "\n" * apart
    with contextlib.suppress(OSError):  # there is no other place to print it
        print(f"{start}{name}: {visible(' '.join(str(message).split()))}", file=sys.stderr, flush=True)


def counted(count, what):
    """ "1 epoch", "2 epochs"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


class Stopped(int):
    """An exit status after which threads are left that may hang: `entry` ends the process without waiting for them."""


def stopped(name, message="stopped", *, threads_left=False):
    """Print that Ctrl-C ended the command, and what is saved where. -> exit status"""
    with contextlib.suppress(OSError):
        print(file=sys.stderr)  # a terminal shows ^C in the line
    say(name, message)
    return Stopped(signals.STOPPED) if threads_left else signals.STOPPED


def reason(error):
    """The message of an error in one line, with the name of its file in front."""
    if isinstance(error, MemoryError):
        return f"out of memory{f' ({error})' if str(error) else ''}; fewer or smaller images at once need less"
    if isinstance(error, OSError) and error.strerror:
        files = " -> ".join(str(file) for file in (error.filename, error.filename2) if file is not None)
        return f"{files}: {error.strerror}" if files else error.strerror
    return str(error) or type(error).__name__


def command(name):
    """Decorate main(argv=None): what it raises becomes one line, which begins with `name`, and its exit status."""

    def decorate(main):
        @functools.wraps(main)
        def guarded(argv=None):
            try:
                try:
                    status = main(argv) or 0
                except SystemExit:  # argparse's, which ignores that its text cannot be written
                    streams.finish_output()
                    raise
                if not status:  # otherwise the command has printed what was wrong
                    streams.finish_output()
                return status
            except KeyboardInterrupt:
                return stopped(name)
            except (MiniresError, OSError, MemoryError) as error:
                say(name, reason(error))
                return 2

        guarded.command = name
        return guarded

    return decorate


def entry(main):
    """Run the command in this process, prepared for any console, and end the process with its status."""
    streams.open_streams()
    signals.interrupt_on_signals()
    warnings.showwarning = lambda message, *where: say(main.command, message)
    # NumPy's warnings about values that are not finite: a command finds them itself, and says which, at which step.
    warnings.filterwarnings("ignore", r"(overflow|invalid value|divide by zero) encountered", RuntimeWarning)
    status = 1  # of a bug
    try:
        status = main()
    except SystemExit as end:  # argparse has printed all
        status = end.code
    finally:
        signals.on_signals(lambda number, frame: os._exit(signals.STOPPED))  # nothing is left to save
        with contextlib.suppress(streams.OutputError):  # otherwise Python prints it at its end, in its own words
            sys.stdout.flush()
    if isinstance(status, Stopped):
        os._exit(status)
    sys.exit(status)


@contextlib.contextmanager
def stop_requests(name):
    """Yield stop() -> whether Ctrl-C, SIGTERM or SIGHUP has come. So a command ends its current step, and saves.

    The third signal stops at once. The second does not, because one key press often sends two.
    """
    times = []

    def note(number, frame):
        times.append(time.monotonic())
        if len(times) == 1:
            say(name, "stopping after this step ...", apart=sys.stderr.isatty())  # from a progress bar
        elif len(times) > 2 and times[-1] - times[1] > signals.DOUBLE_TAP:
            raise KeyboardInterrupt

    undo = signals.on_signals(note)
    try:
        yield lambda: bool(times)
    finally:
        undo()
