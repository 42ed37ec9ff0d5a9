"""python -m looks for modules in the working folder first. There a student's random.py would hide Python's own."""

import os
import sys


def leave():
    """Look for modules in the working folder no more, so that no file in it stands in for one of Python's.

    Python's own modules try to import others that need not be installed. So being searched last is not enough.
    The folder stays, and is searched last, if minires itself is there, as in a clone, or if the program is not minires.
    Processes that are started from here, from Python 3.11 on, do not look there until they get this sys.path.
    """
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return
    working = [folder for folder in sys.path if os.path.abspath(folder or here) == here]
    is_clone = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) == here
    is_minires = any(word.removeprefix("-m").partition(".")[0] == "minires" for word in sys.orig_argv)
    stays = is_clone or not is_minires
    sys.path[:] = [folder for folder in sys.path if folder not in working] + working * stays
