"""Which network a file of weights belongs to, by the names and shapes of its arrays."""

from collections.abc import Mapping
from typing import Any

from minires import kernels, models
from minires.nn import Linear
from minires.nn.loading import without_prefixes

COUNTERS = "num_batches_tracked"  # which some files lack


def fitting(state: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """{name: options} of all networks of minires whose parameters have the names and shapes of the state.

    The number of classes may be any, as the options say.
    """
    found = {}
    with kernels.shapes_only():
        for name in models.names():
            model = models.create(name)
            given = model.adapt_state(without_prefixes(dict(state)))
            own = _shapes(model.state_dict())
            theirs = _shapes(given)
            if own.keys() != theirs.keys():
                continue
            head = [layer for layer in model.modules() if isinstance(layer, Linear)][-1]
            classes = {key: shape for key, shape in own.items() if shape[:1] == (head.out_features,)}
            other = [key for key in own if own[key] != theirs[key]]
            numbers = {theirs[key][0] for key in other if key in classes and own[key][1:] == theirs[key][1:]}
            if not other:
                found[name] = {"num_classes": head.out_features}
            elif len(numbers) == 1 and len(other) <= 2 and all(key in classes for key in other):
                found[name] = {"num_classes": numbers.pop()}
    return found


def _shapes(state):
    return {name: array.shape for name, array in state.items() if not name.endswith(COUNTERS)}
