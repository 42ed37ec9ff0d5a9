"""What a cheat is: a small submission, with what it may get.

HONEST: its right answer; WRONG: another value; HANDLE: an object that stays in its process; or an error.
"""

import textwrap

import pytest

HONEST, WRONG, HANDLE = "honest", "wrong", "handle"
PRELUDE = """
import atexit, ctypes, gc, glob, importlib, json, os, pickle, signal, site, socket, struct, sys, threading, time
import numpy as np

def fds():
    return [fd for fd in range(3, 1024) if is_open(fd)]

def is_open(fd):
    try:
        os.fstat(fd)
        return True
    except OSError:
        return False

def frame(value, number=2):
    header = json.dumps({"value": ["dict", ["number", number], ["value", value]], "arrays": []}).encode()
    return struct.pack(">QI", 4 + len(header), len(header)) + header

def write(data):
    for fd in fds():
        try:
            os.write(fd, data)
        except OSError:
            pass
"""


def cheat(name, outcomes, text, only=None, **settings):
    """One row: what it may get, its text, and what alone holds it, walls or another user."""
    outcomes = outcomes if isinstance(outcomes, tuple) else (outcomes,)
    return pytest.param(outcomes, textwrap.dedent(text), only, settings, id=name.replace(" ", "_"))
