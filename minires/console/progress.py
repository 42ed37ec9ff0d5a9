"""The progress bar: tqdm's."""

from minires.errors import need
from minires.system import has_threads


def progress_bar(for_what="the progress bar"):
    """tqdm's class. Raises MissingDependencyError, which begins with `for_what`, where it is not installed."""
    tqdm = need("tqdm", "data", for_what=for_what).tqdm
    if not has_threads():
        tqdm.monitor_interval = 0  # a thread draws a bar that stands still; without one tqdm sets this and warns
    return tqdm
