"""The log of a run: log.csv."""

import csv
import io

from minires.storage import atomic_write


def write_log(path, history):
    """Write one line an epoch, from the whole history, so that the log always agrees with the checkpoint."""
    text = io.StringIO()
    writer = csv.DictWriter(text, history[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    atomic_write(path, text.getvalue().encode())
