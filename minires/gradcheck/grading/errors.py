"""What can come of a submission in place of numbers. The text is meant for its author, and is safe to print."""

# What the name stands for that a submission uses, and has not imported.
IMPORTS = {f"name '{name}' is not defined": line for name, line in {"np": "numpy as np", "math": "math"}.items()}


def printable(text, length=300):
    """Text of a submission for a console: on one line, nothing that moves the cursor, not too long."""
    return "".join(c if c.isprintable() else " " for c in " ".join(text[: 4 * length].split()))[:length]


class ChildError(Exception):
    """What a submission did instead of answering."""


class RaisedError(ChildError):
    """An exception in the student's code: its type, its message, and the line and cell where it was raised."""

    def __init__(self, type, message, line=None, cell=None):
        self.type = type
        self.message = message
        self.line = line
        self.cell = cell
        place = ", ".join(([cell] if cell else []) + ([f"line {line}"] if line else []))
        missing = f"; begin the file with: import {IMPORTS[message]}" if message in IMPORTS else ""
        super().__init__(f"{type}{': ' if message else ''}{message}{f' ({place})' if place else ''}{missing}")


class TimedOutError(ChildError):
    """No answer within the seconds granted. endless: whether it would never have come, as far as can be seen."""

    def __init__(self, text, seconds=None, endless=False):
        self.seconds = seconds
        self.endless = endless
        super().__init__(text)


class EndedError(ChildError):
    """The process is gone. code: its exit code, or minus the signal's number, or None if it is unknown."""

    def __init__(self, text, code=None, output=""):
        self.code = code
        self.output = output  # the last that it printed
        super().__init__(text)


class GarbledError(ChildError):
    """An answer that is none: too long, cut off, or not in the format."""


class ForbiddenError(ChildError):
    """A module that the teacher forbids was imported."""

    def __init__(self, module, cell=None):
        self.module = module
        self.cell = cell
        super().__init__(f"{cell or 'it'} imports {module}, which is forbidden here")


# ---- what the judge makes of an answer


class FormError(Exception):
    """A matter of form: the submission could not be called, or its answer not be read."""


class NotDoneError(Exception):
    """A blank: nothing is computed yet."""


class WrongError(Exception):
    """An answer that is wrong as it is, before any number is compared."""


class PassOverError(Exception):
    """A case that this submission cannot take."""


class CouldNotRunError(Exception):
    """Nothing was graded; the text says what to change."""


class StoppedError(Exception):
    """No more calls: too many have run out of time, or ended their process. timed_out: whether it was for time."""

    def __init__(self, text, timed_out):
        self.timed_out = timed_out
        super().__init__(text)
