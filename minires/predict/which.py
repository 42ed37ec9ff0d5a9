"""Which network a file of weights belongs to, by the names and shapes of its arrays."""

from collections.abc import Mapping
from typing import Any

from minires import kernels, models
from minires.annotations import PathLike
from minires.errors import CheckpointError, OptionError
from minires.nn.loading import adapted, head_names

COUNTERS = "num_batches_tracked"  # which some files lack


def fitting(state: Mapping[str, Any]) -> dict[str, int]:
    """{name: classes} of all networks of minires whose parameters have the names and shapes of the state.

    The last layer may have any number of classes.
    """
    found = {}
    for name in models.names():
        own, given, head = _compared(name, state)
        is_same = own.keys() == given.keys() and all(own[n] == given[n] for n in own if n not in head)
        if is_same and all(own[n][1:] == given[n][1:] for n in head):
            found[name] = given[head[0]][0]
    return found


def network_of(path: PathLike, state: Mapping[str, Any]) -> tuple[str, int]:
    """(name, classes) of the network that these weights, read from path, belong to.

    Raises CheckpointError if it is none of minires, and OptionError if it may be one of several.
    """
    found = fitting(state)
    if not found:
        raise CheckpointError(f"{path}: no network of minires has these weights; models.names() lists them")
    if len(found) > 1:  # as a plain network and its residual twin, which have the same parameters
        raise OptionError(f"{path} has the weights of {' or '.join(found)}: say which network it is")
    return next(iter(found.items()))


def classes_in(state: Mapping[str, Any], name: str) -> int:
    """For how many classes the state is, if it is one of the network `name`; that network's own number if it is not."""
    own, given, head = _compared(name, state)
    return given.get(head[0], own[head[0]])[0]


def _compared(name, state):
    """(shapes of a network's arrays, shapes of those of the state under its names, names of its last layer)"""
    with kernels.shapes_only():
        model = models.create(name)
        return _shapes(model.state_dict()), _shapes(adapted(model, state)), head_names(model)


def _shapes(state):
    return {name: array.shape for name, array in state.items() if not name.endswith(COUNTERS)}
