"""What all optimisers share: parameters in groups, their state by position, and its way into a checkpoint."""

import math

import numpy as np

from minires.arrays import array_module, to_device
from minires.errors import CheckpointError, DTypeError, OptionError, ShapeError
from minires.tensor import Tensor


def in_range(name, value, low, high=math.inf, *, open_above=False):
    """value, if it is a number within [low, high] (or [low, high)); else an OptionError that names it."""
    if not isinstance(value, (int, float)) or not low <= value <= high or (open_above and value == high):
        upper = "" if high == math.inf else f" and {'below' if open_above else 'at most'} {high}"
        raise OptionError(f"{name} must be a number of at least {low}{upper}, got {value!r}")
    return float(value)


class Optimizer:
    """Base: subclasses say which arrays they keep for each parameter (`slots`) and how one is updated (update()).

    params: Tensors, or groups {"params": Tensors, setting: value, …} whose settings override the defaults, as in torch.
    """

    slots = ()

    def __init__(self, params, **defaults):
        params = list(params)
        groups = params if params and isinstance(params[0], dict) else [{"params": params}]
        self.groups = [{**defaults, **group, "params": list(group["params"])} for group in groups]
        for group in self.groups:
            unknown = set(group) - set(defaults) - {"params"}
            if unknown:
                raise OptionError(f"{type(self).__name__}: a parameter group has the unknown setting {unknown.pop()!r}")
            self.check(group)
        every = [p for group in self.groups for p in group["params"]]
        if not every:
            raise OptionError(f"{type(self).__name__}: there are no parameters to optimise")
        if len({id(p) for p in every}) < len(every):
            raise OptionError(f"{type(self).__name__}: a parameter is given twice")
        for p in every:
            if not isinstance(p, Tensor) or not p.requires_grad:
                raise OptionError(f"{type(self).__name__}: every parameter must be a Tensor that requires a gradient")
        self.params = every
        self.state = [{} for _ in every]
        self.steps = 0

    def check(self, group):
        """Raise OptionError for a group's settings outside their range."""
        in_range("lr", group["lr"], 0)
        in_range("weight_decay", group["weight_decay"], 0)

    @property
    def lr(self):
        """The learning rate (of the first group); setting it sets all groups'."""
        return self.groups[0]["lr"]

    @lr.setter
    def lr(self, value):
        value = in_range("lr", value, 0)
        for group in self.groups:
            group["lr"] = value

    def zero_grad(self):
        """Forget all gradients."""
        for p in self.params:
            p.grad = None

    def step(self):
        """Update every parameter that has a gradient, in place."""
        self.steps += 1
        states = iter(self.state)
        for group in self.groups:
            for p, state in zip(group["params"], states):
                if p.grad is None:
                    continue
                if p.grad.shape != p.shape:
                    raise ShapeError(f"step: a parameter {p.shape} has a gradient {p.grad.shape}")
                if p.grad.dtype != p.dtype:
                    raise DTypeError(f"step: a {p.dtype} parameter has a {p.grad.dtype} gradient")
                self.update(p.data, p.grad, state, group)
                p.mark_changed()

    def update(self, x, dx, state, group):
        """Change the array x, whose gradient is dx, in place."""
        raise NotImplementedError

    def state_dict(self):
        """{name: array}: "steps", and each kept array as "slot.position"; the arrays are the living ones."""
        arrays = {f"{slot}.{i}": array for i, state in enumerate(self.state) for slot, array in state.items()}
        return {"steps": np.array(self.steps, np.int64), **arrays}

    def load_state_dict(self, arrays):
        """Copy what state_dict() gave for the same parameters. Raises CheckpointError if it does not fit."""
        fits = {f"{slot}.{i}": (i, slot) for i in range(len(self.params)) for slot in self.slots}
        unknown = [name for name in arrays if name != "steps" and name not in fits]
        wrong = [name for name in arrays if name in fits and arrays[name].shape != self.params[fits[name][0]].shape]
        if unknown or wrong or "steps" not in arrays:
            raise CheckpointError(f"{type(self).__name__} cannot load this state; unexpected: {unknown[:4]}, shape "
                                  f"differs: {wrong[:4]}, steps: {'there' if 'steps' in arrays else 'missing'}")
        self.steps = int(arrays["steps"])
        self.state = [{} for _ in self.params]
        for name, array in arrays.items():
            if name in fits:
                i, slot = fits[name]
                p = self.params[i]
                self.state[i][slot] = array_module(p.data).empty_like(p.data)  # in memory as the parameter lies
                self.state[i][slot][...] = to_device(array, p.device)
