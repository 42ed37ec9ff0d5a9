"""Loading a state into a module, completely or not at all, with a message that says what does not fit and why."""

from collections.abc import Mapping
from typing import NamedTuple

from minires.arrays import as_array, device_of, to_device
from minires.errors import CheckpointError, DTypeError
from minires.mode import no_grad
from minires.settings import similar
from minires.states import check_state, fits_dtype
from minires.tensor import Tensor, unwrap

MOST = 4  # names that a message lists


class IncompatibleKeys(NamedTuple):
    """What load_state_dict did not load, as in torch: names that the state lacks, and names that the module lacks."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self):
        if not any(self):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self.missing_keys}, unexpected_keys={self.unexpected_keys})"


def load(module, state, strict):
    """What Module.load_state_dict does."""
    given = _arrays(module, state)
    own = module.state_dict()
    reached = {id(own[name]) for name in given if name in own}  # an array may have several names
    missing = [name for name in own if id(own[name]) not in reached and not name.endswith("num_batches_tracked")]
    unexpected = [name for name in given if name not in own]
    wrong = [name for name in own if name in given and given[name].shape != own[name].shape]
    lossy = [name for name in own if name in given and not fits_dtype(given[name], own[name].dtype)]
    nothing = bool(own) and not reached
    if wrong or lossy or nothing or (strict and (missing or unexpected)):
        near = {name: _nearest(name, own[name], unexpected, given) for name in missing[:MOST]}
        shapes = [f"{name} (file {given[name].shape}, model {own[name].shape})" for name in wrong]
        types = [f"{name} (file {given[name].dtype}, model {own[name].dtype})" for name in lossy]
        listed = (
            ("missing", [f"{name} {own[name].shape}{near.get(name, '')}" for name in missing]),
            ("unexpected", unexpected),
            ("shape differs", shapes),
            ("values that the model's type cannot hold", types),
        )
        faults = [f"{what}: {_first_names(names)}" for what, names in listed if names]
        hint = _hint(given, own, wrong, nothing)
        raise CheckpointError("; ".join([f"{type(module).__name__} cannot load this state", *faults, *hint]))
    fixed = [name for name in given if name in own and not getattr(own[name].flags, "writeable", True)]
    if fixed:
        raise CheckpointError(
            f"{type(module).__name__} cannot load this state; read-only in the model: "
            f"{_first_names(fixed)}; give these a copy of their array first"
        )
    with no_grad():
        for name, parameter in module.named_parameters(remove_duplicate=False):
            if name in given:
                parameter.copy_(to_device(given[name], parameter.device))
    for name, buffer in module.named_buffers(remove_duplicate=False):
        if name in given and name in own:
            buffer[...] = to_device(given[name], device_of(buffer))
    return IncompatibleKeys(missing, unexpected)


def _arrays(module, state):
    """{name: array} of a state dict of arrays, Tensors or another library's tensors."""
    check_state(module, state)
    what = f"{type(module).__name__} cannot load this state; "
    arrays = {}
    for name, value in state.items():
        if isinstance(value, Mapping):
            inside = next(key for key in ("state_dict", "model", name) if isinstance(state.get(key), Mapping))
            raise CheckpointError(f"{what}{name!r} holds more names: load the state inside, state[{inside!r}]")
        try:
            value = value.detach() if hasattr(value, "detach") else value  # torch's parameters
            arrays[name] = as_array(unwrap(value) if isinstance(value, Tensor) else value)
        except (DTypeError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{what}{name} is no array that can be read here: {error}") from error
    return arrays


def _hint(given, own, wrong, nothing):
    """The remedies that the names suggest."""
    names = [str(name) for name in given]
    if names and all(name.startswith("module.") for name in names):
        yield (
            "all names begin with 'module.', as DataParallel saves them: load {name.removeprefix('module.'): array "
            "for name, array in state.items()}"
        )
    elif any(name.startswith("model/") for name in names):
        yield "this is a checkpoint of a training run: load storage.load_checkpoint(path)[0]['model']"
    elif nothing:
        yield "no name of the state is one of the model's"
    layers = {name.rpartition(".")[0] for name in wrong}
    if len(layers) == 1 and all(given[name].shape[1:] == own[name].shape[1:] for name in wrong):
        layer = layers.pop()
        yield (
            f"{layer} is made for another number of classes: to load all but it, model.load(path, head='new') reads a "
            f"file, or pass {{name: array for name, array in state.items() if not name.startswith('{layer}.')}} and "
            "strict=False"
        )


def _nearest(name, array, unexpected, given):
    """The name of the file that is most like this one, among those of arrays of its shape."""
    same = [str(other) for other in unexpected if given[other].shape == array.shape]
    near = similar(name, same, most=1, cutoff=0.3)
    return f" (the file has {near[0]})" if near else ""


def _first_names(names):
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(map(str, names[:MOST])) + more
