"""Where python -m looks for modules: first in the working folder, where a student keeps a random.py or a json.py."""

import os
import sys


def search_last():
    """Look for modules in the working folder after all other places, so that no file in it hides one of Python's.

    It stays among the places, because a clone that is not installed may be there, and a function to be checked may
    import its neighbours. Processes that are started from here, from Python 3.11 on, do not look there at all until
    they have the places of this one.
    """
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    try:
        here = os.getcwd()
    except OSError:  # it was deleted
        return
    last = [place for place in sys.path if os.path.abspath(place or here) == here]
    sys.path[:] = [place for place in sys.path if place not in last] + last
