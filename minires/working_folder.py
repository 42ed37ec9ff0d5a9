"""python -m looks for modules in the working folder first. There a student's random.py would hide Python's own."""

import os
import sys


def search_last():
    """Look for modules in the working folder last, so that no file in it hides one of Python's.

    It stays in sys.path, because minires may be a clone there, and a homework file may import others beside it.
    Processes that are started from here, from Python 3.11 on, do not look there until they get this sys.path.
    """
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return
    working = [folder for folder in sys.path if os.path.abspath(folder or here) == here]
    sys.path[:] = [folder for folder in sys.path if folder not in working] + working
