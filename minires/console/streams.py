"""Standard input, output and error of a command: closed, full, or without some letters."""

import contextlib
import os
import sys

from minires.errors import MiniresError


class OutputError(MiniresError, OSError):
    """Standard output cannot be written. It is raised once; what is printed later is lost."""


class _Stream:
    """A text stream that discards everything after its first failure, which `error` keeps."""

    error = None
    reader_may_leave = True  # then what it does not read is discarded, too, and no failure

    def __init__(self, stream, failed):
        self._stream, self._failed = stream, failed

    def _do(self, work, *args):
        try:
            return work(*args)
        except OSError as error:
            with contextlib.suppress(OSError):  # what is still in the buffer is discarded, now and when Python ends
                devnull = os.open(os.devnull, os.O_WRONLY)
                os.dup2(devnull, self._stream.fileno())
                os.close(devnull)
            if not (self.reader_may_leave and isinstance(error, BrokenPipeError)):
                self.error = error
                self._failed(error)

    def write(self, text):
        return self._do(self._stream.write, text)

    def flush(self):
        return self._do(self._stream.flush)

    def __getattr__(self, name):
        return getattr(self._stream, name)


def _output_failed(error):
    raise OutputError(f"standard output cannot be written: {error.strerror or error}") from error


def open_streams():
    """Open what is closed as os.devnull, show unknown letters as "?", and let a failed output raise OutputError."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # it was closed, and the next file that is opened would get its descriptor
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 - it stays open as long as the process
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace", line_buffering=True)
    sys.stdout = _Stream(sys.stdout, _output_failed)
    sys.stderr = _Stream(sys.stderr, lambda error: None)


def need_reader():
    """From now on raise OutputError when the reader of standard output has left, too."""
    if isinstance(sys.stdout, _Stream):
        sys.stdout.reader_may_leave = False


def finish_output():
    """Raise OutputError if standard output has not been written."""
    if sys.stdout is not None:
        sys.stdout.flush()
        if getattr(sys.stdout, "error", None):
            _output_failed(sys.stdout.error)
