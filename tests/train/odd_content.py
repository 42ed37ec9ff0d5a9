"""Odd values for a checkpoint, how one is put in place of another, and what is said of it."""

import copy
import json
import math

from minires.errors import CheckpointError

DELETED = object()
DEEP = json.loads("[" * 90 + "]" * 90)  # a state that is nested deeper than 100 is refused as a whole
ODD = [None, True, "7", "", -1, 1.5, math.nan, math.inf, 10**30, 10**400, [], {}, [[]], DEEP]


def changed(state, path, value):
    """A copy of the state, with this value at a path of keys, or without it."""
    state = copy.deepcopy(state)
    *way, last = path
    inner = state
    for key in way:
        inner = inner[key]
    if value is DELETED:
        del inner[last]
    else:
        inner[last] = value
    return state


def weights_with(sections, section, name, array):
    """The sections, with this array under a name, or without it."""
    group = {**sections[section], name: array}
    return {**sections, section: {key: value for key, value in group.items() if value is not DELETED}}


def refusal(resumed, sections, state):
    """What CheckpointError says; "" if the checkpoint is accepted. Any other error goes through."""
    try:
        resumed(sections, state)
    except CheckpointError as error:
        return str(error)
    return ""
