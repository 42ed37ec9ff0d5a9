"""Limits on times. They are here, and not in tests/, because they hold on an idle machine only."""

import contextlib
import subprocess
import sys
import time

import pytest

from minires.data.imagefolder import imagefolder
from minires.errors import DataError


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not say it")
def test_importing_minires_takes_less_than_a_quarter_of_a_second():
    """Seconds of the processor, which other programs do not change: the best of five, without Python's and NumPy's."""
    import resource

    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    def best(code):
        times = []
        for _ in range(5):
            began = used()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(used() - began)
        return min(times)

    assert best("import minires") - best("import numpy") < 0.25


def test_the_time_to_find_images_grows_with_their_number_only(tmp_path):
    """4 times the classes take 4 times as long; 16 times if all images are looked at again for each class."""
    seconds = []
    for count in (500, 2000):
        for folder in range(count):
            (tmp_path / str(count) / str(folder)).mkdir(parents=True)
            for k in range(3):  # empty files, because an image is opened only when it is read
                (tmp_path / str(count) / str(folder) / f"{k}.png").touch()
        seconds.append(min(timed(lambda root=tmp_path / str(count): imagefolder(root)) for _ in range(3)))
    assert seconds[1] < 9 * seconds[0]


def timed(call):
    began = time.process_time()
    with contextlib.suppress(DataError):  # too few images for a test set, which is checked last
        call()
    return time.process_time() - began
