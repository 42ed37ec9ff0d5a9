"""A warning for layers of one network that start with equal weights, because each was made from the same seed."""

import warnings

import numpy as np

from minires.nn.parameter import Parameter

# hasattr would look for similar names first, thousands of times in a large network
_seed = vars(Parameter)["seed"].__get__


def note_seed(parameter, rng):
    """Store in the parameter the seed that its values come from, if rng is a seed."""
    if isinstance(rng, (int, np.integer)):
        parameter.seed = int(rng)


def warn_of_equal_seeds(network, added):
    """Warn if one of the added (name, parameter) has the shape and the seed of another parameter of the network."""
    if not any(_has_seed(parameter) for _, parameter in added):
        return
    first = {}
    for name, parameter in network.named_parameters():
        if not _has_seed(parameter):
            continue
        earlier = first.setdefault((parameter.shape, parameter.seed), name)
        if earlier != name:
            warnings.warn(
                f"{earlier} and {name} of {type(network).__name__} start equal, because both are {parameter.shape} and "
                f"drawn with rng={parameter.seed}; make one generator, rng = np.random.default_rng({parameter.seed}), "
                f"and pass it to all layers, or call minires.manual_seed({parameter.seed}) and pass none",
                stacklevel=4,
            )
            del parameter.seed  # one warning is enough


def _has_seed(parameter):
    try:
        _seed(parameter)
    except AttributeError:
        return False
    return True
