"""JSON of files that may be damaged or hostile."""

import json
import re
from itertools import accumulate

DEEPEST = 100  # brackets within brackets; safetensors' own limit is 127
STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\Z)', re.DOTALL)  # one without an end goes to the end of the text
STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}


def depth(text):
    """How many brackets of a JSON text are open at once."""
    brackets = re.sub(r"[^][{}]+", "", STRING.sub("", text))
    return max(accumulate(map(STEPS.__getitem__, brackets), initial=0))


def parse(text, **hooks):
    """json.loads(text). Raises ValueError also for brackets nested deeper than DEEPEST.

    Python's parser calls itself for each bracket. In a browser that ends the interpreter before Python notices.
    """
    if depth(text) > DEEPEST:
        raise ValueError(f"brackets are nested deeper than {DEEPEST}")
    return json.loads(text, **hooks)
