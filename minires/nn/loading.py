"""Weights from a file into a network, whatever program wrote it."""

from typing import NamedTuple

from minires import storage
from minires.errors import CheckpointError, OptionError
from minires.nn.layers import Linear

PREFIXES = ("module.", "_orig_mod.")  # of torch's DataParallel and torch.compile


class Loaded(NamedTuple):
    """What Module.load did. new: names of the module that keep their own values. unused: names of the file."""

    new: list[str]
    unused: list[str]

    def __repr__(self):
        new = f"{', '.join(self.new)} of the network are not in the file, and stay as they were" if self.new else ""
        unused = f"the file has {', '.join(self.unused)} besides" if self.unused else ""
        return f"<{'; '.join(filter(None, (new, unused))) or 'All names of the file and of the network fit'}>"


def load(module, path, part, head, strict):
    """What Module.load does."""
    if head not in (None, "new"):
        raise OptionError(f"head must be None or 'new', got {head!r}")
    return fill(module, path, storage.load_weights(path, part), head, strict)


def fill(module, path, arrays, head=None, strict=True):
    """What Module.load does with the arrays that it has read from path."""
    arrays = adapted(module, arrays)
    fresh = head_names(module) if head == "new" else []
    arrays = {name: array for name, array in arrays.items() if name not in fresh}
    own = module.state_dict()
    for name in fresh:
        arrays[name] = own[name]
    try:
        missing, unexpected = module.load_state_dict(arrays, strict=strict)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return Loaded([*fresh, *missing], unexpected)


def adapted(module, arrays):
    """The arrays of a file under the module's names, without what a wrapper puts before every name."""
    arrays = dict(arrays)
    for prefix in PREFIXES * 2:  # in either order
        if arrays and all(name.startswith(prefix) for name in arrays):
            arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
    return module.adapt_state(arrays)


def head_names(module):
    """The names of the last Linear layer, which gives the classes."""
    layers = [(name, layer) for name, layer in module.named_modules() if isinstance(layer, Linear)]
    if not layers:
        raise OptionError(f"head='new': {type(module).__name__} has no Linear layer that could be its head")
    name, layer = layers[-1]
    return [f"{name}.{parameter}" for parameter, _ in layer.named_parameters()]
