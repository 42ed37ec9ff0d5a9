"""What the tests of the boundary share: a submission from its text, and a look at what is left of its processes."""

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from minires.gradcheck.grading import process
from minires.gradcheck.grading.box import Box

USER = hasattr(os, "geteuid") and os.geteuid() == 0 and process.others_can_read(process.libraries())
STANDS = {
    kind: kind == "" or (sys.platform == "linux" and process._stands(kind)) for kind in ("namespaces", "bwrap", "")
}


def source(*texts, file="homework.py"):
    """A Source as grading/source.py reads it; more than one text are the cells of a notebook."""
    names = [file] if len(texts) == 1 else [f"{file}, cell {n}" for n in range(1, len(texts) + 1)]
    return SimpleNamespace(path=Path(file), cells=[SimpleNamespace(name=n, text=t) for n, t in zip(names, texts)])


@contextmanager
def opened(*texts, file="homework.py", **settings):
    """A Box in which these cells have run."""
    box = Box(source(*texts, file=file), **{"timeout": 10, **settings})
    with box:
        box.names = box.load()
        yield box


def processes(marker):
    """The processes that carry a box's marker in their environment."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            if f"MINIRES_BOX={marker}".encode() in Path("/proc", name, "environ").read_bytes():
                found.append(int(name))
        except OSError:
            continue
    return found


def users():
    """The users of all processes: a box that root starts has one of its own."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            found.add(os.stat(f"/proc/{name}").st_uid)
        except OSError:
            continue
    return found


def nothing_left(marker):
    """Whether all processes of a box are gone, or go within a second."""
    for _ in range(20):
        if not processes(marker):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture(params=[kind for kind in STANDS if STANDS[kind]], ids=lambda kind: kind or "nothing", scope="module")
def walls(request):
    """With every kind of walls that the system allows, and without any."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(process, "kind_of_walls", lambda: request.param)
        yield request.param
