"""Notebooks that take hours or gigabytes to read: they cost their own row, and no time or memory of the grader."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from marks import GOOD
from test_notebooks import notebook

from minires.errors import DataError
from minires.gradcheck.grading import source
from minires.gradcheck.grading.source import read

ENDS = ("\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029")  # of lines, to IPython
SLOW = [*(GOOD + f"%a{end}" * 480 + "a=1\n" * 25_600 for end in ENDS), GOOD + "a" * 200_000 + " ?\n"]


@pytest.mark.parametrize("text", SLOW, ids=[*map(ascii, ENDS), "help"])
def test_a_notebook_is_not_read_for_longer_than_it_may(tmp_path, monkeypatch, text):
    monkeypatch.setattr(source, "READING", 2)
    begin = time.monotonic()
    with contextlib.suppress(DataError):  # not every end of a line is one of a magic, and some are read in time
        read(notebook(tmp_path / "hw.ipynb", text))
    assert time.monotonic() - begin < 10


def test_a_notebook_that_takes_too_long_is_told_what_to_change(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "READING", 2)
    with pytest.raises(DataError, match=r"hw.ipynb cannot be read within 2 s and 1 GB: .* lines begin with % or !"):
        read(notebook(tmp_path / "hw.ipynb", SLOW[1]))


def with_metadata(path, repeated, megabytes):
    """A right notebook whose metadata are a list of this, over and over."""
    text = notebook(path, GOOD).read_text()
    many = ",".join([repeated] * (megabytes * 2**20 // (len(repeated) + 1)))
    path.write_text(text.replace('"nbformat":', f'"metadata": {{"a": [{many}]}}, "nbformat":'))
    return path


def peak():
    """The most memory that this process has had, in megabytes."""
    import resource  # POSIX's

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.skipif(sys.platform != "linux", reason="where Linux counts and limits memory")
def test_the_grader_needs_no_memory_for_what_a_notebook_holds_beside_its_code(tmp_path):
    before = peak()
    for repeated in ("{}", "[]", '{"b": [{}]}'):
        assert GOOD in read(with_metadata(tmp_path / "hw.ipynb", repeated, 8)).text
    assert peak() - before < 100  # it was some 1500
    with pytest.raises(DataError, match=r"hw.ipynb is no notebook: MemoryError|cannot be read within"):
        read(with_metadata(tmp_path / "hw.ipynb", "{}", 60))


def test_a_notebook_of_megabytes_of_figures_is_read(tmp_path):
    path = notebook(tmp_path / "hw.ipynb", "%matplotlib inline\n" + GOOD, *["plot()"] * 7)
    book = json.loads(path.read_text())
    for cell in book["cells"][1:]:
        picture = base64.b64encode(os.urandom(2**20)).decode()
        cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": {"image/png": picture}}]
    path.write_text(json.dumps(book))
    assert path.stat().st_size > 10**7
    assert [cell.text for cell in read(path).cells[1:]] == ["plot()\n"] * 7


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
def test_control_c_ends_a_class_whatever_hangs(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "alice.py").write_text(GOOD)
    notebook(tmp_path / "in" / "mallory.ipynb", SLOW[1])
    arguments = ["in", "--function", "relu", "--like", "relu", "--samples", "1", "--csv", "marks.csv"]
    process = subprocess.Popen(
        [sys.executable, "-m", "minires.gradcheck", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdout.readline().startswith("seed ")
    assert "passed" in process.stdout.readline()
    time.sleep(2)
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)  # as Ctrl-C, which a shell's background jobs ignore
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - sent < source.READING / 2  # and it is not waited for
    assert process.returncode == 130
    assert err == "\nminires.gradcheck: stopped; 1 of 2 submissions were marked\n"
