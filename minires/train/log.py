"""The log of a run: log.csv."""

import csv
import io

from minires import console
from minires.storage import atomic_write


def write_log(path, history):
    """Write one line an epoch, from the whole history, so that the log always agrees with the checkpoint."""
    atomic_write(path, _content(history))


def bring_up_to_date(path, history, on_notice):
    """Write the log if the checkpoint knows more, because the run ended between the two. An error is only told."""
    try:
        if history and not (path.exists() and path.read_bytes() == _content(history)):
            write_log(path, history)
    except OSError as error:
        on_notice(f"the log is not written: {console.reason(error)}")


def _content(history):
    text = io.StringIO()
    writer = csv.DictWriter(text, history[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return text.getvalue().encode()
