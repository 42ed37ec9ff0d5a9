"""Runs a notebook in a kernel of its own, and says where it failed."""

import os
import re
import sys
import tempfile
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from tutorials.build.lesson import LessonError

LONGEST = 600  # seconds for a cell
BAR = re.compile(r"\r|\d+%\|")  # of tqdm
FONTS = "Matplotlib is building the font cache; this may take a moment.\n"  # where it draws for the first time
COLORS = re.compile(r"\x1b\[[0-9;]*m")


def run(book, name, size, folder):
    """Run the cells of a notebook in order, in place. Raises LessonError for an error, and for a warning.

    Raises KeyboardInterrupt after Ctrl-C: nbclient takes it, ends the kernel, and then fails an assertion of its own.

    size: for the environment variable SIZE. folder: where it runs.
    """
    environment = {
        **os.environ,
        "SIZE": size,
        "PYTHONWARNINGS": "default",
        "OPENBLAS_NUM_THREADS": "1",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }
    begun = []
    client = NotebookClient(
        book,
        on_cell_execute=lambda cell, cell_index: begun.append(cell.id),
        timeout=LONGEST,
        extra_arguments=["--log-level=ERROR"],
        record_timing=False,
        resources={"metadata": {"path": str(Path(folder))}},
    )
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        try:
            client.execute(env=environment, stderr=log)
        except AssertionError:  # what the kernel logs, when it is ended in the middle of a cell, is of no use
            raise KeyboardInterrupt from None
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            lines = COLORS.sub("", str(error)).strip().splitlines()
            details = "\n".join([*lines[-25:], *_lines(log)[-25:]])
            raise LessonError(f"{name}, {failed(begun)}: {lines[-1]}", details) from None
        for line in _lines(log):
            print(line, file=sys.stderr)
    refuse_warnings(book, name)
    return book


def _lines(log):
    """What a kernel has written to its log."""
    log.seek(0)
    return log.read().strip().splitlines()


def refuse_warnings(book, name):
    """Raise LessonError for what a cell has written to stderr. What says nothing is taken away."""
    for cell in book.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not says_nothing(output)]
            for output in cell.outputs:
                if output.output_type == "stream" and output.name == "stderr":
                    raise LessonError(f"{name}, cell {cell.id}: it warns", output.text)


def failed(begun):
    """Which cell was begun last. A kernel that dies may not say any more that it has begun it."""
    return f"cell {begun[-1]}" if begun else "before the first cell"


def says_nothing(output):
    """Whether an output is of a first time, or a progress bar, which says nothing once it is full."""
    if output.output_type != "stream" or output.name != "stderr":
        return False
    return output.text == FONTS or (bool(BAR.search(output.text)) and "Warning" not in output.text)
