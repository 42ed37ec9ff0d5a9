"""Limits on times, by themselves because only an idle machine holds them: python -m pytest benchmarks."""

import contextlib
import subprocess
import sys
import time

import pytest

from minires.data.imagefolder import imagefolder
from minires.errors import DataError


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell it")
def test_importing_minires_takes_less_than_a_quarter_of_a_second():
    """Of a processor, which other programs do not lengthen: the best of five, beyond what Python and NumPy take."""
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


def test_the_time_to_find_pictures_grows_with_their_number_only(tmp_path):
    """4 times the classes take some 4 times as long, and 16 times where all pictures are looked at for each class."""
    seconds = []
    for count in (500, 2000):
        for folder in range(count):
            (tmp_path / str(count) / str(folder)).mkdir(parents=True)
            for k in range(3):  # empty files: whether they are pictures is found out when they are read
                (tmp_path / str(count) / str(folder) / f"{k}.png").touch()
        seconds.append(min(timed(lambda root=tmp_path / str(count): imagefolder(root)) for _ in range(3)))
    assert seconds[1] < 9 * seconds[0]


def timed(call):
    began = time.process_time()
    with contextlib.suppress(DataError):  # too few pictures for a test: the last thing that is found out
        call()
    return time.process_time() - began
