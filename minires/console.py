"""What all commands share: whatever ends one costs a line and the right exit status, on any console.

A command is a function main(argv=None) that returns its exit status (None is 0):

    def make_parser():
        return console.Parser(prog="python -m minires.train", description=…)   # argparse's; a mistake costs one line

    @console.command("minires.train")
    def main(argv=None):
        args = make_parser().parse_args(argv)
        …
        return 0

    if __name__ == "__main__":
        console.entry(main)

`command` gives what main raises a line on standard error, `minires.train: …`, and a status:

    MiniresError, OSError, MemoryError    2, with the path or the sizes that are to blame
    OutputError                           2: standard output is full, or its reader has gone, as with `| head -1`
    KeyboardInterrupt                     130
    anything else                         a traceback and 1, because it is a bug of ours

So a command catches such an error itself only when it has something to save or to add (`stopped` says the line). What
must not be lost is written before it is printed, or in a `finally`: every print may raise OutputError.

`entry` prepares the process: letters that the console cannot show become "?", closed streams lead nowhere, SIGTERM and
SIGHUP are treated as Ctrl-C, two Ctrl-C in a row count as one, and a warning is one line. It ends the process with
main's status.
"""

import argparse
import atexit
import contextlib
import functools
import math
import os
import re
import signal
import sys
import textwrap
import threading
import time
import warnings

from minires.errors import MiniresError

STOPPED = 130  # the shell's number for what Ctrl-C ended
DOUBLE_TAP = 1.0  # seconds within which a second Ctrl-C means nothing new
WIDTH = 80  # of what is printed
GREEN, RED, PLAIN = "\033[32m", "\033[31m", "\033[0m"
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


class OutputError(MiniresError, OSError):
    """Standard output cannot be written. It is raised once; what is printed later goes nowhere."""


def say(name, message, *, apart=False):
    """Print one line on standard error; apart: on a line of its own, where another is not at its end."""
    start = "\n" * apart
    with contextlib.suppress(OSError):  # there is no other place to say it
        print(f"{start}{name}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)


def counted(count, what):
    """ "1 epoch", "2 epochs"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def wrapped(head, body):
    """The lines of a text, at most WIDTH wide; all but the first are indented as wide as `head`."""
    return textwrap.wrap(body, WIDTH, initial_indent=head, subsequent_indent=" " * len(head)) or [head]


def stopped(name, message="stopped"):
    """Say that Ctrl-C ended the command, and what is saved where. -> exit status"""
    with contextlib.suppress(OSError):
        print(file=sys.stderr)  # a terminal shows ^C in the line
    say(name, message)
    return STOPPED


def reason(error):
    """What an error says, in one line, with the file's name in front as people write it."""
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
                except SystemExit:  # argparse's, which keeps it to itself if its text cannot be shown
                    _finish_output()
                    raise
                if not status:  # else the command has said what it was
                    _finish_output()
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
    _open_streams()
    _listen()
    warnings.showwarning = lambda message, *where: say(main.command, message)
    # NumPy's remarks on numbers that are not finite: a command finds them and says which, and at which step.
    warnings.filterwarnings("ignore", r"(overflow|invalid value|divide by zero) encountered", RuntimeWarning)
    status = 1  # of a bug
    try:
        status = main()
    except SystemExit as end:  # argparse has said all
        status = end.code
    finally:
        _listen(lambda number, frame: os._exit(STOPPED))  # nothing is left to save
        with contextlib.suppress(OutputError):  # which Python would tell at its end, in its own words
            sys.stdout.flush()
    sys.exit(status)


def starting():
    """Let Ctrl-C during the imports, when there is nothing to save, leave with one line."""

    def leave(number, frame):
        with contextlib.suppress(OSError):
            os.write(2, b"\nstopped\n")
        os._exit(STOPPED)

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)
    atexit.register(_ignore)  # of all that is registered it is called as the last


