"""The errors that minires raises. Every message names the op or setting, both values and the remedy.

Each class is also the built-in exception that NumPy or PyTorch would raise, so `except ValueError` keeps working.
By the common base a command knows a user's mistake (one line, exit status 2) from a bug of ours (a traceback).
"""

import traceback
from pathlib import Path

OURS = str(Path(__file__).parent)


class MiniresError(Exception):
    """Base of all errors that minires raises on purpose."""


class ShapeError(MiniresError, ValueError):
    """Shapes, windows, groups or axes that do not fit together."""


class DTypeError(MiniresError, TypeError):
    """An array of the wrong kind: mixed, integer, complex or object where one float type is needed."""


class OptionError(MiniresError, ValueError):
    """A setting with a value that is not allowed: a negative learning rate, an unknown model name."""


class GraphError(MiniresError, RuntimeError):
    """A gradient that cannot be computed from the recorded graph."""


class OutOfMemoryError(MiniresError, MemoryError):
    """An array that is larger than the free memory: its sizes are wrong, or the batch is too large."""


class ProcessError(MiniresError, RuntimeError):
    """Another process of the same training has ended or does not answer: memory ran out, or a signal came."""


class CheckpointError(MiniresError, ValueError):
    """A weight file or checkpoint that is damaged, hostile, or made for something else."""


class DataError(MiniresError, ValueError):
    """A data set that is missing, damaged or in another format than it says."""


class MissingDependencyError(MiniresError, ImportError):
    """An optional package is needed and not installed."""


def need(package: str, extra: str, *, for_what: str):
    """The optional `package`. Raises MissingDependencyError, which names the extra of minires that installs it.

    >>> plt = need("matplotlib.pyplot", "plots", for_what="drawing curves")
    """
    import importlib

    try:
        return importlib.import_module(package)
    except ImportError as missing:
        name = package.partition(".")[0]
        raise MissingDependencyError(
            f"{for_what} needs {name}, which cannot be imported ({missing}); "
            f'install it with: pip install "minires[{extra}]"'
        ) from missing


def describe(error):
    """An exception in one line, with the place where it was raised: `ValueError: … (homework.py, line 12)`."""
    frames = traceback.extract_tb(error.__traceback__)
    # the last line in the user's own file, else the last line of all
    own = [f for f in frames if "site-packages" not in f.filename and not f.filename.startswith(OURS)] or frames
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if text else ''}{text[:300]}{place}"