def _ignore():
    """While Python takes itself down, a signal could only spoil the exit status."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def on_signals(handler):
    """Call handler(number, frame) in this process for Ctrl-C, SIGTERM and SIGHUP. -> a function that ends that

    What was ignored from the start, as nohup ignores SIGHUP, stays ignored. Forked processes die as without it.
    """
    process = os.getpid()
    before = {}
    if threading.current_thread() is not threading.main_thread():  # which alone may listen
        return before.clear

    def here(number, frame):
        if os.getpid() == process:
            handler(number, frame)
        else:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    for number in SIGNALS:
        if signal.getsignal(number) not in (signal.SIG_IGN, None):
            before[number] = signal.signal(number, here)

    def undo():
        for number, handler in before.items():
            signal.signal(number, handler)

    return undo


def _listen(handler=None):
    last = -DOUBLE_TAP

    def interrupt(number, frame):
        nonlocal last
        again = time.monotonic() - last < DOUBLE_TAP
        last = time.monotonic()
        if not again:
            raise KeyboardInterrupt

    return on_signals(handler or interrupt)


class _Stream:
    """A text stream that after its first failure, which `error` keeps, leads nowhere."""

    error = None

    def __init__(self, stream, failed):
        self._stream, self._failed = stream, failed

    def _do(self, work, *args):
        try:
            return work(*args)
        except OSError as error:
            self.error = error
            with contextlib.suppress(OSError):  # what is still in its buffer goes nowhere, now and when Python ends
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
            self._failed(error)

    def write(self, text):
        return self._do(self._stream.write, text)

    def flush(self):
        return self._do(self._stream.flush)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _output_failed(error):
    raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error


def _finish_output():
    if sys.stdout is not None:
        sys.stdout.flush()
        if getattr(sys.stdout, "error", None):
            _output_failed(sys.stdout.error)


def _open_streams():
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed: the next file that is opened would take its place
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it stays open as long as the process
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace", line_buffering=True)
    sys.stdout = _Stream(sys.stdout, _output_failed)
    sys.stderr = _Stream(sys.stderr, lambda error: None)


def text(given):
    """The type of a flag that takes letters: `--out "$DIR"` with DIR unset is a slip, and no wish for the default."""
    if not given:
        raise argparse.ArgumentTypeError("it is empty; leave the flag out to have the default")
    return given


def whole(low, high=None):
    """The type of a flag that takes a whole number from low to high."""

    def convert(given):
        try:
            number = int(given)
        except ValueError:
            raise argparse.ArgumentTypeError(f"it must be a whole number, got {given!r}") from None
        if number < low or (high is not None and number > high):
            bound = f"at least {low}" if number < low else f"at most {high}"
            raise argparse.ArgumentTypeError(f"it must be {bound}, got {number}")
        return number

    return convert


def seconds(given):
    """The type of a flag that takes a time."""
    try:
        value = float(given)
    except ValueError:
        value = math.nan
    if not 0 < value < 1e6:  # what the system can wait for
        raise argparse.ArgumentTypeError(f"it must be a number of seconds above 0 and below a million, got {given!r}")
    return value


class Parser(argparse.ArgumentParser):
    """argparse's, whose mistakes cost one line, with the flag that may have been meant."""

    def error(self, message):
        self.exit(2, f"{self.prog}: {message}{self._meant(message)}; see {self.prog} --help\n")

    def _meant(self, message):
        from minires.settings import did_you_mean  # with NumPy, during whose import Ctrl-C must be listened to already

        unknown = re.match(r"unrecognized arguments: (--[^\s=]+)", message)
        flags = [flag for flag in self._option_string_actions if flag.startswith("--")]
        hint = did_you_mean(unknown[1], flags, most=2) if unknown else ""
        return f"; {hint}" if hint else ""


class Table:
    """Rows of fixed columns, at most WIDTH characters in all.

    columns: {heading: width}, a negative width for columns of numbers, flushed right. quiet: print nothing.
    A first cell that is too long has a line of its own, others are cut.
    """

    def __init__(self, columns, quiet=False, show=None):
        self.columns, self.quiet, self.show, self.begun = columns, quiet, show or print, False

    def row(self, *cells, passed=None):
        """Print a line, and the verdict behind it if there is one; under the headings, the first time."""
        if self.quiet:
            return
        if not self.begun:
            self.show(self._line(self.columns))
            self.begun = True
        first, *rest = map(str, cells)
        if len(first) > abs(next(iter(self.columns.values()))):
            self.show(first)
            first = ""
        self.show(self._line([first, *rest]) + ("" if passed is None else "  " + verdict(passed)), flush=True)

    def _line(self, cells):
        fitted = []
        for text, width in zip(cells, self.columns.values()):
            if len(text) > abs(width):
                text = text[: abs(width) - 1] + "…"
            fitted.append(text.rjust(-width) if width < 0 else text.ljust(width))
        return "  ".join(fitted).rstrip()


def verdict(passed):
    """ "ok" or "FAILED", green or red on a terminal."""
    return colored("ok", GREEN) if passed else colored("FAILED", RED)


def colored(text, color):
    """The text in a color, if a person is looking and has not asked for none (https://no-color.org)."""
    return f"{color}{text}{PLAIN}" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else text
